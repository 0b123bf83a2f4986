// Package memory implements the ledger in the memory of one process.
//
// It stores copies of its arguments and returns copies. Tests and the reference
// (shared/serial) run on it, and the tests compare the Redis implementation with it. It has
// no limit in bytes, and nothing in it expires.
//
// Invariant: one lock guards everything, so each method is atomic.
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
	journals map[job.Ref]map[string][]byte // notes, by name
}

var _ ledger.Ledger = (*Ledger)(nil)

// New returns an empty ledger.
func New() *Ledger {
	return &Ledger{jobs: map[job.Ref]*training{}, journals: map[job.Ref]map[string][]byte{}}
}

// training is everything that the ledger stores about one job.
type training struct {
	layout           ledger.Layout
	committed, floor int64
	base             int64           // the step of losses[0]
	losses           []ledger.Sums   // of steps base … committed-1
	steps            map[int64]*step // the steps that are in progress or in the log
	snapshot         *ledger.Snapshot
	evaluations      map[int64]map[string][]byte
}

// step is the chunks of a step.
type step struct{ chunks []chunk }

// chunk is one chunk of a step: its partials, or its log entry as soon as that exists.
type chunk struct {
	root     []byte
	residual []byte // with a lossy wire: the output of ledger.EncodeResidual
	partials map[tree.Node]ledger.Partial
}

// read locks the ledger and returns the job; an unknown job is empty. It returns the first
// error of these: the context's, fault (of the arguments), the layout's.
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

// write does the same as read, for a method that changes the job: it also stores a job that
// is new.
func (l *Ledger) write(ctx context.Context, lay ledger.Layout, fault error) (*training, error) {
	t, err := l.read(ctx, lay, fault)
	if err == nil {
		l.jobs[lay.Ref] = t
	}
	return t, err
}

// newStep returns a step at which no partial has arrived.
func newStep(lay ledger.Layout) *step {
	s := &step{chunks: make([]chunk, lay.Chunks())}
	for c := range s.chunks {
		s.chunks[c].partials = map[tree.Node]ledger.Partial{}
	}
	return s
}

// at returns a step for reading; an unknown step is empty.
func (t *training) at(n int64) *step {
	if s, ok := t.steps[n]; ok {
		return s
	}
	return newStep(t.layout)
}

// keep returns a step for changing, and creates it when it does not exist.
func (t *training) keep(n int64) *step {
	s := t.at(n)
	t.steps[n] = s
	return s
}

// inLog reports whether the root of every chunk is in the log.
func (s *step) inLog() bool {
	for _, c := range s.chunks {
		if c.root == nil {
			return false
		}
	}
	return true
}

// advance commits, in order, the next steps whose roots are complete.
func (t *training) advance() {
	for {
		s, ok := t.steps[t.committed]
		if !ok || !s.inLog() {
			return
		}
		h, _, _, _, _ := wire.Open(s.chunks[0].root) // the ledger encoded it itself, so it is valid
		t.losses = append(t.losses, ledger.Sums{Examples: h.Examples, Loss: h.Loss})
		t.committed++
	}
}

// State returns the job's counts.
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

// Losses returns the sums of committed steps.
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

// Probe returns nil, because a process can always write its own memory, or the error of ctx
// or the layout.
func (l *Ledger) Probe(ctx context.Context, lay ledger.Layout) error {
	return cmp.Or(ctx.Err(), lay.Validate())
}

// Room returns the zero Room: there is no limit.
func (l *Ledger) Room(ctx context.Context) (ledger.Room, error) { return ledger.Room{}, ctx.Err() }

// Delete removes the job.
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
