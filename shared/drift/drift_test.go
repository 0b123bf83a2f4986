package drift

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tributary/shared/dataset"
)

// made returns a baseline of a column of numbers, in two bins, and one of three categories.
func made() *Baseline {
	low, high := 0.0, 10.0
	return NewBaseline(&dataset.Preprocessing{Columns: []dataset.Column{
		{Name: "x", Kind: dataset.Numeric, Scale: 1},
		{Name: "c", Kind: dataset.Categorical, Categories: []string{"a", "b", "never"}},
	}}, &dataset.Profile{Version: 1, Rows: 100, Columns: []dataset.ColumnProfile{
		{Name: "x", Min: &low, Max: &high, Edges: []float64{5}, Counts: []int64{6, 4}}, // of a sample of 10
		{Name: "c", Missing: 20, Counts: []int64{50, 30, 0}},
	}})
}

func row(x float64, c string) []dataset.Value {
	return []dataset.Value{dataset.Number(x), dataset.Text(c)}
}

func TestTheIndexByHand(t *testing.T) {
	c := made().NewCounter()
	for i := range 200 {
		x := 2.0
		if i < 50 {
			x = 5 // an edge belongs to the bin above it
		}
		c.Add(row(x, "a"))
	}
	r := c.Report()
	require.EqualValues(t, 200, r.Rows)
	// x: 60 and 40 of 100 rows became 150 and 50 of 200, with half a row more each.
	psi := func(trained, counted []float64) (sum float64) {
		var a, b float64
		for i := range trained {
			a, b = a+trained[i]+0.5, b+counted[i]+0.5
		}
		for i := range trained {
			p, q := (trained[i]+0.5)/a, (counted[i]+0.5)/b
			sum += (q - p) * math.Log(q/p)
		}
		return sum
	}
	require.Equal(t, "c", r.Columns[0].Column, "the column that differs most is first")
	require.InDelta(t, psi([]float64{50, 30, 20}, []float64{200, 0, 0}), *r.Columns[0].PSI, 1e-12)
	require.InDelta(t, psi([]float64{60, 40}, []float64{150, 50}), *r.Columns[1].PSI, 1e-12)
	require.InDelta(t, 0.2, r.Columns[0].TrainingMissing, 1e-12)
	largest, ok := r.Largest()
	require.True(t, ok)
	require.Equal(t, *r.Columns[0].PSI, largest)
}

func TestUnseenAndOutOfRange(t *testing.T) {
	c := made().NewCounter()
	for _, v := range [][]dataset.Value{row(-1, "a"), row(11, "x"), row(10, ""), row(0, "never"), row(5, "y")} {
		c.Add(v)
	}
	total, rows, unseen, outside := c.Take()
	require.Equal(t, []int64{5, 5, 2, 2}, []int64{total, rows, unseen, outside})
	c.Add(row(12, "a"))
	total, rows, unseen, outside = c.Take()
	require.Equal(t, []int64{6, 1, 0, 1}, []int64{total, rows, unseen, outside})
	r := c.Report()
	require.NotEmpty(t, r.Note, "six rows are too few for an index")
	_, ok := r.Largest()
	require.False(t, ok)
	require.Equal(t, Column{Column: "x", OutOfRange: 3, Example: "-1", Min: new(0.0), Max: new(10.0)}, r.Columns[0])
	require.Equal(t, Column{Column: "c", Unseen: 2, Example: `"x"`, Missing: 1.0 / 6, TrainingMissing: 0.2}, r.Columns[1])
}

// The same rows give the same index in any order; rows like those of training give about 0,
// and no rows give an index that is negative or not finite.
func TestTheIndexOfAnyRows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		xs := rapid.SliceOfN(rapid.Float64Range(-20, 20), MinRows, 300).Draw(t, "xs")
		cs := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "never", "z", ""}), len(xs), len(xs)).Draw(t, "cs")
		forward, back := made().NewCounter(), made().NewCounter()
		for i := range xs {
			forward.Add(row(xs[i], cs[i]))
			back.Add(row(xs[len(xs)-1-i], cs[len(xs)-1-i]))
		}
		a, b := forward.Report(), back.Report()
		for i := range a.Columns {
			require.False(t, math.IsNaN(*a.Columns[i].PSI) || math.IsInf(*a.Columns[i].PSI, 0) || *a.Columns[i].PSI < 0)
			a.Columns[i].Example, b.Columns[i].Example = "", ""
		}
		require.Equal(t, a, b)
	})
	c := made().NewCounter()
	for i := range 1000 {
		category := "a"
		if i%10 >= 5 {
			category = "b"
		}
		if i%10 >= 8 {
			category = ""
		}
		c.Add(row(float64(i%10), category))
	}
	for _, k := range c.Report().Columns {
		require.Less(t, *k.PSI, 0.06)
	}
}

func TestManyCategoriesShareABin(t *testing.T) {
	p := &dataset.ColumnProfile{Counts: make([]int64, 1000)}
	for i := range p.Counts {
		p.Counts[i] = int64(i % 500)
	}
	b := grouped(p)
	require.Len(t, b.bins, ownBins+2)
	sum := 0.0
	for _, n := range b.bins {
		sum += n
	}
	require.InDelta(t, 2*499*500/2, sum, 0)
	require.EqualValues(t, 0, b.group[499])
	require.EqualValues(t, 1, b.group[999])
	require.EqualValues(t, ownBins, b.group[0])
}
