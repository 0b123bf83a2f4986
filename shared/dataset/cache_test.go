package dataset_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"tributary/shared/blob"
	"tributary/shared/dataset"
	"tributary/shared/job"
)

// scripted is a store whose reads a test can hold back and damage.
type scripted struct {
	blob.Store
	mu   sync.Mutex
	gets int
	hold chan struct{}                            // nil, or closed to allow reads
	then func(n int, data []byte) ([]byte, error) // nil, or returns the result of the n-th read
}

func (s *scripted) Get(ctx context.Context, d job.Digest) ([]byte, error) {
	s.mu.Lock()
	s.gets++
	n := s.gets
	s.mu.Unlock()
	if s.hold != nil {
		select {
		case <-s.hold:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	data, err := s.Store.Get(ctx, d)
	if err == nil && s.then != nil {
		return s.then(n, data)
	}
	return data, err
}

func put(t require.TestingT, s blob.Store, b *dataset.Block) dataset.BlockRef {
	data := dataset.Encode(b)
	digest, err := s.Put(context.Background(), data)
	require.NoError(t, err)
	return dataset.BlockRef{Digest: digest, Rows: b.Rows, Bytes: len(data)}
}

func TestCacheKeepsWithinItsLimit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		store := &scripted{Store: blob.NewMemory(0)}
		refs := make([]dataset.BlockRef, 6)
		sizes := map[job.Digest]int64{}
		for i := range refs {
			b := made(i, i+1, 4, 1) // 20 bytes a row
			refs[i] = put(t, store, b)
			sizes[refs[i].Digest] = int64(20 * (i + 1))
		}
		limit := rapid.Int64Range(0, 300).Draw(t, "limit")
		c := dataset.NewCache(store, limit)
		var recent []job.Digest // the simple twin: most recently used last
		for _, i := range rapid.SliceOfN(rapid.IntRange(0, 5), 1, 40).Draw(t, "gets") {
			before := store.gets
			b, err := c.Get(context.Background(), refs[i])
			require.NoError(t, err)
			require.Equal(t, made(i, i+1, 4, 1).X, b.X)

			d, hit := refs[i].Digest, false
			for k, r := range recent {
				if r == d {
					recent, hit = append(recent[:k], recent[k+1:]...), true
					break
				}
			}
			if sizes[d] <= limit {
				recent = append(recent, d)
			}
			total := int64(0)
			for _, r := range recent {
				total += sizes[r]
			}
			for total > limit {
				total -= sizes[recent[0]]
				recent = recent[1:]
			}
			s := c.Stats()
			require.Equal(t, hit, store.gets == before)
			require.Equal(t, total, s.Bytes)
			require.Equal(t, len(recent), s.Blocks)
			require.LessOrEqual(t, s.Bytes, limit)
		}
	})
}

func TestCacheFetchesOnceForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &scripted{Store: blob.NewMemory(0), hold: make(chan struct{})}
		ref := put(t, store.Store, made(1, 3, 2, 1))
		c := dataset.NewCache(store, 1<<20)
		results := make(chan *dataset.Block, 10)
		for range 9 {
			go func() {
				b, err := c.Get(t.Context(), ref)
				require.NoError(t, err)
				results <- b
			}()
		}
		leaving, leave := context.WithCancel(t.Context())
		left := make(chan error)
		go func() {
			_, err := c.Get(leaving, ref)
			left <- err
		}()
		synctest.Wait()
		leave()
		require.ErrorIs(t, <-left, context.Canceled)
		close(store.hold)
		first := <-results
		for range 8 {
			require.Same(t, first, <-results)
		}
		require.Equal(t, 1, store.gets)
	})
}

func TestCacheStopsAFetchNobodyWaitsFor(t *testing.T) {
	defer goleak.VerifyNone(t)
	store := &scripted{Store: blob.NewMemory(0), hold: make(chan struct{})}
	ref := put(t, store.Store, made(1, 3, 2, 1))
	c := dataset.NewCache(store, 1<<20)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := c.Get(ctx, ref)
	require.ErrorIs(t, err, context.Canceled)

	close(store.hold) // a later caller starts a new fetch
	b, err := c.Get(t.Context(), ref)
	require.NoError(t, err)
	require.Equal(t, 3, b.Rows)
}

