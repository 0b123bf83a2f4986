package redis

import (
	"strconv"
	"strings"
	"time"

	"tributary/shared/ledger"
)

// Lives of keys, renewed by writes: each, or every 64th step's (lua/). Delete removes a job's keys before;
// what a straggler writes after that goes away by itself.
const (
	partialsLife = 15 * time.Minute    // of partials nobody reduced; their tasks run again
	probeLife    = 10 * time.Second    // of probes
	jobLife      = 30 * 24 * time.Hour // of everything else
)

// Fields of the hashes beside those named by a step or a node.
const (
	fieldCommitted = "committed" // control: steps committed
	fieldSnapshot  = "snapshot"  // control: steps folded into the newest snapshot
	fieldPlan      = "plan"      // control: digest of the plan that the first commit was of
	fieldFloor     = "floor"     // log: first step kept
	sealPrefix     = "s"         // log: s<step> is the seal of <step>
	residualPrefix = "e"         // log: e<step> is the residual after <step>, of a lossy wire
	digestPrefix   = "d"         // partials: d<node> is the seal of <node>
)

// keys builds every key of a job. The hash tag is the job and the chunk, so
// that what one chunk's scripts touch is in one slot while chunks spread over
// a cluster's nodes; what is kept once per job lies with chunk 0.
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
// Floats lie apart from their seals, so that they are sent from the memory they
// were computed in and received into the memory they are used in. The floats
// are written first: what has no seal is not there.
//
// All keys of a job are known from its layout and the two sets. A step is in
// its set before anything of it is stored, so that what a cut call left behind
// is found too.
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

// field names a step or a node inside a hash.
func field[T ~int64 | ~uint64 | ~int](n T) string { return strconv.FormatInt(int64(n), 10) }

// number reads what field wrote; ok is false for any other name.
func number(f string) (n int64, ok bool) {
	n, err := strconv.ParseInt(f, 10, 64)
	return n, err == nil && n >= 0
}

// arrivedNode reads the node out of d<node>; ok is false for any other name.
func arrivedNode(f string) (n int64, ok bool) {
	digits, ok := strings.CutPrefix(f, digestPrefix)
	if !ok {
		return 0, false
	}
	return number(digits)
}
