package sim

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"time"

	"tributary/shared/checkpoint"
	"tributary/shared/history"
	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/queue"
	"tributary/shared/registry"
	"tributary/shared/tree"
)

// The checks read what is in the stores, never what a program believes. The caller of
// each check holds the world's lock.

// created records a new incarnation of a job.
func (w *world) created(r job.Record) {
	for _, p := range w.swarm.jobs {
		if p.id != r.ID {
			continue
		}
		n := len(w.jobs[r.ID])
		s := &simulated{
			alias: fmt.Sprintf("%s.%d", r.ID, n+1), ref: r.Ref(), want: refer(p.incarnations[n].template, r.ID, w.swarm.chunkLen), asked: map[string]bool{},
		}
		w.jobs[r.ID] = append(w.jobs[r.ID], s)
		w.runs[r.Run] = s
		w.named.Store(r.Run, s.alias)
		if n > 0 {
			w.reached("an id is used again")
		}
	}
}

// job returns the incarnation that a write to the ledger belongs to.
func (w *world) job(lay ledger.Layout) *simulated {
	s := w.runs[lay.Run]
	if s == nil || s.ref != lay.Ref {
		w.wrong("a write to the ledger of %s, which nobody submitted", lay.Ref)
		return nil
	}
	want := s.want.layout
	want.Ref = lay.Ref
	if want != lay {
		w.wrong("a write to the ledger of %s with layout %+v: want %+v", s.alias, lay, want)
		return nil
	}
	return s
}

func same(a, b []float32) bool {
	return slices.EqualFunc(a, b, func(x, y float32) bool { return math.Float32bits(x) == math.Float32bits(y) })
}

func (w *world) checkPartial(lay ledger.Layout, step int64, node tree.Node, partial ledger.Partial) {
	s := w.job(lay)
	if s == nil {
		return
	}
	if step >= s.want.steps {
		w.wrong("%s: a partial of step %d; the job has %d steps", s.alias, step, s.want.steps)
		return
	}
	if want := s.want.nodes[step][node]; !same(want.Gradient, partial.Gradient) || want.Sums != partial.Sums {
		w.wrong("%s: the partial of node %d at step %d is %v: want %v", s.alias, node, step, partial, want)
	}
}

func (w *world) checkRoot(lay ledger.Layout, a ledger.LogWrite) {
	s := w.job(lay)
	if s == nil {
		return
	}
	step := a.Step
	if step >= s.want.steps {
		w.wrong("%s: a root gradient of step %d; the job has %d steps", s.alias, step, s.want.steps)
		return
	}
	want := s.want.nodes[step][tree.Root]
	for _, c := range a.Chunks {
		if chain := s.want.chains[step]; len(a.Before) != len(chain) || a.Before[c] != chain[c] {
			w.wrong("%s: chunk %d of the root gradient of step %d does not follow the history before it", s.alias, c, step)
		}
		lo, hi := lay.Chunk(c)
		if !same(want.Gradient[lo:hi], a.Root.Gradient[lo:hi]) || want.Sums != a.Root.Sums {
			w.wrong("%s: chunk %d of the root gradient of step %d is %v, %+v: want %v, %+v", s.alias, c, step, a.Root.Gradient[lo:hi], a.Root.Sums, want.Gradient[lo:hi], want.Sums)
		}
		if !lay.Wire.Lossy() {
			continue
		}
		after := s.want.states[step+1]
		if after := after[len(after)-1]; len(a.Residual) != lay.Params || !same(after[lo:hi], a.Residual[lo:hi]) {
			w.wrong("%s: chunk %d of the residual after step %d is %v: want %v", s.alias, c, step, a.Residual, after)
		}
		w.reached("a root is rounded, and what it lost is kept")
	}
}

func (w *world) checkSnapshot(lay ledger.Layout, snap ledger.Snapshot) {
	s := w.job(lay)
	if s == nil {
		return
	}
	if snap.Step > s.want.steps || !slices.EqualFunc(s.want.states[snap.Step], snap.Vectors, same) || !slices.Equal(s.want.chains[snap.Step], snap.Chain) {
		w.wrong("%s: the snapshot of step %d is not what %d steps come to", s.alias, snap.Step, snap.Step)
	}
}

// concluded is the step under which coordinators store the results of whole evaluations.
// The steps after it hold other data that belongs to no step.
const concluded = int64(1) << 62

