package ingest

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tributary/shared/job"
)

// sized is a CSV source of that many rows of each class.
func sized(classes ...int) []byte {
	var b strings.Builder
	b.WriteString("id,y\n")
	id := 0
	for c, n := range classes {
		for range n {
			fmt.Fprintf(&b, "%d,c%03d\n", id, c)
			id++
		}
	}
	return []byte(b.String())
}

// equal returns classes of equal size.
func equal(classes, rows int) []int { return slices.Repeat([]int{rows}, classes) }

// The sizes equal those of a split that is not stratified. scikit-learn splits the first
// two cases in the same way with two stratified splits, one after the other.
func TestStratifiedSizes(t *testing.T) {
	for name, c := range map[string]struct {
		classes []int
		f       [3]float64
		want    [3]int
	}{
		"fifteen rows":     {equal(20, 15), [3]float64{0.8, 0.1, 0.1}, [3]int{240, 30, 30}},
		"fourteen rows":    {equal(20, 14), [3]float64{0.8, 0.1, 0.1}, [3]int{224, 28, 28}},
		"five rows":        {equal(20, 5), [3]float64{0.8, 0.1, 0.1}, [3]int{80, 10, 10}},
		"two rows":         {equal(30, 2), [3]float64{0.8, 0.1, 0.1}, [3]int{48, 6, 6}},
		"one large":        {append(equal(9, 1), 91), [3]float64{0.2, 0.4, 0.4}, [3]int{20, 40, 40}},
		"no validation":    {[]int{3, 3, 3, 3}, [3]float64{0.5, 0, 0.5}, [3]int{6, 0, 6}},
		"train only":       {[]int{3, 1}, [3]float64{1, 0, 0}, [3]int{4, 0, 0}},
		"a row each":       {[]int{1, 1, 1, 97}, [3]float64{0.04, 0.48, 0.48}, [3]int{4, 48, 48}},
		"by a second move": {[]int{2, 2, 4, 4, 1, 1}, [3]float64{0.5, 0.25, 0.25}, [3]int{7, 4, 3}},
	} {
		t.Run(name, func(t *testing.T) {
			spec := csvSpec()
			spec.Loss = job.SoftmaxCrossEntropy
			spec.Data.Split = job.SplitSpec{Train: c.f[0], Validation: c.f[1], Test: c.f[2], Stratify: true}
			o := mustRun(t, spec, sources{"in": sized(c.classes...)})
			require.Equal(t, c.want, [3]int{o.Rows(job.Train), o.Rows(job.Validation), o.Rows(job.Test)})
			seen := map[float32]bool{}
			for _, y := range o.y[job.Train] {
				seen[y[0]] = true
			}
			require.Len(t, seen, len(c.classes), "each class is in training")
		})
	}
}

func TestTooManyClassesToStratify(t *testing.T) {
	spec := csvSpec()
	spec.Loss = job.SoftmaxCrossEntropy
	spec.Data.Split = job.SplitSpec{Train: 0.5, Test: 0.5, Stratify: true}
	_, err := run(t, spec, sources{"in": sized(1, 2, 1, 1, 1, 1, 1)})
	require.ErrorIs(t, err, job.ErrInvalid)
	require.ErrorContains(t, err, `data.split.train: 0.5 of 8 rows are 4, fewer than the 7 classes; each class needs a training row: `+
		`raise the fraction, or leave out the smallest classes ("c000": 1, "c002": 1, "c003": 1, "c004": 1, "c005": 1)`)
	spec.Data.Split = job.SplitSpec{Train: 0.9, Test: 0.1, Stratify: true}
	_, err = run(t, spec, sources{"in": sized(2, 2)})
	require.ErrorContains(t, err, "data.split.test: 0.1 of 4 rows is no row: raise the fraction")
}

// drawClasses draws the rows of some classes and totals into which they can be split.
func drawClasses(t *rapid.T) (classes []int, totals [3]int) {
	small := rapid.IntRange(1, 6)
	classes = rapid.SliceOfN(rapid.OneOf(small, small, rapid.IntRange(1, 400)), 1, 24).Draw(t, "classes")
	rows := 0
	for _, n := range classes {
		rows += n
	}
	totals[0] = rapid.IntRange(len(classes), rows).Draw(t, "train")
	totals[1] = rapid.IntRange(0, rows-totals[0]).Draw(t, "validation")
	totals[2] = rows - totals[0] - totals[1]
	return classes, totals
}

