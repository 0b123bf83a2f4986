package dataset_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/dataset"
	"tributary/shared/job"
)

// The hashes are those that another implementation of the specification gives, in Python:
// int.from_bytes(sha256(column + b"\0" + text).digest()[:8], "big") >> 11. They stay what
// they are, because models depend on them.
func TestHashText(t *testing.T) {
	for _, c := range []struct {
		column, text string
		hash         uint64
	}{{"zip", "10115", 3599313740898078}, {"größe", "Ł\x00x", 26189717709189}, {"", "", 3877433990182511}} {
		require.Equal(t, c.hash, dataset.HashText(c.column, c.text))
	}
	require.NotEqual(t, dataset.HashText("a", "x"), dataset.HashText("b", "x"), "the name is part of it")
}

// Texts like numbers that follow each other spread over the buckets about evenly.
func TestBucketsAreFilledEvenly(t *testing.T) {
	for _, n := range []int{10, 1000, 1024} {
		counts := make([]int, n)
		rows := 100 * n
		for i := range rows {
			counts[dataset.Bucket(dataset.HashText("zip", fmt.Sprintf("%05d", i)), n)]++
		}
		chi := 0.0
		for _, k := range counts {
			chi += float64((k-100)*(k-100)) / 100
		}
		require.InDelta(t, n, chi, 0.2*float64(n)+20, "χ² of %d buckets", n)
	}
}

func TestAHashedColumn(t *testing.T) {
	p := &dataset.Preprocessing{Columns: []dataset.Column{
		{Name: "n", Kind: dataset.Numeric, Scale: 1},
		{Name: "zip", Kind: dataset.Categorical, Hash: 8, Scale: 1, FillCategory: new("")},
	}, Label: dataset.Column{Name: "y", Kind: dataset.Numeric, Scale: 1}}
	require.NoError(t, p.Validate())
	require.Equal(t, 9, p.Features())
	for _, c := range []struct {
		v    dataset.Value
		text string
	}{{dataset.Text("10115"), "10115"}, {dataset.Literal("10115", 10115), "10115"}, {dataset.Number(10115), "10115"}, {dataset.Boolean(true), "true"}, {dataset.Value{}, ""}} {
		x := make([]float32, 9)
		require.NoError(t, p.Apply(x, []dataset.Value{dataset.Number(3), c.v}, nil))
		want := make([]float32, 9)
		want[0], want[1+dataset.Bucket(dataset.HashText("zip", c.text), 8)] = 3, 1
		require.Equal(t, want, x)
	}
	p.Columns[1].Embed = 4
	require.NoError(t, p.Validate())
	require.Equal(t, dataset.Embedding{Columns: 1, Rows: 8, Units: 4}, p.Embedding())
	for _, wrong := range []dataset.Column{
		{Name: "a", Kind: dataset.Categorical, Hash: 1},
		{Name: "a", Kind: dataset.Categorical, Hash: job.MaxHash + 1},
		{Name: "a", Kind: dataset.Categorical, Hash: -5},
		{Name: "a", Kind: dataset.Categorical, Hash: 4, Categories: []string{"x"}},
		{Name: "a", Kind: dataset.Numeric, Hash: 4, Scale: 1},
	} {
		p.Columns = []dataset.Column{wrong}
		require.ErrorIs(t, p.Validate(), job.ErrInvalid)
		require.ErrorContains(t, p.Validate(), "hash ")
	}
}
