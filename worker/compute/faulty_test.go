package compute

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/ledger/ledgertest"
	"tributary/shared/tree"
)

// life runs every kind of task of a job with two workers that share the faulty ledger. A
// third worker comes late and finds a trimmed log.
func (f *fixture) life(l ledger.Ledger) (failed int) {
	one, two := f.worker(l), f.worker(l)
	attempt := func(c *Computer, task job.Task) {
		for range 3 {
			err := c.Handle(f.t.Context(), task, none)
			if err == nil || errors.Is(err, job.ErrStale) {
				return
			}
			require.ErrorIs(f.t, err, ledgertest.ErrInjected, task.Name())
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

// outcome is the part of a life that must be equal.
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
	counted := &ledgertest.Faulty{Next: f.ledger}
	require.Zero(t, f.life(counted))
	want := f.outcome()
	require.Equal(t, ledger.State{Committed: steps, Snapshot: 1, Floor: 1}, want.state)
	require.Equal(t, f.reference()[1:], want.roots)
	require.Len(t, want.evaluations, 2)
	require.Greater(t, counted.Calls, 20)

	for _, after := range []bool{false, true} {
		for k := 1; ; k++ {
			f := newFixture(t)
			l := &ledgertest.Faulty{Next: f.ledger, K: k, After: after}
			failed := f.life(l)
			require.Equal(t, want, f.outcome(), fmt.Sprintf("call %d fails, after it took effect: %v", k, after))
			if failed == 0 {
				require.Greater(t, k, l.Calls, "a fault was hidden")
				break
			}
		}
	}
}
