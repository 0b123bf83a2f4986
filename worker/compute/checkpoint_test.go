package compute

import (
	"context"
	"testing"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"tributary/shared/blob"
	"tributary/shared/blob/blobtest"
	"tributary/shared/checkpoint"
	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/notice"
	"tributary/shared/tree"
)

// opened reads the checkpoint that was last announced.
func (f *fixture) opened() (notice.Checkpointed, *checkpoint.State) {
	f.t.Helper()
	n := f.notices.saved[len(f.notices.saved)-1]
	m, err := checkpoint.Open(f.t.Context(), f.blobs, n.Digest)
	require.NoError(f.t, err)
	require.NoError(f.t, m.Of(f.layout()))
	s, err := m.Read(f.t.Context(), f.blobs)
	require.NoError(f.t, err)
	require.Equal(f.t, n.Step, s.Snapshot.Step)
	return n, s
}

func TestCheckpoints(t *testing.T) {
	f := newFixture(t)
	c := f.worker(nil)
	require.ErrorIs(t, c.Handle(t.Context(), f.task(job.Save, 0), none), job.ErrStale, "there is nothing before the first step")
	f.do(c, f.gradient(0, tree.Root), f.task(job.Save, 1))
	n, s := f.opened()
	require.EqualValues(t, 1, n.Step)
	require.Equal(t, f.parameters(1), s.Snapshot.Vectors[0])
	require.Len(t, s.Snapshot.Vectors, 2, "momentum goes with the parameters")
	require.Equal(t, f.reference()[0].sums, s.Losses[0])
	require.Equal(t, job.Numerics("n"), s.Numerics)

	// The announcement was lost: any worker announces the checkpoint again and writes
	// nothing.
	f.do(c, f.gradient(1, tree.Root))
	f.do(f.worker(nil), f.task(job.Save, 1))
	again, _ := f.opened()
	require.Equal(t, n, again)

	// Two workers write the same bytes for the same step.
	f.do(c, f.task(job.Save, 2))
	second, _ := f.opened()
	require.EqualValues(t, 2, second.Step)
	require.NoError(t, f.ledger.DropEvaluations(t.Context(), f.layout(), ledger.Drafts))
	f.do(f.worker(nil), f.task(job.Save, 2))
	again, _ = f.opened()
	require.Equal(t, second, again)

	require.ErrorIs(t, c.Handle(t.Context(), f.task(job.Save, 3), none), job.ErrStale)
}

// A ledger that was lost and restored from a checkpoint goes on to the same bits.
func TestARestoredLedgerGoesOn(t *testing.T) {
	f := newFixture(t)
	c := f.worker(nil)
	f.do(c, f.gradient(0, tree.Root), f.gradient(1, tree.Root), f.task(job.Save, 2), f.gradient(2, tree.Root))
	_, s := f.opened()
	require.NoError(t, f.ledger.Delete(t.Context(), f.layout()))
	require.NoError(t, checkpoint.Restore(t.Context(), f.ledger, f.layout(), s))
	require.Equal(t, ledger.State{Committed: 2, Snapshot: 2, Floor: 2}, f.state())

	f.do(c, f.gradient(2, tree.Root)) // by a worker that was further ahead
	require.Equal(t, f.reference()[2:], f.roots(2, 3))
	f.do(f.worker(nil), f.task(job.Save, 3))
	_, s = f.opened()
	require.Equal(t, f.parameters(3), s.Snapshot.Vectors[0])
	for step, r := range f.reference() {
		require.Equal(t, r.sums, s.Losses[step], "of the time before the loss too")
	}
}

// For each operation of the blob store that fails, the next attempt ends with a complete
// checkpoint.
func TestACheckpointFailsAtEveryOperation(t *testing.T) {
	made := func(faulty *blobtest.Faulty) (*fixture, error) {
		f := newFixture(t)
		f.do(f.worker(nil), f.gradient(0, tree.Root))
		c := f.worker(nil)
		f.do(c, f.task(job.Snapshot, 1)) // the worker has read the plan by now
		faulty.Store = f.blobs
		c.blobs = faulty
		return f, c.Handle(t.Context(), f.task(job.Save, 1), none)
	}
	counting := &blobtest.Faulty{}
	_, err := made(counting)
	require.NoError(t, err)
	for k := range counting.Calls() {
		for _, after := range []bool{false, true} {
			f, err := made(&blobtest.Faulty{At: k + 1, After: after, Err: job.ErrFull})
			require.ErrorIs(t, err, job.ErrFull)
			require.Empty(t, f.notices.saved)
			f.do(f.worker(nil), f.task(job.Save, 1))
			_, s := f.opened()
			require.Equal(t, f.parameters(1), s.Snapshot.Vectors[0])
		}
	}
}

func TestFullBlobStoreIsReported(t *testing.T) {
	f := newFixture(t)
	c := f.worker(nil)
	f.do(c, f.gradient(0, tree.Root))
	full := New(f.ledger, full{f.blobs}, f.blocks, &f.notices, 1, 1<<20, zerolog.Nop())
	require.ErrorIs(t, full.Handle(t.Context(), f.task(job.Save, 1), none), job.ErrFull)
	require.Empty(t, f.notices.saved)
}

// full is a store that accepts nothing more.
type full struct{ *blob.Memory }

func (f full) Put(ctx context.Context, data []byte) (job.Digest, error) {
	return blob.NewMemory(1).Put(ctx, data)
}
