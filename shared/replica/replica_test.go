package replica_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tributary/shared/gradient"
	"tributary/shared/gradient/gradienttest"
	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/ledger/memory"
	"tributary/shared/replica"
	"tributary/shared/tree"
)

var ref = job.Ref{Job: "j", Run: "r"}

const adam = "adam: {learning_rate: 0.01}"

// history is a job's log. As a simple reference, it also holds the fold after every step.
type history struct {
	e     *gradient.Engine
	roots []ledger.Partial
	folds []ledger.Snapshot // folds[t] is after t steps
}

// newHistory trains a job of a few steps in the simplest way.
func newHistory(t require.TestingT, optimizer string) *history {
	e, _ := gradienttest.Job{Spec: strings.Replace(gradienttest.Regression, "sgd: {learning_rate: 0.05, momentum: 0.9}", optimizer, 1)}.Engine(t)
	h := &history{e: e}
	layout := e.Layout(ref)
	now := ledger.Snapshot{Vectors: make([][]float32, 1+e.Fold.Vectors()), Chain: layout.Genesis()}
	for i := range now.Vectors {
		now.Vectors[i] = make([]float32, e.Network.Params())
	}
	e.Initial(now.Vectors[0])
	h.folds = append(h.folds, clone(now))
	for step := range e.Plan.Steps() {
		root := ledger.Partial{Gradient: make([]float32, e.Network.Params())}
		var err error
		root.Sums, err = e.Node(context.Background(), root.Gradient, gradient.NewScratch(), now.Vectors[0], step, tree.Root, nil)
		require.NoError(t, err)
		e.Fold.Apply(now.Vectors[0], now.Vectors[1:], step, root.Gradient, e.Divisor(root.Sums))
		now.Step = step + 1
		now.Chain = slices.Clone(now.Chain)
		for c, before := range now.Chain {
			_, sum, _ := layout.EncodeRoot(nil, step, c, root.Gradient, root.Sums, before)
			now.Chain[c] = before.Next(sum)
		}
		h.roots, h.folds = append(h.roots, root), append(h.folds, clone(now))
	}
	return h
}

func clone(s ledger.Snapshot) ledger.Snapshot {
	c := ledger.Snapshot{Step: s.Step, Chain: s.Chain}
	for _, v := range s.Vectors {
		c.Vectors = append(c.Vectors, slices.Clone(v))
	}
	return c
}

// commit appends the roots of steps from … to-1 to the log.
func (h *history) commit(t require.TestingT, l ledger.Ledger, from, to int64) {
	layout := h.e.Layout(ref)
	chunks := make([]int, layout.Chunks())
	for i := range chunks {
		chunks[i] = i
	}
	for step := from; step < to; step++ {
		committed, _, err := l.Append(context.Background(), layout, ledger.LogWrite{Step: step, Chunks: chunks, Root: h.roots[step], Before: h.folds[step].Chain})
		require.NoError(t, err)
		require.True(t, committed)
	}
}

// sees checks that the replica shows the parameters after step steps.
func (h *history) sees(t require.TestingT, r *replica.Replica, l ledger.Ledger, step int64) {
	used := false
	require.NoError(t, r.View(context.Background(), l, step, func(params []float32, chain ledger.Chain) error {
		used = true
		require.Equal(t, h.folds[step].Chain, chain)
		require.Equal(t, h.folds[step].Vectors[0], params, "parameters after %d steps", step)
		return nil
	}))
	require.True(t, used)
	require.Equal(t, h.folds[step], now(t, r), "and the optimizer's state")
}

func TestTheLogIsFolded(t *testing.T) {
	for _, optimizer := range []string{
		"sgd: {learning_rate: 0.05}", "sgd: {learning_rate: 0.05, momentum: 0.9}", adam, "adamw: {learning_rate: 0.01}",
		"rmsprop: {learning_rate: 0.01, momentum: 0.9, centered: true}", "adagrad: {learning_rate: 0.01}", "lion: {learning_rate: 0.01, weight_decay: 1, decay_bias: false}",
	} {
		t.Run(optimizer, func(t *testing.T) {
			h, l := newHistory(t, optimizer), memory.New()
			h.commit(t, l, 0, 16)
			r := replica.New(h.e, ref)
			for _, step := range []int64{0, 1, 2, 7, 16} {
				h.sees(t, r, l, step)
			}
			require.EqualValues(t, 4*h.e.Network.Params()*(2+h.e.Fold.Vectors()), r.Bytes())
		})
	}
}