func (w *world) checkEvaluation(lay ledger.Layout, step int64, unit string, result []byte) {
	s := w.job(lay)
	if s != nil && step == ledger.History {
		w.checkPage(s, unit, result)
	}
	if s == nil || step >= concluded {
		return // the results are part of the outcome, which is checked
	}
	if step > s.want.steps || !slices.Equal(s.want.units[step][unit], result) {
		w.wrong("%s: the evaluation of %s at step %d is not the reference's", s.alias, unit, step)
	}
}

func (w *world) countPut(lay ledger.Layout, step int64, before ledger.State, arrivals []ledger.Arrival) {
	committed, covered := 0, 0
	for _, a := range arrivals {
		if a.Committed {
			committed++
		}
		if len(a.Cover) > 0 {
			covered++
		}
		if levels(a.Cover, lay.Microbatch) > 2 {
			w.reached("a cover mixes levels of the tree")
		}
	}
	switch {
	case before.Committed > step:
		w.reached("a partial of a committed step arrives")
	case committed > 0:
		w.reached("a partial arrives when some chunks have landed")
	}
	if covered > 0 && covered < len(arrivals) {
		w.reached("a partial completes some chunks and not others")
	}
}

// levels counts the different sizes of a cover's nodes.
func levels(cover []tree.Node, m int) int {
	sizes := map[int]bool{}
	for _, n := range cover {
		lo, hi, _ := n.Leaves(m)
		sizes[hi-lo] = true
	}
	return len(sizes)
}

func (w *world) countAppend(p *process, lay ledger.Layout, step int64, before ledger.State, committed bool) {
	switch {
	case before.Committed > step:
		w.reached("a root is appended again")
	case committed && w.ledgers.losses > 0:
		w.reached("a step is committed after the ledger's loss")
	case committed && lay.Chunks() > 1:
		w.reached("a step of several chunks is committed")
	case !committed:
		w.reached("some chunks of a step land")
	}
	if committed && p.m.process != p {
		w.reached("a process that is gone commits a step")
	}
}

func evaluationKey(ref job.Ref, step int64, unit string) string {
	return job.Task{Ref: ref, Kind: job.Evaluate, Step: step}.Name() + unit
}

func (w *world) stored(ref job.Ref, step int64, node tree.Node) {
	w.ledgers.stored[job.Task{Ref: ref, Kind: job.Gradient, Step: step, Node: node}.Name()] = true
}

// taking counts a delivery, and fails if the worker's program does not know the task.
func (w *world) taking(m *machine, d queue.Delivery) {
	t := d.Task()
	if s := w.runs[t.Run]; s != nil && s.want.novel {
		if m.older {
			w.wrong("%s is of an older version, and takes the task %s", m.name, w.name(t))
		}
		w.reached("a task that older workers do not know is taken by a newer one")
	} else if m.older {
		w.reached("an older worker takes a task that it knows")
	}
	if d.Delivered() > 1 {
		w.reached("a task is delivered again: " + string(t.Kind))
	}
	w.delivered[t.MsgID()]++
	if w.delivered[t.MsgID()] > d.Delivered() {
		w.reached("the queue has a task twice")
	}
}

// checkAck fails if a worker acknowledges a task whose result is missing.
func (w *world) checkAck(d *delivery) {
	t := d.d.Task()
	s := w.runs[t.Run]
	if s == nil || w.ledgers.losses > 0 || t.Kind != job.Gradient && t.Kind != job.Evaluate {
		return // a task may be stale because the ledger has lost steps
	}
	r, ok := w.records.newest(t.Job)
	if !ok || r.Ref() != t.Ref || r.State.Final() {
		return
	}
	if w.wasFinal(t.Job, d.taken.Add(-lag)) {
		return // its worker may have read the final record before the job was resumed
	}
	lay := s.want.layout
	lay.Ref = t.Ref
	state, err := w.ledgers.now.State(in, lay)
	if err != nil || state.Committed != t.Step {
		return
	}
	key := t.Name()
	if t.Kind == job.Evaluate {
		key = evaluationKey(t.Ref, t.Step, t.Unit())
	}
	if !w.ledgers.stored[key] {
		w.wrong("%s acknowledges %s before its result is stored", d.p.name, w.name(t))
	}
}

// wasFinal reports whether a job's record has been final at some time since then.
func (w *world) wasFinal(id job.ID, since time.Time) bool {
	for back := 0; ; back++ {
		e, ok := w.records.last(id, back)
		switch {
		case !ok:
			return false
		case e.record().State.Final():
			return true
		case e.at.Before(since):
			return false
		}
	}
}