// plain computes the quotas in the obvious way: it gives one row to each class that would
// have less than one training row, until there are no more such classes.
func plain(classes []int, totals [3]int) [][3]float64 {
	one := make([]bool, len(classes))
	for {
		train, rows := float64(totals[0]), 0.0
		for c, n := range classes {
			if one[c] {
				train--
			} else {
				rows += float64(n)
			}
		}
		again := false
		quotas := make([][3]float64, len(classes))
		for c, n := range classes {
			share := 1.0
			if !one[c] {
				share = float64(n) * train / rows
			}
			if share < 1-1e-9 {
				one[c], again = true, true
			}
			others := max(1, float64(totals[1]+totals[2]))
			left := float64(n) - share
			quotas[c] = [3]float64{share, left * float64(totals[1]) / others, left * float64(totals[2]) / others}
		}
		if !again {
			return quotas
		}
	}
}

func off(sizes [][3]int, quotas [][3]float64) (sum float64) {
	for c := range sizes {
		for k, n := range sizes[c] {
			sum += (float64(n) - quotas[c][k]) * (float64(n) - quotas[c][k])
		}
	}
	return sum
}

// Totals are exact, no row is lost or used twice, each class has a training row, and each
// size is its rounded quota.
func TestStratifyKeepsTotalsAndQuotas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		classes, totals := drawClasses(t)
		sizes, err := stratify(context.Background(), classes, totals)
		require.NoError(t, err)
		sums := [3]int{}
		quotas := plain(classes, totals)
		for c, n := range classes {
			require.Equal(t, n, sizes[c][0]+sizes[c][1]+sizes[c][2], "class %d", c)
			require.Positive(t, sizes[c][0], "class %d in training", c)
			for k := range sums {
				sums[k] += sizes[c][k]
				require.GreaterOrEqual(t, sizes[c][k], 0)
				require.Less(t, math.Abs(float64(sizes[c][k])-quotas[c][k]), 1+1e-9, "class %d, split %d", c, k)
			}
		}
		require.Equal(t, totals, sums)
	})
}

// No other sizes with the same sums are closer to the quotas.
func TestStratifyIsNearest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		classes := rapid.SliceOfN(rapid.IntRange(1, 5), 1, 5).Draw(t, "classes")
		rows := 0
		for _, n := range classes {
			rows += n
		}
		totals := [3]int{rapid.IntRange(len(classes), rows).Draw(t, "train")}
		totals[1] = rapid.IntRange(0, rows-totals[0]).Draw(t, "validation")
		totals[2] = rows - totals[0] - totals[1]
		sizes, err := stratify(context.Background(), classes, totals)
		require.NoError(t, err)
		quotas := plain(classes, totals)
		least := math.Inf(1)
		tried := make([][3]int, len(classes))
		var each func(c int, left [3]int)
		each = func(c int, left [3]int) {
			if c == len(classes) {
				least = min(least, off(tried, quotas))
				return
			}
			for a := 1; a <= min(classes[c], left[0]); a++ {
				for b := 0; b <= min(classes[c]-a, left[1]); b++ {
					d := classes[c] - a - b
					near := true
					for k, n := range [3]int{a, b, d} {
						near = near && math.Abs(float64(n)-quotas[c][k]) < 1-1e-9
					}
					if d <= left[2] && near {
						tried[c] = [3]int{a, b, d}
						each(c+1, [3]int{left[0] - a, left[1] - b, left[2] - d})
					}
				}
			}
		}
		each(0, totals)
		require.InDelta(t, least, off(sizes, quotas), 1e-9)
	})
}

// The largest possible table does not overflow, and many classes take no longer than a
// sort.
func TestStratifyLarge(t *testing.T) {
	rest := maxRows - 1000
	sizes, err := stratify(t.Context(), []int{1, 999, rest}, apportion(maxRows, [3]float64{0.34, 0.33, 0.33}))
	require.NoError(t, err)
	require.Equal(t, 1, sizes[0][0])
	require.InDelta(t, 0.34*float64(rest), sizes[2][0], 2)

	classes := equal(200_000, 3)
	totals := apportion(600_000, [3]float64{0.5, 0.25, 0.25})
	sizes, err = stratify(t.Context(), classes, totals)
	require.NoError(t, err)
	sums := [3]int{}
	for _, s := range sizes {
		for k := range sums {
			sums[k] += s[k]
		}
	}
	require.Equal(t, totals, sums)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = stratify(ctx, classes, totals)
	require.ErrorIs(t, err, context.Canceled)
}
