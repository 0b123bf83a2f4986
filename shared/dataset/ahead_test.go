package dataset

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"tributary/shared/blob"
	"tributary/shared/job"
)

func TestTheBlocksAfterAPosition(t *testing.T) {
	o := NewOrder([]BlockRef{{Rows: 3}, {Rows: 2}, {Rows: 4}}, 1, 0, false)
	for at, want := range map[int][]int32{0: {0, 1}, 1: {1, 2}, 3: {1, 2}, 4: {2}, 5: {2}, 6: {}, 99: {}} {
		require.Equal(t, want, o.After([]int32{}, at, 2), at)
	}
}

// slow is a store that returns a blob only when the test allows it, and counts the
// requests.
type slow struct {
	blob.Store

	mu    sync.Mutex
	asked map[job.Digest]int
	open  chan struct{}
	data  map[job.Digest][]byte
}

func (s *slow) Get(ctx context.Context, d job.Digest) ([]byte, error) {
	s.mu.Lock()
	s.asked[d]++
	s.mu.Unlock()
	select {
	case <-s.open:
		return s.data[d], nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func TestBlocksAreFetchedAheadWithinABoundAndOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slow{asked: map[job.Digest]int{}, open: make(chan struct{}), data: map[job.Digest][]byte{}}
		c := NewCache(s, 1<<20)
		var refs []BlockRef
		for i := range 6 {
			data := Encode(&Block{Rows: 1, Features: 1, Targets: 1, X: []float32{float32(i)}, Y: []float32{0}})
			ref := BlockRef{Digest: job.Digest(rune('a' + i)), Rows: 1}
			s.data[ref.Digest] = data
			refs = append(refs, ref)
		}
		for range 2 {
			for _, ref := range refs {
				c.Prefetch(t.Context(), ref)
			}
		}
		synctest.Wait()
		require.Len(t, s.asked, mostAhead)
		close(s.open)
		synctest.Wait()
		for i, ref := range refs {
			b, err := c.Get(t.Context(), ref)
			require.NoError(t, err)
			require.Equal(t, float32(i), b.X[0])
			c.Prefetch(t.Context(), ref)
			require.Equal(t, 1, s.asked[ref.Digest])
		}
	})
}

func TestFetchingAheadEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slow{asked: map[job.Digest]int{}, open: make(chan struct{})}
		c := NewCache(s, 1<<20)
		ctx, cancel := context.WithCancel(t.Context())
		c.Prefetch(ctx, BlockRef{Digest: "a", Rows: 1})
		synctest.Wait()
		cancel()
		synctest.Wait()
		require.Empty(t, c.flights)
		require.Zero(t, c.ahead)
	})
}
