package blob_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/blob"
	"tributary/shared/blob/blobtest"
	"tributary/shared/job"
)

// damaged is a store whose first replies are damaged.
type damaged struct {
	blob.Store
	times int
}

func (d *damaged) Get(ctx context.Context, digest job.Digest) ([]byte, error) {
	data, err := d.Store.Get(ctx, digest)
	if d.times--; err == nil && d.times >= 0 {
		return nil, blob.Verify(digest, data[:len(data)-1])
	}
	return data, err
}

func TestWhatArrivesDamagedIsFetchedOnceMore(t *testing.T) {
	store := blob.NewMemory(0)
	digest, err := store.Put(t.Context(), []byte("block"))
	require.NoError(t, err)
	data, err := blob.Fetch(t.Context(), &damaged{store, 1}, digest)
	require.NoError(t, err)
	require.Equal(t, "block", string(data))
	_, err = blob.Fetch(t.Context(), &damaged{store, 2}, digest)
	require.ErrorIs(t, err, job.ErrCorrupt)
	require.ErrorContains(t, err, string(digest))

	counting := &blobtest.Faulty{Store: store}
	_, err = blob.Fetch(t.Context(), counting, blob.DigestOf(nil))
	require.ErrorIs(t, err, job.ErrNotFound)
	require.EqualValues(t, 1, counting.Calls(), "what is missing stays so")
}