// published bounds how much work coordinators publish.
func (w *world) published(t job.Task) {
	s := w.runs[t.Run]
	if s == nil || t.Kind != job.Gradient {
		return
	}
	s.published++
	if s.asked[t.Name()] {
		w.reached("a gradient task is published again")
	}
	s.asked[t.Name()] = true
	if t.Node != tree.Root {
		w.reached("a step is shared among slots")
	}
	m := s.want.layout.Microbatch
	bound := m * (int(s.want.steps)*(1+w.ledgers.losses)*2 + 8*s.claims + 5*int(time.Since(w.began)/time.Second) + 16)
	if s.published > bound {
		w.wrong("%s: %d gradient tasks were published in %v for %d steps of %d micro-batches; want at most %d", s.alias, s.published, time.Since(w.began), s.want.steps, m, bound)
	}
}

// checkRecord checks a change of a record against the rules of a job's life.
func (w *world) checkRecord(p *process, before, after job.Record) {
	s := w.runs[after.Run]
	switch {
	case s == nil || before.Run != after.Run:
		w.wrong("%s writes the record of %s over that of %s", p.name, after.Ref(), before.Ref())
		return
	case after.Term < before.Term:
		w.wrong("%s: the accepted term falls from %d to %d", s.alias, before.Term, after.Term)
	case before.State.Final() && after.State != before.State && after.Resumed == before.Resumed:
		w.wrong("%s: the job was %s and is %s now", s.alias, before.State, after.State)
	case driven(before, after) && w.leases.granted[after.Term] != p:
		w.wrong("%s: %s writes under term %d, which is not its own", s.alias, p.name, after.Term)
	case after.Plan != "" && after.Plan != s.want.plan:
		w.wrong("%s: the plan is %s: want %s", s.alias, after.Plan, s.want.plan)
	case after.Released && !after.State.Final():
		w.wrong("%s: the job is released and %s", s.alias, after.State)
	}
	if after.Term > before.Term {
		s.claims++
		if before.Term > 0 {
			w.reached("a job is claimed by its next owner")
		}
	}
	if before.State == after.State {
		return
	}
	switch after.State {
	case job.Failed:
		w.wrong("%s: the job has failed: %s", s.alias, after.Error)
	case job.Succeeded:
		w.reached("a job has succeeded")
		o := after.Outcome
		if o.ParametersSHA256 != s.want.digest {
			w.wrong("%s: the final parameters are %s: shared/serial has %s", s.alias, o.ParametersSHA256, s.want.digest)
		}
		if !reflect.DeepEqual(o.Metrics, s.want.metrics) {
			w.wrong("%s: the final metrics are %v: shared/serial has %v", s.alias, o.Metrics, s.want.metrics)
		}
		if o.Steps != s.want.steps {
			w.wrong("%s: the job took %d steps of %d", s.alias, o.Steps, s.want.steps)
		}
	default:
	}
}

// driven reports whether only the job's owner makes such a change of a record. The other
// changes are people's requests, which any coordinator carries out.
func driven(before, after job.Record) bool {
	return after.Term != before.Term || after.Plan != before.Plan || after.Numerics != before.Numerics ||
		after.Released && !before.Released || after.Outcome != nil && before.Outcome == nil ||
		after.State == job.Failed && before.State != job.Failed || !slices.Equal(after.Checkpoints, before.Checkpoints)
}

// clean waits for late requests, and checks what is left after every job is over.
func (w *world) clean() {
	if !w.wait(time.Minute) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if bytes, _ := w.queue.Len(); bytes > 0 {
		w.wrong("%d bytes of tasks are left in the queue", bytes)
	}
	w.countBlobs()
	for key, c := range w.leases.held {
		if !time.Now().After(c.ends) {
			w.wrong("the lease of %s is held by %s although nobody has anything to do", key, c.owner.name)
		}
	}
	for _, p := range w.swarm.jobs {
		for _, s := range w.jobs[p.id] {
			w.checkEmpty(s)
		}
		last := w.jobs[p.id][len(w.jobs[p.id])-1]
		if r, _ := w.records.newest(p.id); r.State == job.Succeeded {
			w.checkModel(last, p.id)
		}
	}
}

// countBlobs counts the worlds with blobs that nothing refers to any more, and checks
// that every blob that a record refers to exists.
func (w *world) countBlobs() {
	named := map[job.Digest]bool{}
	for id, all := range w.jobs {
		for _, s := range all {
			named[s.want.plan] = true
			for digest := range s.want.blocks {
				named[digest] = true
			}
		}
		r, _ := w.records.newest(id)
		for _, c := range r.Checkpoints {
			m, err := checkpoint.Open(in, w.blobs, c.Digest)
			if err == nil {
				err = m.Whole(in, w.blobs)
			}
			if err != nil {
				w.reached("a recorded checkpoint is not whole: " + outcome(err))
				continue
			}
			named[c.Digest] = true
			for _, digest := range slices.Concat(append(m.Vectors, m.Losses, m.Marks, m.Evaluations)...) {
				named[digest] = true
			}
		}
	}
	for digest := range w.kept {
		if !named[digest] {
			w.reached("a blob is left that nothing names")
			return
		}
	}
}

