package redis

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/ledger"
	"tributary/shared/ledger/ledgertest"
	"tributary/shared/ledger/redis/redistest"
	"tributary/shared/tree"
)

// BenchmarkStep measures the ledger's part of a step of two workers: two puts of a partial,
// one read of a partial by the worker that completes the cover, one append and one read of
// the root.
func BenchmarkStep(b *testing.B) {
	b.Run("miniredis", func(b *testing.B) { benchmarkStep(b, redistest.Mini(b)) })
	b.Run("redis-server", func(b *testing.B) {
		if s := redistest.Start(b); s != nil {
			benchmarkStep(b, s.URL)
		}
	})
}

func benchmarkStep(b *testing.B, url string) {
	l := open(b, url)
	for _, params := range []int{10, 235_146} {
		b.Run(fmt.Sprintf("params=%d", params), func(b *testing.B) {
			lay := ledgertest.Layout(params, 64<<10, 2) // 256 KiB
			left, right, root := ledgertest.Partial(lay, 0, 2), ledgertest.Partial(lay, 0, 3), ledgertest.Partial(lay, 0, 1)
			dst, ctx := make([]float32, params), b.Context()
			b.SetBytes(int64(4 * params * 5))
			chain := lay.Genesis()
			var step int64
			for b.Loop() {
				_, err := l.Put(ctx, lay, step, 2, left)
				require.NoError(b, err)
				arrivals, err := l.Put(ctx, lay, step, 3, right)
				require.NoError(b, err)
				require.Equal(b, []tree.Node{2, 3}, arrivals[0].Cover)
				_, err = l.Partial(ctx, lay, ledger.PartialRead{Step: step, Node: 2, Chunks: lay.AllChunks(), Dst: dst})
				require.NoError(b, err)
				committed, _, err := l.Append(ctx, lay, ledger.LogWrite{Step: step, Chunks: lay.AllChunks(), Root: root, Before: chain})
				require.NoError(b, err)
				require.True(b, committed)
				_, chain, err = l.Root(ctx, lay, ledger.LogRead{Step: step, Chunks: lay.AllChunks(), Dst: dst, Before: chain})
				require.NoError(b, err)
				if step++; step%64 == 0 {
					b.StopTimer()
					require.NoError(b, l.PutSnapshot(ctx, lay, ledger.Snapshot{Step: step, Vectors: [][]float32{dst}, Chain: chain}))
					b.StartTimer()
				}
			}
		})
	}
}

// BenchmarkCalls measures each call alone, on a job of 10 parameters.
func BenchmarkCalls(b *testing.B) {
	s := redistest.Start(b)
	if s == nil {
		return
	}
	l, lay := open(b, s.URL), ledgertest.Layout(10, 64<<10, 1)
	p, dst := ledgertest.Partial(lay, 0, 1), make([]float32, 10)
	b.Run("Put", func(b *testing.B) {
		for b.Loop() {
			_, err := l.Put(b.Context(), lay, 0, 1, p)
			require.NoError(b, err)
		}
	})
	b.Run("Append", func(b *testing.B) {
		chain := lay.Genesis()
		for step := int64(0); b.Loop(); step++ {
			_, after, err := l.Append(b.Context(), lay, ledger.LogWrite{Step: step, Chunks: []int{0}, Root: p, Before: chain})
			require.NoError(b, err)
			chain = after
		}
	})
	b.Run("Root", func(b *testing.B) {
		for b.Loop() {
			_, _, err := l.Root(b.Context(), lay, ledger.LogRead{Step: 0, Chunks: lay.AllChunks(), Dst: dst, Before: lay.Genesis()})
			require.NoError(b, err)
		}
	})
}

// BenchmarkDelete measures the deletion of a small job on a server that holds the keys of
// many others.
func BenchmarkDelete(b *testing.B) {
	for _, others := range []int{0, 200_000} {
		b.Run(fmt.Sprintf("others=%d", others), func(b *testing.B) {
			s := redistest.Start(b)
			if s == nil {
				return
			}
			l, lay, ctx := open(b, s.URL), ledgertest.Layout(10, 4, 2), b.Context()
			pipe := l.pipeline(0)
			for i := range others {
				if pipe.Set(ctx, fmt.Sprint("other:", i), "", 0); i%10_000 == 9_999 {
					require.NoError(b, pipe.exec(ctx))
				}
			}
			for b.Loop() {
				_, err := l.Put(ctx, lay, 0, 2, ledgertest.Partial(lay, 0, 2))
				require.NoError(b, err)
				require.NoError(b, l.Delete(ctx, lay))
			}
		})
	}
}
