package sim

import (
	"context"
	"sync"

	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/queue"
	"tributary/shared/tree"
)

// The deliberate bugs: mistakes that a programmer could make, placed between the programs
// and their stores. The checks must find each of them.
const (
	acksEarly        = "a worker acknowledges a task before its result is stored"
	sumsByArrival    = "a worker sums partials in another order than the tree's"
	countsTwice      = "a worker counts the examples of a batch twice"
	skipsDigests     = "a worker does not check the digest of a block"
	readsStaleRoots  = "a replica folds the root gradient of the step before"
	mislabels        = "a snapshot says one step more than was folded"
	ignoresRuns      = "the ledger's keys have the job's id and not its run"
	forcesRecords    = "a record is written without comparing its revision and term"
	ignoresLeases    = "a coordinator takes jobs that another holds, under any term"
	neverEndsLeases  = "a lease does not end when its owner is gone"
	neverRepublishes = "what was published once is never published again"
	neverDeletes     = "a job's training state is not deleted"
	publishesForever = "a coordinator publishes every task many times over"
	forgetsMarks     = "a worker trims the log before the marks of its steps are kept"
	forgetsResiduals = "a worker takes what a wire lost for nothing when another worker lost it"
	forgetsClasses   = "a coordinator publishes all tasks for workers of any version"
)

var bugs = []string{
	acksEarly, sumsByArrival, countsTwice, skipsDigests, readsStaleRoots, mislabels, ignoresRuns,
	forcesRecords, ignoresLeases, neverEndsLeases, neverRepublishes, neverDeletes, publishesForever,
	forgetsMarks, forgetsResiduals, forgetsClasses,
}

// has reports whether the process's program has the bug.
func (p *process) has(bug string) bool { return p.w.bug == bug }

func (p *process) mutateLedger(l ledger.Ledger) ledger.Ledger {
	switch p.w.bug {
	case sumsByArrival, countsTwice, readsStaleRoots, mislabels, neverDeletes, forgetsMarks, forgetsResiduals:
		return mutantLedger{l, p, &sync.Map{}}
	}
	return l
}

// mutantLedger is the ledger as a program with a bug uses it.
type mutantLedger struct {
	ledger.Ledger
	p      *process
	chains *sync.Map // job.Ref → ledger.Chain before the step that was read last
}

func (m mutantLedger) Residual(ctx context.Context, lay ledger.Layout, r ledger.LogRead) error {
	err := m.Ledger.Residual(ctx, lay, r)
	if err == nil && m.p.has(forgetsResiduals) {
		clear(r.Dst)
	}
	return err
}

func (m mutantLedger) Put(ctx context.Context, lay ledger.Layout, step int64, node tree.Node, partial ledger.Partial) ([]ledger.Arrival, error) {
	if m.p.has(countsTwice) {
		partial.Sums.Examples *= 2
	}
	return m.Ledger.Put(ctx, lay, step, node, partial)
}

func (m mutantLedger) Append(ctx context.Context, lay ledger.Layout, w ledger.LogWrite) (bool, ledger.Chain, error) {
	if m.p.has(countsTwice) {
		w.Root.Sums.Examples *= 2
	}
	return m.Ledger.Append(ctx, lay, w)
}

// Partial reads the partial of the node's mirror image if there is one.
func (m mutantLedger) Partial(ctx context.Context, lay ledger.Layout, r ledger.PartialRead) (ledger.Sums, error) {
	if m.p.has(sumsByArrival) {
		swapped := r
		swapped.Node ^= 1
		if sums, err := m.Ledger.Partial(ctx, lay, swapped); err == nil {
			return sums, nil
		}
	}
	return m.Ledger.Partial(ctx, lay, r)
}

func (m mutantLedger) Root(ctx context.Context, lay ledger.Layout, r ledger.LogRead) (ledger.Sums, ledger.Chain, error) {
	sums, after, err := m.Ledger.Root(ctx, lay, r)
	if err == nil && m.p.has(readsStaleRoots) && len(r.Chunks) == lay.Chunks() {
		last, ok := m.chains.Swap(lay.Ref, r.Before)
		if chain, isChain := last.(ledger.Chain); ok && isChain && r.Step%4 == 3 {
			r.Step, r.Before = r.Step-1, chain
			if stale, _, err := m.Ledger.Root(ctx, lay, r); err == nil {
				sums = stale
			}
		}
	}
	return sums, after, err
}

func (m mutantLedger) PutSnapshot(ctx context.Context, lay ledger.Layout, s ledger.Snapshot) error {
	if m.p.has(mislabels) {
		s.Step++
	}
	return m.Ledger.PutSnapshot(ctx, lay, s)
}

func (m mutantLedger) Begin(ctx context.Context, lay ledger.Layout, s ledger.Snapshot) error {
	if m.p.has(mislabels) {
		s.Step++
	}
	return m.Ledger.Begin(ctx, lay, s)
}

func (m mutantLedger) CommitBatch(ctx context.Context, lay ledger.Layout, b ledger.BatchCommit) error {
	if m.p.has(mislabels) && len(b.Sums) > 1 {
		b.Snapshot.Step, b.Sums = b.Snapshot.Step-1, b.Sums[1:]
	}
	return m.Ledger.CommitBatch(ctx, lay, b)
}

func (m mutantLedger) PutEvaluation(ctx context.Context, lay ledger.Layout, step int64, unit string, result []byte) (int, error) {
	if m.p.has(forgetsMarks) && step == ledger.History {
		return 1, nil
	}
	return m.Ledger.PutEvaluation(ctx, lay, step, unit, result)
}

func (m mutantLedger) Delete(ctx context.Context, lay ledger.Layout) error {
	if m.p.has(neverDeletes) {
		return nil
	}
	return m.Ledger.Delete(ctx, lay)
}

func (p *process) mutateQueue(q queue.Queue) queue.Queue {
	switch p.w.bug {
	case acksEarly, neverRepublishes, publishesForever, forgetsClasses:
		return mutantQueue{q, p, map[string]bool{}}
	}
	return q
}

// mutantQueue is the queue as a program with a bug uses it.
type mutantQueue struct {
	queue.Queue
	p    *process
	once map[string]bool // tasks that were published
}

func (m mutantQueue) Publish(ctx context.Context, tasks ...job.Task) error {
	var out []job.Task
	for _, t := range tasks {
		switch {
		case m.p.has(publishesForever):
			for i := range 50 {
				again := t
				again.Attempt += i << 20
				out = append(out, again)
			}
		case m.p.has(forgetsClasses):
			t.Class = ""
			out = append(out, t)
		case !m.p.w.first(t):
		default:
			out = append(out, t)
		}
	}
	return m.Queue.Publish(ctx, out...)
}

// first reports whether a task is published for the first time.
func (w *world) first(t job.Task) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	name := t.Name()
	known := w.once[name]
	w.once[name] = true
	return !known
}

func (m mutantQueue) Subscribe(ctx context.Context, classes ...queue.Class) (queue.Subscription, error) {
	s, err := m.Queue.Subscribe(ctx, classes...)
	if err == nil && m.p.has(acksEarly) {
		s = hastySubscription{s}
	}
	return s, err
}

type hastySubscription struct{ queue.Subscription }

func (s hastySubscription) Next(ctx context.Context) (queue.Delivery, error) {
	d, err := s.Subscription.Next(ctx)
	if err == nil {
		_ = d.Ack(ctx) // the bug
	}
	return d, err
}