// checkEmpty checks that the job's training state was deleted. Something may be left for
// two reasons. A task that was in the queue or in flight stored it after the last
// deletion. Or it came back with an old copy of the ledger.
func (w *world) checkEmpty(s *simulated) {
	left := w.left(s)
	switch {
	case left == "":
	case !w.ledgers.deleted[s.ref]:
		w.wrong("%s: the ledger has %s after the release", s.alias, left)
	default:
		w.reached("something is stored after the last deletion")
	}
}

// left describes what the ledger still has of a job; "" means nothing.
func (w *world) left(s *simulated) string {
	lay := s.want.layout
	lay.Ref = s.ref
	if state, err := w.ledgers.now.State(in, lay); err != nil || state != (ledger.State{}) {
		return fmt.Sprintf("%+v (%v)", state, err)
	}
	for step := range s.want.steps + 1 {
		if nodes, err := w.ledgers.now.Arrived(in, lay, step); err != nil || len(nodes) > 0 {
			return fmt.Sprintf("partials %v of step %d (%v)", nodes, step, err)
		}
	}
	for i := range s.want.steps + 5 {
		step := i
		if i > s.want.steps {
			step = concluded + i - s.want.steps - 1
		}
		if units, err := w.ledgers.now.Evaluations(in, lay, step); err != nil || len(units) > 0 {
			return fmt.Sprintf("%d units of the evaluation at step %d (%v)", len(units), step, err)
		}
	}
	return ""
}

// checkModel checks that the registry has the model of the last incarnation.
func (w *world) checkModel(s *simulated, id job.ID) {
	var card struct {
		Run              job.Run    `json:"run"`
		ParametersSHA256 job.Digest `json:"parameters_sha256"`
	}
	if err := json.Unmarshal(w.models[string(id)+"/"+registry.CardFile], &card); err != nil {
		w.wrong("%s: the model's card: %v", s.alias, err)
		return
	}
	if card.ParametersSHA256 != s.want.digest || card.Run != s.ref.Run {
		w.wrong("%s: the registry has a model of run %s with parameters %s: want %s", s.alias, card.Run, card.ParametersSHA256, s.want.digest)
	}
	w.checkHistory(s, w.models[string(id)+"/"+history.FileName])
	if w.aliases["model-"+string(id)] != string(id) {
		w.wrong("%s: the name model-%s stands for %q", s.alias, id, w.aliases["model-"+string(id)])
	}
}

// checkPage checks that a page of marks has those of its steps.
func (w *world) checkPage(s *simulated, unit string, data []byte) {
	var from, to int64
	_, err := fmt.Sscanf(unit, "%d-%d", &from, &to)
	marks, decodeErr := history.DecodeMarks(data)
	if err != nil || decodeErr != nil || from < 0 || to > s.want.steps || to-from != int64(len(marks)) {
		w.wrong("%s: the page %s of marks has %d bytes; the job has %d steps", s.alias, unit, len(data), s.want.steps)
		return
	}
	for i, m := range marks {
		if want := s.want.chains[from+int64(i)+1].Mark(); m != want {
			w.wrong("%s: step %d is marked %s: want %s", s.alias, from+int64(i), m, want)
		}
	}
}

// checkHistory checks that the model's history has the mark of every step.
func (w *world) checkHistory(s *simulated, data []byte) {
	f, err := history.Decode(data)
	if err != nil {
		w.wrong("%s: the model's history: %v", s.alias, err)
		return
	}
	if f.Plan != s.want.plan || f.ChunkLen != s.want.layout.ChunkLen || f.History.Steps() > s.want.steps {
		w.wrong("%s: the model's history is of plan %s, chunks of %d and %d steps: want %s, %d and %d",
			s.alias, f.Plan, f.ChunkLen, f.History.Steps(), s.want.plan, s.want.layout.ChunkLen, s.want.steps)
	}
	for step := range s.want.steps {
		if got, ok := f.History.At(step); !ok || got != s.want.chains[step+1].Mark() {
			w.wrong("%s: the model's history has step %d marked %s (%v): want %s", s.alias, step, got, ok, s.want.chains[step+1].Mark())
		}
	}
}