func TestCacheReadsCorruptBytesTwice(t *testing.T) {
	store := &scripted{Store: blob.NewMemory(0)}
	ref := put(t, store, made(1, 3, 2, 1))
	store.then = func(n int, data []byte) ([]byte, error) {
		if n == 1 {
			data[70] ^= 1
		}
		return data, nil
	}
	c := dataset.NewCache(store, 1<<20)
	_, err := c.Get(t.Context(), ref)
	require.NoError(t, err)
	require.Equal(t, dataset.CacheStats{Misses: 1, Retries: 1, Blocks: 1, Bytes: 36, Limit: 1 << 20}, c.Stats())
}

func TestCacheErrors(t *testing.T) {
	store := &scripted{Store: blob.NewMemory(0)}
	ref := put(t, store, made(1, 3, 2, 1))
	c := dataset.NewCache(store, 1<<20)

	_, err := c.Get(t.Context(), dataset.BlockRef{Digest: blob.DigestOf([]byte("other")), Rows: 1})
	require.ErrorIs(t, err, job.ErrNotFound)

	other := ref
	other.Rows = 4
	_, err = c.Get(t.Context(), other)
	require.ErrorIs(t, err, job.ErrCorrupt)
	require.ErrorContains(t, err, "holds 3 rows, the manifest says 4")

	down := errors.New("no route")
	store.then = func(int, []byte) ([]byte, error) { return nil, down }
	c = dataset.NewCache(store, 1<<20)
	before := store.gets
	_, err = c.Get(t.Context(), ref)
	require.ErrorIs(t, err, down)
	require.Equal(t, before+1, store.gets, "only corrupt bytes are read again")
	store.then = nil
	_, err = c.Get(t.Context(), ref)
	require.NoError(t, err, "an error is not kept")
}

// panicking is a store whose reads panic.
type panicking struct{ blob.Store }

func (panicking) Get(context.Context, job.Digest) ([]byte, error) { panic("on purpose") }

// A fetch that panics returns an error to the callers that wait for it.
func TestCacheOfAStoreThatPanics(t *testing.T) {
	c := dataset.NewCache(panicking{}, 1<<20)
	for range 2 {
		_, err := c.Get(t.Context(), dataset.BlockRef{Digest: "d", Rows: 1})
		require.ErrorIs(t, err, job.ErrPoison)
		require.ErrorContains(t, err, "panic: on purpose")
	}
}

// A block of fields is cached as it was read. All its bytes count.
func TestCacheCountsTheBytesOfFields(t *testing.T) {
	store := &scripted{Store: blob.NewMemory(0), then: func(_ int, data []byte) ([]byte, error) { return slices.Clip(data), nil }}
	var refs []dataset.BlockRef
	total := 0
	for i, s := range []dataset.Schema{text(8, 8), {{Name: "image", DType: dataset.Uint8, Shape: []int{100}}}} {
		b, err := dataset.NewBlock(s, 7)
		require.NoError(t, err)
		refs = append(refs, put(t, store, b))
		total += refs[i].Bytes
	}
	for _, limit := range []int{total, total - 1} {
		c := dataset.NewCache(store, int64(limit))
		for _, ref := range refs {
			_, err := c.Get(t.Context(), ref)
			require.NoError(t, err)
		}
		want := dataset.CacheStats{Misses: 2, Blocks: 2, Bytes: int64(total), Limit: int64(limit)}
		if limit < total {
			want.Evictions, want.Blocks, want.Bytes = 1, 1, int64(refs[1].Bytes)
		}
		require.Equal(t, want, c.Stats())
	}
	_, err := dataset.NewCache(store, 0).Get(t.Context(), dataset.BlockRef{Digest: refs[0].Digest, Rows: 8})
	require.ErrorIs(t, err, job.ErrCorrupt)
	require.ErrorContains(t, err, "holds 7 rows, the manifest says 8")
}
