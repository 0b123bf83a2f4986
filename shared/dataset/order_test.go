package dataset_test

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tributary/shared/dataset"
	"tributary/shared/numeric"
)

// naive computes the order of the whole epoch at once.
func naive(blocks []dataset.BlockRef, seed uint64, epoch int64, shuffle bool) []dataset.RowRef {
	order := make([]int32, len(blocks))
	for i := range order {
		order[i] = int32(i)
	}
	if shuffle {
		numeric.NewRand(seed, numeric.ForBlocks, uint64(epoch), 0).Perm(order)
	}
	all := []dataset.RowRef{}
	for _, b := range order {
		rows := make([]int32, blocks[b].Rows)
		numeric.NewRand(seed, numeric.ForRows, uint64(epoch), uint32(b)).Perm(rows)
		for i, r := range rows {
			if !shuffle {
				r = int32(i)
			}
			all = append(all, dataset.RowRef{Block: b, Row: r})
		}
	}
	return all
}

func TestOrderAgainstNaive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var blocks []dataset.BlockRef
		for _, n := range rapid.SliceOfN(rapid.IntRange(0, 20), 0, 8).Draw(t, "rows") {
			blocks = append(blocks, dataset.BlockRef{Rows: n})
		}
		seed, epoch := rapid.Uint64().Draw(t, "seed"), rapid.Int64Range(0, 1<<40).Draw(t, "epoch")
		shuffle := rapid.Bool().Draw(t, "shuffle")
		want := naive(blocks, seed, epoch, shuffle)
		o := dataset.NewOrder(blocks, seed, epoch, shuffle)
		require.Equal(t, len(want), o.Len())
		require.Equal(t, want, o.Rows([]dataset.RowRef{}, 0, o.Len()))

		seen := map[dataset.RowRef]bool{}
		for _, r := range want {
			require.Less(t, int(r.Row), blocks[r.Block].Rows)
			require.False(t, seen[r], "a row comes once")
			seen[r] = true
		}
		lo := rapid.IntRange(-3, len(want)+3).Draw(t, "lo")
		hi := rapid.IntRange(-3, len(want)+3).Draw(t, "hi")
		part := []dataset.RowRef{}
		if a, b := max(lo, 0), min(hi, len(want)); a < b {
			part = want[a:b]
		}
		require.Equal(t, part, o.Rows([]dataset.RowRef{}, lo, hi))
	})
}

func TestOrderChangesWithSeedAndEpoch(t *testing.T) {
	blocks := []dataset.BlockRef{{Rows: 50}, {Rows: 50}, {Rows: 7}}
	rows := func(seed uint64, epoch int64) []dataset.RowRef {
		return dataset.NewOrder(blocks, seed, epoch, true).Rows(nil, 0, 107)
	}
	require.Equal(t, rows(1, 0), rows(1, 0))
	require.NotEqual(t, rows(1, 0), rows(1, 1))
	require.NotEqual(t, rows(1, 0), rows(2, 0))
}

// An Order cannot keep two blocks of a million rows, so readers that alternate between them
// compute permutations again and again.
func TestOrderIsBoundedAndConcurrent(t *testing.T) {
	const n = 700_000
	blocks := []dataset.BlockRef{{Rows: n}, {Rows: n}}
	want := naive(blocks, 7, 3, true)
	o := dataset.NewOrder(blocks, 7, 3, true)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 4 {
				lo := (g+i)%2*n + 1000*i
				if got := o.Rows(nil, lo, lo+10); got[0] != want[lo] || got[9] != want[lo+9] {
					t.Errorf("rows at %d differ", lo)
				}
			}
		})
	}
	wg.Wait()
}
