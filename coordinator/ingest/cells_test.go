package ingest

import (
	"context"
	"math"
	"slices"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tributary/shared/dataset"
	"tributary/shared/job"
)

// drawCells draws a matrix in memory or in a file, and returns its values too.
func drawCells(t *rapid.T) (*space, *cells, [][]float64) {
	width, rows := rapid.IntRange(1, 700).Draw(t, "width"), rapid.IntRange(1, 200).Draw(t, "rows")
	values, want := make([]float64, width*rows), make([][]float64, rows)
	for i := range values {
		values[i] = float64(i) - 7
	}
	for i := range want {
		want[i] = values[i*width : (i+1)*width]
	}
	s := &space{keep: rapid.SampledFrom([]int64{0, 10_000, 1 << 30}).Draw(t, "keep")}
	c, err := s.cells(values, width)
	require.NoError(t, err)
	return s, c, want
}

func drawOrder(t *rapid.T, rows int) []int32 {
	order := make([]int32, rows)
	for i := range order {
		order[i] = int32(i)
	}
	order = rapid.Permutation(order).Draw(t, "order")
	order = order[:rapid.IntRange(1, rows).Draw(t, "n")]
	if rapid.Bool().Draw(t, "ascending") {
		slices.Sort(order)
	}
	return order
}

func TestCellsInAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, c, want := drawCells(t)
		defer s.close()
		rows := drawOrder(t, len(want))
		lo := rapid.IntRange(0, len(rows)-1).Draw(t, "lo")
		for _, o := range []order{these(rows), these(rows).slice(lo, len(rows)), all(len(want)), all(len(want)).slice(lo, len(rows))} {
			seen := 0
			require.NoError(t, c.each(context.Background(), o, func(i int, row []float64) {
				require.Equal(t, want[o.at(i)], row)
				seen++
			}))
			require.Equal(t, o.n, seen)
		}
	})
}

func TestDealPutsRowsInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, c, want := drawCells(t)
		defer s.close()
		rows := drawOrder(t, len(want))
		given := slices.Clone(rows)
		dealt, err := s.deal(context.Background(), c, rows, len(want))
		require.NoError(t, err)
		require.Equal(t, given, rows)
		require.NoError(t, dealt.each(context.Background(), all(len(rows)), func(i int, row []float64) {
			require.Equal(t, want[rows[i]], row)
		}))
	})
}

func TestStoppedReading(t *testing.T) {
	s := &space{}
	defer s.close()
	c, err := s.cells(make([]float64, 10), 1)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, c.each(ctx, all(10), func(int, []float64) {}), context.Canceled)
	_, err = s.deal(ctx, c, []int32{1, 0}, 10)
	require.ErrorIs(t, err, context.Canceled)
}

func TestFullDisk(t *testing.T) {
	written := (&scratch{space: new(space)}).written
	require.ErrorIs(t, written(syscall.ENOSPC), job.ErrFull)
	require.ErrorIs(t, written(syscall.EDQUOT), job.ErrFull)
	require.NotErrorIs(t, written(syscall.EIO), job.ErrFull)
	require.NotErrorIs(t, written(syscall.EROFS), job.ErrInvalid)
	require.NoError(t, written(nil))
}

// Radix selection gives the same medians as sorting.
func TestMedians(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.OneOf(rapid.Float64Range(-3, 3), rapid.Float64(), rapid.SampledFrom([]float64{0, 1, 5e-324, math.NaN()})), 1, 60).Draw(t, "values")
		s := &space{keep: keepBytes}
		c, err := s.cells(values, 1)
		require.NoError(t, err)
		rows := make([]int32, len(values))
		for i := range rows {
			rows[i] = int32(i)
		}
		present := slices.DeleteFunc(slices.Clone(values), isMissing)
		scan := &scan{ctx: context.Background(), cells: c, rows: rows}
		got, err := scan.medians([]count{{missing: len(values) - len(present)}}, []dataset.Column{{Kind: dataset.Numeric}})
		require.NoError(t, err)
		slices.Sort(present)
		n := len(present)
		switch {
		case n == 0:
			require.True(t, math.IsNaN(got[0]))
		case n%2 == 1, present[n/2-1] == present[n/2]:
			require.Equal(t, present[n/2], got[0])
		default:
			require.Equal(t, present[n/2-1]/2+present[n/2]/2, got[0])
		}
	})
}
