package compute

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/tree"
)

var errInjected = errors.New("injected")

// faulty fails its k-th call, before or after the call took effect.
type faulty struct {
	next  ledger.Ledger
	k     int
	after bool
	calls int
}

// call counts a call and carries it out or fails it.
func call[T any](f *faulty, do func() (T, error)) (T, error) {
	f.calls++
	if f.calls != f.k {
		return do()
	}
	var zero T
	if f.after {
		_, _ = do() // its answer is what gets lost
	}
	return zero, errInjected
}

// followed is what a call returns beside a chain.
type followed[T any] struct {
	value T
	chain ledger.Chain
}

// follow is call for what returns a chain too.
func follow[T any](f *faulty, do func() (T, ledger.Chain, error)) (T, ledger.Chain, error) {
	both, err := call(f, func() (followed[T], error) {
		value, chain, err := do()
		return followed[T]{value, chain}, err
	})
	return both.value, both.chain, err
}

// only is call for what returns an error alone.
func only(f *faulty, do func() error) error {
	_, err := call(f, func() (struct{}, error) { return struct{}{}, do() })
	return err
}

func (f *faulty) State(ctx context.Context, l ledger.Layout) (ledger.State, error) {
	return call(f, func() (ledger.State, error) { return f.next.State(ctx, l) })
}

func (f *faulty) Put(ctx context.Context, l ledger.Layout, step int64, node tree.Node, p ledger.Partial) ([]ledger.Arrival, error) {
	return call(f, func() ([]ledger.Arrival, error) { return f.next.Put(ctx, l, step, node, p) })
}

func (f *faulty) Arrived(ctx context.Context, l ledger.Layout, step int64) ([]tree.Node, error) {
	return call(f, func() ([]tree.Node, error) { return f.next.Arrived(ctx, l, step) })
}

func (f *faulty) Partial(ctx context.Context, l ledger.Layout, step int64, node tree.Node, chunks []int, dst []float32) (ledger.Sums, error) {
	return call(f, func() (ledger.Sums, error) { return f.next.Partial(ctx, l, step, node, chunks, dst) })
}

func (f *faulty) Append(ctx context.Context, l ledger.Layout, step int64, chunks []int, root []float32, s ledger.Sums, before ledger.Chain) (bool, ledger.Chain, error) {
	return follow(f, func() (bool, ledger.Chain, error) { return f.next.Append(ctx, l, step, chunks, root, s, before) })
}

func (f *faulty) Root(ctx context.Context, l ledger.Layout, step int64, dst []float32, before ledger.Chain) (ledger.Sums, ledger.Chain, error) {
	return follow(f, func() (ledger.Sums, ledger.Chain, error) { return f.next.Root(ctx, l, step, dst, before) })
}

func (f *faulty) Losses(ctx context.Context, l ledger.Layout, from, to int64) ([]ledger.Progress, error) {
	return call(f, func() ([]ledger.Progress, error) { return f.next.Losses(ctx, l, from, to) })
}

func (f *faulty) PutSnapshot(ctx context.Context, l ledger.Layout, s ledger.Snapshot) error {
	return only(f, func() error { return f.next.PutSnapshot(ctx, l, s) })
}

func (f *faulty) Snapshot(ctx context.Context, l ledger.Layout, vectors [][]float32) (int64, ledger.Chain, error) {
	return follow(f, func() (int64, ledger.Chain, error) { return f.next.Snapshot(ctx, l, vectors) })
}

func (f *faulty) PutEvaluation(ctx context.Context, l ledger.Layout, step int64, unit string, result []byte) (int, error) {
	return call(f, func() (int, error) { return f.next.PutEvaluation(ctx, l, step, unit, result) })
}

func (f *faulty) Evaluations(ctx context.Context, l ledger.Layout, step int64) (map[string][]byte, error) {
	return call(f, func() (map[string][]byte, error) { return f.next.Evaluations(ctx, l, step) })
}

func (f *faulty) DropEvaluations(ctx context.Context, l ledger.Layout, step int64) error {
	return only(f, func() error { return f.next.DropEvaluations(ctx, l, step) })
}

func (f *faulty) Delete(ctx context.Context, l ledger.Layout) error {
	return only(f, func() error { return f.next.Delete(ctx, l) })
}

// life is every kind of task there is in a job with two workers, who share the
// faulty ledger; a third comes late and meets a trimmed log.
func (f *fixture) life(l ledger.Ledger) (failed int) {
	one, two := f.worker(l), f.worker(l)
	attempt := func(c *Computer, task job.Task) {
		for range 3 {
			err := c.Handle(f.t.Context(), task, none)
			if err == nil || errors.Is(err, job.ErrStale) {
				return
			}
			require.ErrorIs(f.t, err, errInjected, task.Name())
			failed++
		}
		require.Fail(f.t, "one fault fails no attempt but one", task.Name())
	}
	attempt(one, f.gradient(0, 2))
	attempt(two, f.gradient(0, 3))
	attempt(two, f.gradient(0, 3))
	attempt(one, f.task(job.Snapshot, 1))
	attempt(one, f.gradient(1, tree.Root))
	late := f.worker(l)
	attempt(late, f.gradient(2, 4))
	attempt(one, f.gradient(2, 3))
	attempt(two, f.gradient(2, 5))
	attempt(two, f.gradient(1, 2))
	attempt(late, f.evaluate(steps, job.Test, 0))
	attempt(late, f.evaluate(steps, job.Test, 1))
	return failed
}

// outcome is all that matters of a life.
type outcome struct {
	state       ledger.State
	roots       []root
	evaluations map[string][]byte
	snapshot    [][]float32
	chain       ledger.Chain // of the snapshot
}

func (f *fixture) outcome() outcome {
	f.t.Helper()
	l := f.layout()
	o := outcome{state: f.state(), roots: f.roots(1, steps), snapshot: [][]float32{make([]float32, l.Params), make([]float32, l.Params)}}
	var err error
	o.evaluations, err = f.ledger.Evaluations(f.t.Context(), l, steps)
	require.NoError(f.t, err)
	_, o.chain, err = f.ledger.Snapshot(f.t.Context(), l, o.snapshot)
	require.NoError(f.t, err)
	return o
}

func TestAnyCallOfTheLedgerMayFail(t *testing.T) {
	f := newFixture(t)
	counted := &faulty{next: f.ledger}
	require.Zero(t, f.life(counted))
	want := f.outcome()
	require.Equal(t, ledger.State{Committed: steps, Snapshot: 1, Floor: 1}, want.state)
	require.Equal(t, f.reference()[1:], want.roots)
	require.Len(t, want.evaluations, 2)
	require.Greater(t, counted.calls, 20)

	for _, after := range []bool{false, true} {
		for k := 1; ; k++ {
			f := newFixture(t)
			l := &faulty{next: f.ledger, k: k, after: after}
			failed := f.life(l)
			require.Equal(t, want, f.outcome(), fmt.Sprintf("call %d fails, after it took effect: %v", k, after))
			if failed == 0 {
				require.Greater(t, k, l.calls, "a fault was hidden")
				break
			}
		}
	}
}
