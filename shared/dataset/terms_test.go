package dataset_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tributary/shared/dataset"
	"tributary/shared/job"
)

func TestTermsOfASample(t *testing.T) {
	for want, f := range map[int]dataset.Field{
		0:  {DType: dataset.Int32, Shape: []int{8}},                             // an input
		1:  {DType: dataset.Float32, Shape: []int{3}, Target: true},             // a row of a table
		8:  {DType: dataset.Int32, Shape: []int{8}, Target: true},               // tokens
		9:  {DType: dataset.Int32, Shape: []int{9}, Target: true, Masked: true}, // unless masked
		64: {DType: dataset.Uint8, Shape: []int{8, 8}, Target: true},            // pixels
	} {
		require.Equal(t, want, f.MaxTerms())
	}
	require.Equal(t, 1, (&dataset.Field{DType: dataset.Int32, Target: true}).MaxTerms(), "a class")
	table := &dataset.Block{Rows: 5, Features: 2, Targets: 3, X: make([]float32, 10), Y: make([]float32, 15)}
	require.EqualValues(t, 3, table.Field(1).Terms(1, 4))
	require.Zero(t, table.Field(0).Terms(1, 4))
}

// Each window counts its own terms, including steps that it shares with other windows.
func TestTermsThatAreMasked(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := text(rapid.IntRange(1, 6).Draw(t, "length"), rapid.IntRange(1, 4).Draw(t, "stride"))
		s[1].Masked = rapid.Bool().Draw(t, "masked")
		b, err := dataset.NewBlock(s, rapid.IntRange(1, 6).Draw(t, "rows"))
		require.NoError(t, err)
		y := b.Field(1)
		for i, all := 0, y.Int32(0, b.Rows); i < len(all); i++ {
			all[i] = rapid.SampledFrom([]int32{job.Ignored, -1, 0, 100}).Draw(t, "token")
		}
		lo := rapid.IntRange(0, b.Rows).Draw(t, "lo")
		hi := rapid.IntRange(lo, b.Rows).Draw(t, "hi")
		want := int64(0)
		for row := lo; row < hi; row++ {
			for _, v := range elements(y, row, row+1) {
				if !s[1].Masked || int32(v) != job.Ignored {
					want++
				}
			}
		}
		require.Equal(t, want, y.Terms(lo, hi))
	})
}