func TestAPassedStepIsStale(t *testing.T) {
	h, l := newHistory(t, adam), memory.New()
	h.commit(t, l, 0, 5)
	r := replica.New(h.e, ref)
	h.sees(t, r, l, 4)
	err := r.View(t.Context(), l, 3, func([]float32, ledger.Chain) error { panic("must not be used") })
	require.ErrorIs(t, err, job.ErrStale)
	require.ErrorContains(t, err, "at step 4, past step 3")
	h.sees(t, r, l, 4)
}

func TestAStepToComeIsNotFound(t *testing.T) {
	h, l := newHistory(t, adam), memory.New()
	h.commit(t, l, 0, 5)
	r := replica.New(h.e, ref)
	err := r.View(t.Context(), l, 6, func([]float32, ledger.Chain) error { panic("must not be used") })
	require.ErrorIs(t, err, job.ErrNotFound)
	require.ErrorContains(t, err, "fold step 5")
	h.sees(t, r, l, 5)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, r.View(ctx, l, 6, func([]float32, ledger.Chain) error { panic("must not be used") }), context.Canceled)
}

func TestTheUsersErrorIsPassedOn(t *testing.T) {
	h, l := newHistory(t, adam), memory.New()
	own := errors.New("own")
	require.Equal(t, own, replica.New(h.e, ref).View(t.Context(), l, 0, func([]float32, ledger.Chain) error { return own }))
}

// now returns the replica's fold as it is.
func now(t require.TestingT, r *replica.Replica) ledger.Snapshot {
	s, err := r.Snapshot(context.Background())
	require.NoError(t, err)
	return s
}

// faulty counts the reads of a ledger, and fails on request.
type faulty struct {
	ledger.Ledger
	roots, snapshots atomic.Int64
	snapshot         func(vectors [][]float32) (int64, ledger.Chain, error)
	trimmed          bool
}

func (f *faulty) Root(ctx context.Context, l ledger.Layout, r ledger.LogRead) (ledger.Sums, ledger.Chain, error) {
	f.roots.Add(1)
	if f.trimmed {
		return ledger.Sums{}, nil, job.ErrStale
	}
	return f.Ledger.Root(ctx, l, r)
}

func (f *faulty) Snapshot(ctx context.Context, l ledger.Layout, vectors [][]float32) (int64, ledger.Chain, error) {
	f.snapshots.Add(1)
	if f.snapshot != nil {
		return f.snapshot(vectors)
	}
	return f.Ledger.Snapshot(ctx, l, vectors)
}

// A replica does not read roots that it was offered. It ignores an offered root that is not
// its next one.
func TestOffers(t *testing.T) {
	h, l := newHistory(t, adam), &faulty{Ledger: memory.New()}
	h.commit(t, l, 0, 8)
	r := replica.New(h.e, ref)
	for step := range int64(4) {
		r.Offer(context.Background(), nil, nil, step, h.roots[step].Gradient, h.roots[step].Sums, h.folds[step+1].Chain)
	}
	h.sees(t, r, l, 4)
	require.Zero(t, l.roots.Load())
	r.Offer(context.Background(), nil, nil, 6, h.roots[6].Gradient, h.roots[6].Sums, h.folds[7].Chain)
	r.Offer(context.Background(), nil, nil, 2, h.roots[2].Gradient, h.roots[2].Sums, h.folds[3].Chain)
	h.sees(t, r, l, 4)
	h.sees(t, r, l, 8)
	require.EqualValues(t, 4, l.roots.Load())
}

// A new replica, or one that was idle, continues from the snapshot for which the log was
// trimmed.
func TestASnapshotStandsForTheTrimmedLog(t *testing.T) {
	h, l := newHistory(t, adam), &faulty{Ledger: memory.New()}
	h.commit(t, l, 0, 12)
	asleep, maker := replica.New(h.e, ref), replica.New(h.e, ref)
	h.sees(t, asleep, l, 3)
	h.sees(t, maker, l, 9)
	require.NoError(t, l.PutSnapshot(t.Context(), h.e.Layout(ref), now(t, maker)))
	l.roots.Store(0)
	for _, r := range []*replica.Replica{asleep, replica.New(h.e, ref)} {
		h.sees(t, r, l, 12)
	}
	require.EqualValues(t, 2, l.snapshots.Load())
	require.EqualValues(t, 2*(1+3), l.roots.Load(), "one that is gone, and those after the snapshot")
	// A task for a step before the snapshot is stale.
	require.ErrorIs(t, replica.New(h.e, ref).View(t.Context(), l, 8, func([]float32, ledger.Chain) error { panic("must not be used") }), job.ErrStale)
}

