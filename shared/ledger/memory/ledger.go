// Package memory keeps the ledger in the memory of one process.
//
// It owns copies of what it is given and hands out copies. It is what tests
// and the reference run on, and the twin the Redis adapter is held against; it
// knows no limit in bytes and forgets nothing by itself.
//
// Invariant: one lock guards everything, so each method is one atomic step.
package memory

import (
	"cmp"
	"context"
	"fmt"
	"sync"

	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/tree"
	"tributary/shared/wire"
)

// Ledger is a ledger.Ledger in memory; New makes one.
type Ledger struct {
	mu       sync.Mutex
	jobs     map[job.Ref]*training
	journals map[job.Ref]map[string][]byte // notes by name
}

var _ ledger.Ledger = (*Ledger)(nil)

// New returns an empty ledger.
func New() *Ledger {
	return &Ledger{jobs: map[job.Ref]*training{}, journals: map[job.Ref]map[string][]byte{}}
}

// training is all that is kept about a job.
type training struct {
	layout           ledger.Layout
	committed, floor int64
	base             int64           // step of losses[0]
	losses           []ledger.Sums   // of steps base … committed-1
	steps            map[int64]*step // running steps and the log
	snapshot         *ledger.Snapshot
	evaluations      map[int64]map[string][]byte
}

// step is a step's chunks.
type step struct{ chunks []chunk }

// chunk is the log's entry of a chunk once it is there, and its partials before.
type chunk struct {
	root     []byte
	residual []byte // of a lossy wire, as ledger.EncodeResidual has it
	partials map[tree.Node]ledger.Partial
}

// read locks the ledger and finds the job; one never heard of is empty. The
// error is the first of the context's, the arguments' and the layout's faults.
func (l *Ledger) read(ctx context.Context, lay ledger.Layout, fault error) (*training, error) {
	if err := cmp.Or(ctx.Err(), fault, lay.Validate()); err != nil {
		return nil, err
	}
	l.mu.Lock()
	t, ok := l.jobs[lay.Ref]
	if !ok {
		t = &training{layout: lay, steps: map[int64]*step{}, evaluations: map[int64]map[string][]byte{}}
	}
	if t.layout.Plan != lay.Plan && t.committed > 0 {
		l.mu.Unlock()
		return nil, fmt.Errorf("the ledger is of plan %.12s, not %.12s: %w", string(t.layout.Plan), string(lay.Plan), job.ErrCorrupt)
	}
	if t.layout != lay {
		l.mu.Unlock()
		return nil, fmt.Errorf("layout %+v: the job's is %+v: %w", lay, t.layout, job.ErrInvalid)
	}
	return t, nil
}

// write is read for a method that changes the job, which is kept from now on.
func (l *Ledger) write(ctx context.Context, lay ledger.Layout, fault error) (*training, error) {
	t, err := l.read(ctx, lay, fault)
	if err == nil {
		l.jobs[lay.Ref] = t
	}
	return t, err
}

// newStep is a step at which nothing has arrived.
func newStep(lay ledger.Layout) *step {
	s := &step{chunks: make([]chunk, lay.Chunks())}
	for c := range s.chunks {
		s.chunks[c].partials = map[tree.Node]ledger.Partial{}
	}
	return s
}

// at finds a step to read; one never heard of is empty.
func (t *training) at(n int64) *step {
	if s, ok := t.steps[n]; ok {
		return s
	}
	return newStep(t.layout)
}

// keep finds a step to change, made when it is not there.
func (t *training) keep(n int64) *step {
	s := t.at(n)
	t.steps[n] = s
	return s
}

// landed reports that every chunk's root is there.
func (s *step) landed() bool {
	for _, c := range s.chunks {
		if c.root == nil {
			return false
		}
	}
	return true
}

// advance commits the landed steps that are next in order.
func (t *training) advance() {
	for {
		s, ok := t.steps[t.committed]
		if !ok || !s.landed() {
			return
		}
		h, _, _, _, _ := wire.Open(s.chunks[0].root) // nobody else has had it in hand
		t.losses = append(t.losses, ledger.Sums{Examples: h.Examples, Loss: h.Loss})
		t.committed++
	}
}

// State reads the counts.
func (l *Ledger) State(ctx context.Context, lay ledger.Layout) (ledger.State, error) {
	t, err := l.read(ctx, lay, nil)
	if err != nil {
		return ledger.State{}, err
	}
	defer l.mu.Unlock()
	s := ledger.State{Committed: t.committed, Floor: t.floor}
	if t.snapshot != nil {
		s.Snapshot = t.snapshot.Step
	}
	return s, nil
}

// Losses reads the sums of committed steps.
func (l *Ledger) Losses(ctx context.Context, lay ledger.Layout, from, to int64) ([]ledger.Progress, error) {
	t, err := l.read(ctx, lay, lay.CheckLosses(from, to))
	if err != nil {
		return nil, err
	}
	defer l.mu.Unlock()
	var all []ledger.Progress
	for n := max(from, t.base); n < min(to, t.base+int64(len(t.losses))); n++ {
		all = append(all, ledger.Progress{Step: n, Sums: t.losses[n-t.base]})
	}
	return all, nil
}

// Probe reports that the process can write its memory.
func (l *Ledger) Probe(ctx context.Context, lay ledger.Layout) error {
	return cmp.Or(ctx.Err(), lay.Validate())
}

// Room says that there is no limit.
func (l *Ledger) Room(ctx context.Context) (ledger.Room, error) { return ledger.Room{}, ctx.Err() }

// Delete forgets the job.
func (l *Ledger) Delete(ctx context.Context, lay ledger.Layout) error {
	if err := cmp.Or(ctx.Err(), lay.CheckDelete()); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.jobs, lay.Ref)
	delete(l.journals, lay.Ref)
	return nil
}
