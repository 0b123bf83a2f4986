package ingest

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tributary/shared/job"
)

func TestApportion(t *testing.T) {
	for _, c := range []struct {
		n    int
		f    [3]float64
		want [3]int
	}{
		{10, [3]float64{0.8, 0.1, 0.1}, [3]int{8, 1, 1}},
		{3, [3]float64{0.8, 0.1, 0.1}, [3]int{3, 0, 0}},
		{100, [3]float64{0.71, 0, 0.29}, [3]int{71, 0, 29}},
		{1797, [3]float64{0.8, 0.1, 0.1}, [3]int{1437, 180, 180}},
		{5, [3]float64{1, 0, 0}, [3]int{5, 0, 0}},
		{0, [3]float64{0.5, 0.5, 0}, [3]int{0, 0, 0}},
		{1, [3]float64{0.5, 0.5, 0}, [3]int{1, 0, 0}},
	} {
		require.Equal(t, c.want, apportion(c.n, c.f), "%v", c)
	}
	rapid.Check(t, func(t *rapid.T) {
		n, a := rapid.IntRange(0, math.MaxInt32).Draw(t, "n"), rapid.Float64Range(0.01, 1).Draw(t, "train")
		b := rapid.Float64Range(0, 1).Draw(t, "validation") * (1 - a)
		f := [3]float64{a, b, 1 - a - b}
		counts := apportion(n, f)
		require.Equal(t, n, counts[0]+counts[1]+counts[2])
		for k := range counts {
			require.InDelta(t, f[k]*float64(n), counts[k], 1.001)
		}
	})
}

// Every row goes to one split. Each split keeps its fraction (of each class, if
// stratified). Rows keep the file's order if they are not shuffled.
func TestSplitIsAPartition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(120, 240).Draw(t, "n") // large enough that no split misses a class by chance
		var b strings.Builder
		b.WriteString("id,y\n")
		for i := range n {
			fmt.Fprintf(&b, "%d,%s\n", i, []string{"no", "yes", "yes"}[i%3])
		}
		spec := csvSpec()
		spec.Loss, spec.Seed = job.SoftmaxCrossEntropy, rapid.Uint64().Draw(t, "seed")
		spec.Data.Shuffle = rapid.Bool().Draw(t, "shuffle")
		spec.Data.Split = job.SplitSpec{Train: 0.5, Validation: 0.25, Test: 0.25, Stratify: rapid.Bool().Draw(t, "stratify")}
		o := mustRun(t, spec, sources{"in": []byte(b.String())})
		var all []float64
		for _, s := range job.Splits {
			ids := o.column(s, 0)
			if !spec.Data.Shuffle || s != job.Train {
				require.True(t, slices.IsSorted(ids), "%s in file order", s)
			}
			all = append(all, ids...)
			yes := 0.0
			for i, id := range ids {
				require.Equal(t, float32(min(int(id)%3, 1)), o.y[s][i][0])
				yes += float64(o.y[s][i][0])
			}
			if spec.Data.Split.Stratify {
				require.InDelta(t, 2*float64(len(ids))/3, yes, 2)
			}
		}
		if spec.Data.Shuffle {
			require.False(t, slices.IsSorted(o.column(job.Train, 0)))
		}
		slices.Sort(all)
		for i, id := range all {
			require.Equal(t, float64(i), id)
		}
		require.Len(t, all, n)
	})
}

func TestNoSplitTrainsOnEveryRow(t *testing.T) {
	o := mustRun(t, csvSpec(), sources{"in": []byte("a,y\n1,2\n3,4\n5,6\n")})
	require.Equal(t, [][]float32{{1}, {3}, {5}}, o.x[job.Train])
	require.Len(t, o.Splits, 1)
}

// Each label of a separate test source is one that the loss allows, too.
func TestGivenTestSourceOfCounts(t *testing.T) {
	spec := csvSpec()
	spec.Loss, spec.Data.Test = job.Poisson, "test"
	train := []byte("a,y\n1,0\n2,3\n")
	o := mustRun(t, spec, sources{"in": train, "test": train})
	require.Equal(t, [][]float32{{0}, {3}}, o.y[job.Test])
	_, err := run(t, spec, sources{"in": train, "test": []byte("a,y\n1,0\n2,-3\n")})
	require.ErrorIs(t, err, job.ErrInvalid)
	require.ErrorContains(t, err, `data.test: row 2: label "y": -3: with loss poisson`)
}

func TestGivenTestSource(t *testing.T) {
	spec := csvSpec()
	spec.Loss, spec.Data.Test = job.SoftmaxCrossEntropy, "test"
	spec.Data.Clean.Missing.Method = "mean"
	spec.Data.Drop = []string{"id"}
	train := []byte("id,a,c,y\n1,1,red,no\n2,3,blue,yes\n3,,red,no\n")
	o := mustRun(t, spec, sources{"in": train, "test": []byte("y,c,a\nyes,red,7\nno,green,\n,red,1\n")})
	require.Equal(t, [][]float32{{1, 0, 1}, {3, 1, 0}, {2, 0, 1}}, o.x[job.Train])
	require.Equal(t, [][]float32{{7, 0, 1}, {2, 0, 0}}, o.x[job.Test], "columns by name; an unseen category is zeros; filled with the training mean")
	require.Equal(t, [][]float32{{1}, {0}}, o.y[job.Test])

	for content, want := range map[string]string{
		"a,y\n1,no\n":                   `data.test "test": header: no column "c", which the training source has`,
		"a,c\n1,red\n":                  `data.test "test": header: no label column "y"`,
		"a,c,y\none,red,no\n":           `data.test "test": line 2: column "a": text "one" in a numeric column`,
		"a,c,y\n1,red,maybe\n":          `data.test: row 1: label "y": class "maybe" is not among the training source's`,
		"a,c,y\n1,red,\n":               "data.test: no rows are left of 1: 1 have no label",
		"a,c,y\n1,red,no\ninf,red,no\n": `line 3: column "a": "inf" is not a finite number`,
	} {
		_, err := run(t, spec, sources{"in": train, "test": []byte(content)})
		require.ErrorIs(t, err, job.ErrInvalid, content)
		require.ErrorContains(t, err, want)
	}
	spec.Data.Split = job.SplitSpec{Train: 0.5, Test: 0.5}
	_, err := run(t, spec, sources{"in": train, "test": train})
	require.ErrorContains(t, err, "data.split.test: 0.5: want 0, because data.test gives the test rows")
}
