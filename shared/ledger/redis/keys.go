package redis

import (
	"strconv"
	"strings"
	"time"

	"tributary/shared/ledger"
)

// Lifetimes of keys (TTL). Writes renew them: every write, or the writes of every 64th step
// (see lua/). Delete removes a job's keys earlier; what a late worker writes after that
// expires.
const (
	partialsLife = 15 * time.Minute    // of partials that nobody reduced; their tasks run again
	probeLife    = 10 * time.Second    // of probes
	jobLife      = 30 * 24 * time.Hour // of everything else
)

// Fields of the hashes, apart from the fields that are named by a step or a node.
const (
	fieldCommitted = "committed" // control: number of committed steps
	fieldSnapshot  = "snapshot"  // control: steps in the newest snapshot
	fieldPlan      = "plan"      // control: digest of the plan of the first commit
	fieldFloor     = "floor"     // log: the first step that is kept
	sealPrefix     = "s"         // log: s<step> is the seal of <step>
	residualPrefix = "e"         // log: e<step> is the residual after <step>, with a lossy wire
	digestPrefix   = "d"         // partials: d<node> is the seal of <node>
)

// keys builds all keys of a job. The hash tag is the job and the chunk. So everything that
// the scripts of one chunk touch is in one slot, while the chunks spread over the nodes of
// a cluster. Data that exists once per job has the tag of chunk 0.
//
//	tributary:{job.run:c}:partials:<step>    hash   <node> → floats, d<node> → seal of a wire.Partial, c<node> → "" when covered
//	tributary:{job.run:c}:steps              set    steps that may have partials
//	tributary:{job.run:c}:log                hash   <step> → floats, s<step> → seal of a wire.Root, e<step> → wire.Residual, floor → step
//	tributary:{job.run:c}:snapshot           hash   <step> → wire.Snapshot: the chunk of every vector
//	tributary:{job.run:0}:control            hash   committed, snapshot, plan, base (step of losses[0]), by (token of the last commit)
//	tributary:{job.run:0}:losses             list   16 bytes for each committed step: examples int64, loss float64
//	tributary:{job.run:0}:pending            hash   steps landed in part: <step> → losses entry, <step>:<c> → "", <step>:landed → count
//	tributary:{job.run:0}:evaluation:<step>  hash   <unit> → result
//	tributary:{job.run:0}:evaluations        set    steps that may have evaluations
//	tributary:{job.run:0}:journal            hash   <name> → note
//	tributary:{job.run:c}:probe              hash   "" → "", written to learn whether the server can be written
//
// Floats are stored apart from their seals. So the client sends them from the memory in
// which they were computed, and receives them into the memory in which they are used. It
// writes the floats first; a chunk without a seal counts as not stored.
//
// The layout and the two sets give all keys of a job. A step is added to its set before any
// of its data is stored, so Delete also finds what an interrupted call left.
type keys struct{ ref string }

func keysOf(l ledger.Layout) keys { return keys{l.Ref.String()} }

func (k keys) slot(chunk int, name string) string {
	return "tributary:{" + k.ref + ":" + strconv.Itoa(chunk) + "}:" + name
}

func (k keys) partials(chunk int, step int64) string { return k.slot(chunk, "partials:"+field(step)) }
func (k keys) steps(chunk int) string                { return k.slot(chunk, "steps") }
func (k keys) log(chunk int) string                  { return k.slot(chunk, "log") }
func (k keys) snapshot(chunk int) string             { return k.slot(chunk, "snapshot") }
func (k keys) probe(chunk int) string                { return k.slot(chunk, "probe") }
func (k keys) control() string                       { return k.slot(0, "control") }
func (k keys) losses() string                        { return k.slot(0, "losses") }
func (k keys) pending() string                       { return k.slot(0, "pending") }
func (k keys) evaluation(step int64) string          { return k.slot(0, "evaluation:"+field(step)) }
func (k keys) evaluations() string                   { return k.slot(0, "evaluations") }
func (k keys) journal() string                       { return k.slot(0, "journal") }

// field returns the name of a field for a step or a node.
func field[T ~int64 | ~uint64 | ~int](n T) string { return strconv.FormatInt(int64(n), 10) }

// number parses a name that field returned; ok is false for any other name.
func number(f string) (n int64, ok bool) {
	n, err := strconv.ParseInt(f, 10, 64)
	return n, err == nil && n >= 0
}

// arrivedNode returns the node of a field d<node>; ok is false for any other name.
func arrivedNode(f string) (n int64, ok bool) {
	digits, ok := strings.CutPrefix(f, digestPrefix)
	if !ok {
		return 0, false
	}
	return number(digits)
}