// A snapshot whose read fails half-way leaves none of its data in the replica.
func TestAFailedSnapshotIsForgotten(t *testing.T) {
	h, l := newHistory(t, adam), &faulty{Ledger: memory.New()}
	h.commit(t, l, 0, 12)
	r := replica.New(h.e, ref)
	h.sees(t, r, l, 3)
	l.trimmed = true
	l.snapshot = func(vectors [][]float32) (int64, ledger.Chain, error) {
		vectors[0][0] = 99
		return 0, nil, job.ErrFull
	}
	err := r.View(t.Context(), l, 6, func([]float32, ledger.Chain) error { panic("must not be used") })
	require.ErrorIs(t, err, job.ErrFull)
	require.ErrorContains(t, err, "load snapshot")
	require.Equal(t, h.folds[0], now(t, r))
	l.trimmed = false
	h.sees(t, r, l, 6)
}

// A ledger whose log begins after its newest snapshot has lost steps for good. The replica
// reports it as corrupt.
func TestALogThatNoSnapshotStandsForIsCorrupt(t *testing.T) {
	h := newHistory(t, adam)
	for _, at := range []int64{2, 3} {
		l := &faulty{Ledger: memory.New()}
		h.commit(t, l, 0, 6)
		r := replica.New(h.e, ref)
		h.sees(t, r, l, 3)
		l.trimmed = true
		l.snapshot = func(vectors [][]float32) (int64, ledger.Chain, error) {
			for i, v := range h.folds[at].Vectors {
				copy(vectors[i], v)
			}
			return at, h.folds[at].Chain, nil
		}
		err := r.View(t.Context(), l, 5, func([]float32, ledger.Chain) error { panic("must not be used") })
		require.ErrorIs(t, err, job.ErrCorrupt, "snapshot at %d", at)
		require.Equal(t, h.folds[at], now(t, r))
	}
}

// A replica that has folded one history folds no step of another, neither from the log nor
// by an offer. After a reset, it follows the other one.
func TestAForkIsNotFolded(t *testing.T) {
	h, l := newHistory(t, adam), memory.New()
	h.commit(t, l, 0, 3)
	reader, offered := replica.New(h.e, ref), replica.New(h.e, ref)
	h.sees(t, reader, l, 3)
	for step := range int64(3) {
		offered.Offer(t.Context(), nil, nil, step, h.roots[step].Gradient, h.roots[step].Sums, h.folds[step+1].Chain)
	}
	layout, fork := h.e.Layout(ref), memory.New()
	chain := layout.Genesis()
	for step := range int64(5) {
		root := slices.Clone(h.roots[step].Gradient)
		root[0]++
		_, after, err := fork.Append(t.Context(), layout, ledger.LogWrite{Step: step, Chunks: layout.AllChunks(), Root: ledger.Partial{Gradient: root, Sums: h.roots[step].Sums}, Before: chain})
		require.NoError(t, err)
		chain = after
	}
	for _, r := range []*replica.Replica{reader, offered} {
		err := r.View(t.Context(), fork, 4, func([]float32, ledger.Chain) error { panic("must not be used") })
		require.ErrorIs(t, err, job.ErrCorrupt)
		require.ErrorContains(t, err, "fold step 3")
		require.ErrorContains(t, err, "forked")
		h.sees(t, r, l, 3)
		require.NoError(t, r.Reset(t.Context()))
		require.NoError(t, r.View(t.Context(), fork, 5, func(_ []float32, at ledger.Chain) error {
			require.Equal(t, chain, at)
			return nil
		}))
	}
}

func TestReset(t *testing.T) {
	h, l := newHistory(t, adam), memory.New()
	h.commit(t, l, 0, 6)
	r := replica.New(h.e, ref)
	h.sees(t, r, l, 6)
	require.NoError(t, r.Reset(context.Background()))
	require.Equal(t, h.folds[0], now(t, r))
	lost := memory.New() // what is left of the ledger
	h.commit(t, lost, 0, 2)
	h.sees(t, r, lost, 2)
}

