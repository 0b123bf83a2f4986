package compute

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/history"
	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/serial"
	"tributary/shared/tree"
)

// Before a snapshot trims the log, the worker stores the marks of its steps, even if it
// began with the snapshot before. A checkpoint has the marks of all steps.
func TestSnapshotsKeepTheMarksOfTheirSteps(t *testing.T) {
	f := newFixture(t)
	var want []ledger.Mark
	for w := serial.NewWalk(f.engine()); w.Step < steps; w.Fold() {
		require.NoError(t, w.Compute(t.Context()))
		want = append(want, w.After.Mark())
	}
	kept := func() []ledger.Mark {
		h, err := history.Load(t.Context(), f.ledger, f.layout())
		require.NoError(t, err)
		return h.Marks(h.Steps())
	}
	f.do(f.worker(nil), f.gradient(0, tree.Root), f.gradient(1, tree.Root), f.task(job.Snapshot, 2))
	require.Equal(t, want[:2], kept())

	second := f.worker(nil)
	f.do(second, f.gradient(2, tree.Root), f.task(job.Save, 3))
	require.Equal(t, want[:2], kept(), "a checkpoint leaves nothing beside the ledger")
	_, s := f.opened()
	require.Equal(t, want, s.Marks)
	f.do(second, f.task(job.Snapshot, 3))
	require.Equal(t, want, kept())
	units, err := f.ledger.Evaluations(t.Context(), f.layout(), ledger.History)
	require.NoError(t, err)
	require.Len(t, units["2-3"], history.MarkBytes, "a page begins where the one before ends")
}
