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

// rawRow is a row of a CSV that has an id, a number with gaps, a text with gaps and y.
type rawRow struct {
	n, text string
	y       int
}

func writeCSV(rows []rawRow) sources {
	var b strings.Builder
	b.WriteString("id,n,text,y\n")
	for i, r := range rows {
		fmt.Fprintf(&b, "%d,%s,%s,%d\n", i, r.n, r.text, r.y)
	}
	return sources{"in": []byte(b.String())}
}

func drawRows(t *rapid.T) []rawRow {
	rows := make([]rawRow, rapid.IntRange(10, 60).Draw(t, "rows"))
	for i := range rows {
		n := rapid.SampledFrom([]string{"", "NA", "1", "2.5", "-7", "1e2", "0.1"}).Draw(t, "n")
		text := rapid.SampledFrom([]string{"", "a", "b", "c", "d d"}).Draw(t, "text")
		rows[i] = rawRow{n, text, i % 7}
	}
	rows[0], rows[1] = rawRow{"3", "a", 0}, rawRow{"4", "b", 1} // never all missing
	return rows
}

// members returns the ids of each split's rows; the id is feature 0, which is not scaled.
func members(t require.TestingT, spec *job.Spec, from Opener) map[job.Split][]int {
	plain := *spec
	plain.Data.Transform = job.Transform{}
	if m := &plain.Data.Clean.Missing; m.Method != "" && m.Method != "drop" {
		*m = job.Missing{Method: "constant"} // also for a training split without values, which has no mean
	}
	o := mustRun(t, &plain, from)
	ids := map[job.Split][]int{}
	for s := range o.x {
		for _, id := range o.column(s, 0) {
			ids[s] = append(ids[s], int(id))
		}
	}
	return ids
}

// Rows outside the training split do not change the fitted preprocessing or the training
// blocks.
func TestFittedOnTrainingRowsOnly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := drawRows(t)
		spec := csvSpec()
		spec.Seed = rapid.Uint64().Draw(t, "seed")
		spec.Data.Split = job.SplitSpec{Train: 0.6, Validation: 0.2, Test: 0.2}
		spec.Data.Clean.Missing = rapid.SampledFrom([]job.Missing{{Method: "mean"}, {Method: "median"}, {Method: "constant", Constant: 5}}).Draw(t, "missing")
		spec.Data.Transform.Scale.Method = rapid.SampledFrom([]string{"standard", "minmax"}).Draw(t, "scale")
		spec.Data.Transform.Label.Method = "standard"
		spec.Data.Shuffle = rapid.Bool().Draw(t, "shuffle")
		ids := members(t, spec, writeCSV(rows))
		if !slices.ContainsFunc(ids[job.Train], func(id int) bool { return rows[id].n != "" && rows[id].n != "NA" }) ||
			!slices.ContainsFunc(ids[job.Train], func(id int) bool { return rows[id].text != "" }) {
			return
		}
		want := mustRun(t, spec, writeCSV(rows))
		for _, s := range []job.Split{job.Validation, job.Test} {
			for _, id := range ids[s] {
				rows[id].n = rapid.SampledFrom([]string{"", "123456", "-99"}).Draw(t, "other n")
				rows[id].text = rapid.SampledFrom([]string{"", "unseen", "a"}).Draw(t, "other text")
				rows[id].y += 1000
			}
		}
		got := mustRun(t, spec, writeCSV(rows))
		require.Equal(t, want.Preprocessing, got.Preprocessing)
		require.Equal(t, want.Splits[job.Train], got.Splits[job.Train])
		require.NotEqual(t, want.Splits[job.Test], got.Splits[job.Test])
	})
}

// naive computes a column's fill, shift and scale from the training values.
func naive(values []string, missing job.Missing, scale string) (fill, shift, factor float64) {
	var present, all []float64
	for _, v := range values {
		if v != "" && v != "NA" {
			var x float64
			_, _ = fmt.Sscan(v, &x)
			present = append(present, x)
		}
	}
	switch missing.Method {
	case "mean":
		fill = meanOf(present)
	case "median":
		slices.Sort(present)
		fill = (present[(len(present)-1)/2] + present[len(present)/2]) / 2
	default:
		fill = missing.Constant
	}
	for _, v := range values {
		x := fill
		if v != "" && v != "NA" {
			_, _ = fmt.Sscan(v, &x)
		}
		all = append(all, x)
	}
	low, high := slices.Min(all), slices.Max(all)
	switch {
	case low == high:
		return fill, low, 1
	case scale == "standard":
		return fill, meanOf(all), stdOf(all)
	default:
		return fill, low, high - low
	}
}

func TestStatisticsAgainstNaive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := drawRows(t)
		spec := csvSpec()
		spec.Data.Clean.Missing = rapid.SampledFrom([]job.Missing{{Method: "mean"}, {Method: "median"}, {Method: "constant", Constant: -2}}).Draw(t, "missing")
		spec.Data.Transform.Scale.Method = rapid.SampledFrom([]string{"standard", "minmax"}).Draw(t, "scale")
		o := mustRun(t, spec, writeCSV(rows))
		var values []string
		frequency := map[string]int{}
		for _, r := range rows {
			values = append(values, r.n)
			if r.text != "" {
				frequency[r.text]++
			}
		}
		fill, shift, factor := naive(values, spec.Data.Clean.Missing, spec.Data.Transform.Scale.Method)
		c := o.Preprocessing.Columns[1]
		require.InDelta(t, fill, *c.Fill, 1e-12)
		require.InDelta(t, shift, c.Shift, 1e-12)
		require.InEpsilon(t, factor, c.Scale, 1e-12)

		text := o.Preprocessing.Columns[2]
		require.True(t, slices.IsSorted(text.Categories))
		if spec.Data.Clean.Missing.Method == "constant" {
			require.Equal(t, "-2", *text.FillCategory)
			return
		}
		for other, n := range frequency {
			best := *text.FillCategory
			require.True(t, n < frequency[best] || n == frequency[best] && best <= other, "%s or %s", best, other)
		}
		require.Len(t, text.Categories, len(frequency))
	})
}

func TestScales(t *testing.T) {
	from := sources{"in": []byte("a,same,y\n2,5,1\n4,5,2\n6,5,4\n")}
	for method, want := range map[string][][]float32{
		"none":     {{2, 5}, {4, 5}, {6, 5}},
		"divide":   {{0.5, 1.25}, {1, 1.25}, {1.5, 1.25}},
		"minmax":   {{0, 0}, {0.5, 0}, {1, 0}},
		"standard": {{-1.2247449, 0}, {0, 0}, {1.2247449, 0}}, // ±√(3/2)
	} {
		spec := csvSpec()
		spec.Data.Transform.Scale = job.Scale{Method: method, Divide: 4}
		o := mustRun(t, spec, from)
		require.Equal(t, want, o.x[job.Train], method)
		require.Equal(t, [][]float32{{1}, {2}, {4}}, o.y[job.Train])
	}
}

// A scale must not become 0 because squares underflow.
func TestTinyDeviations(t *testing.T) {
	spec := csvSpec()
	spec.Data.Transform.Scale.Method = "standard"
	o := mustRun(t, spec, sources{"in": []byte("a,y\n1e-200,1\n2e-200,2\n")})
	require.False(t, math.IsNaN(float64(o.x[job.Train][0][0])))
}