// After any operations in any order, a replica equals a fold of the log.
func TestAReplicaIsAlwaysAFold(t *testing.T) {
	h := newHistory(t, adam)
	rapid.Check(t, func(t *rapid.T) {
		l, r := memory.New(), replica.New(h.e, ref)
		committed, at, floor := int64(0), int64(0), int64(0)
		t.Repeat(map[string]func(*rapid.T){
			"commit": func(t *rapid.T) {
				to := rapid.Int64Range(committed, 16).Draw(t, "to")
				h.commit(t, l, committed, to)
				committed = to
			},
			"view": func(t *rapid.T) {
				step := rapid.Int64Range(0, 16).Draw(t, "step")
				switch {
				case step < at:
					require.ErrorIs(t, r.View(context.Background(), l, step, nil), job.ErrStale)
				case at < step && step < floor: // the snapshot brings the replica past the step
					require.ErrorIs(t, r.View(context.Background(), l, step, nil), job.ErrStale)
					at = floor
				case step > committed:
					require.ErrorIs(t, r.View(context.Background(), l, step, nil), job.ErrNotFound)
					at = committed
				default:
					h.sees(t, r, l, step)
					at = step
				}
			},
			"offer": func(t *rapid.T) {
				step := rapid.Int64Range(0, 15).Draw(t, "step")
				if step < committed {
					r.Offer(context.Background(), nil, nil, step, h.roots[step].Gradient, h.roots[step].Sums, h.folds[step+1].Chain)
				}
				if step == at && step < committed {
					at++
				}
			},
			"snapshot": func(t *rapid.T) {
				require.NoError(t, l.PutSnapshot(context.Background(), h.e.Layout(ref), now(t, r)))
				floor = max(floor, at)
			},
			"reset": func(t *rapid.T) { require.NoError(t, r.Reset(context.Background())); at = 0 },
			"": func(t *rapid.T) {
				require.Equal(t, h.folds[at], now(t, r))
				h.marked(t, r, at)
			},
		})
	})
}

// The parameters do not change while one goroutine uses them, even if others want the next
// step.
func TestParametersHoldStill(t *testing.T) {
	h, l := newHistory(t, adam), memory.New()
	h.commit(t, l, 0, 16)
	r := replica.New(h.e, ref)
	var slots sync.WaitGroup
	for slot := range 4 {
		slots.Go(func() {
			for step := range int64(17) {
				err := r.View(context.Background(), l, step, func(params []float32, _ ledger.Chain) error {
					require.Equal(t, h.folds[step].Vectors[0], params)
					return nil
				})
				if !errors.Is(err, job.ErrStale) {
					require.NoError(t, err)
				}
				if step < 16 && slot%2 == 0 {
					r.Offer(context.Background(), nil, nil, step, h.roots[step].Gradient, h.roots[step].Sums, h.folds[step+1].Chain)
				}
				s := now(t, r)
				require.Equal(t, h.folds[s.Step], s)
			}
		})
	}
	slots.Wait()
	h.sees(t, r, l, 16)
}

// hanging is a ledger that answers no read of the log until the caller's context ends.
type hanging struct {
	ledger.Ledger
	reads chan struct{}
}

func (h *hanging) Root(ctx context.Context, _ ledger.Layout, _ ledger.LogRead) (ledger.Sums, ledger.Chain, error) {
	h.reads <- struct{}{}
	<-ctx.Done()
	return ledger.Sums{}, nil, ctx.Err()
}

// While one slot waits for a ledger that does not answer, the other slots can be stopped.
// When that slot gives up, the others go on.
func TestWaitForAReplicaCanBeStopped(t *testing.T) {
	h, good := newHistory(t, adam), memory.New()
	h.commit(t, good, 0, 3)
	r, hung := replica.New(h.e, ref), &hanging{good, make(chan struct{})}
	ctx, giveUp := context.WithCancel(t.Context())
	var reader sync.WaitGroup
	reader.Go(func() { require.ErrorIs(t, r.View(ctx, hung, 3, nil), context.Canceled) })
	<-hung.reads

	stopped, stop := context.WithCancel(t.Context())
	var waiting sync.WaitGroup
	waiting.Go(func() { require.ErrorIs(t, r.View(stopped, good, 2, nil), context.Canceled) })
	waiting.Go(func() { require.ErrorIs(t, r.View(stopped, good, 0, nil), context.Canceled) })
	waiting.Go(func() { require.ErrorIs(t, r.Reset(stopped), context.Canceled) })
	waiting.Go(func() { r.Offer(stopped, nil, nil, 0, h.roots[1].Gradient, h.roots[1].Sums, h.folds[1].Chain) })
	waiting.Go(func() {
		_, err := r.Snapshot(stopped)
		require.ErrorIs(t, err, context.Canceled)
	})
	stop()
	waiting.Wait()
	giveUp()
	reader.Wait()
	h.sees(t, r, good, 3)
}
