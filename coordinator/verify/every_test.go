package verify

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/blob"
	"tributary/shared/blob/blobtest"
	"tributary/shared/checkpoint"
	"tributary/shared/gradient/gradienttest"
	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/ledger/ledgertest"
)

// stores is a job that has left a checkpoint, a snapshot and half of its log.
type stores struct {
	*past
	record job.Record
	blobs  blob.Store
	log    ledger.Ledger
	files  map[string][]byte
}

func newStores(t *testing.T) *stores {
	t.Helper()
	p := play(t, gradienttest.Job{}, 16, nil)
	p.snapshot(8)
	encoded, digest, err := p.e.Plan.Encode()
	require.NoError(t, err)
	_, err = p.store.Put(t.Context(), encoded)
	require.NoError(t, err)
	state := &checkpoint.State{Ref: ref, Plan: digest, Snapshot: p.folds[6], Marks: p.marks[:6], Losses: make([]ledger.Sums, 6)}
	d, err := checkpoint.NewDraft(state)
	require.NoError(t, err)
	require.NoError(t, d.Write(t.Context(), p.store, func() {}))
	return &stores{past: p, blobs: p.store, log: p.ledger, record: job.Record{
		ID: ref.Job, Run: ref.Run, State: job.Paused, Plan: digest,
		Checkpoints: []job.Checkpoint{{Step: 6, Digest: d.Digest}},
	}}
}

// If any operation of the stores fails, a verification ends with that error or gives the
// same result. It never reports a fault that does not exist.
func TestEveryOperationOfTheStoresFails(t *testing.T) {
	s := newStores(t)
	try := func(blobs blob.Store, l ledger.Ledger) (job.Verification, error) {
		jobs := &Jobs{Records: s, Models: s, Blobs: blobs, Ledger: l}
		subject, err := jobs.Open(t.Context(), ref.Job)
		if err != nil {
			return job.Verification{}, err
		}
		return (&Verifier{}).Verify(t.Context(), subject, Request{})
	}
	blobs, l := &blobtest.Faulty{Store: s.blobs}, &ledgertest.Faulty{Next: s.log}
	v, err := try(blobs, l)
	require.NoError(t, err)
	require.Equal(t, job.Verified, v.State)
	require.EqualValues(t, 16, v.Compared)
	n, m := blobs.Calls(), int64(l.Calls)
	require.Greater(t, n, int64(10))
	require.Greater(t, m, int64(10))
	failed := 0
	for k := range n + m {
		blobs, l := &blobtest.Faulty{Store: s.blobs, At: k + 1}, &ledgertest.Faulty{Next: s.log}
		if k >= n {
			blobs, l = &blobtest.Faulty{Store: s.blobs}, &ledgertest.Faulty{Next: s.log, K: int(k-n) + 1}
		}
		v, err := try(blobs, l)
		if err != nil {
			failed++
			continue
		}
		require.Equal(t, job.Verified, v.State, "operation %d: %+v", k, v)
		require.EqualValues(t, 16, v.Computed)
	}
	require.Positive(t, failed)
}
