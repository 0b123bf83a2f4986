package dataset_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tributary/shared/dataset"
	"tributary/shared/job"
)

// text is a schema of tokens and, for each token, the next one.
func text(length, stride int) dataset.Schema {
	return dataset.Schema{
		{Name: "x", DType: dataset.Int32, Shape: []int{length}, Window: dataset.Window{Of: "tokens", Stride: stride}},
		{Name: "y", DType: dataset.Int32, Shape: []int{length}, Target: true, Window: dataset.Window{Of: "tokens", Offset: 1, Stride: stride}},
	}
}

// drawSchema draws a valid schema, of fields with and without windows.
func drawSchema(t *rapid.T) dataset.Schema {
	var s dataset.Schema
	firsts := map[string]dataset.Field{} // of each sequence
	for i := range rapid.IntRange(1, 6).Draw(t, "fields") {
		f := dataset.Field{
			Name:   fmt.Sprintf("f%d", i),
			DType:  rapid.SampledFrom([]dataset.DType{dataset.Float32, dataset.Int32, dataset.Uint8}).Draw(t, "dtype"),
			Shape:  rapid.SliceOfN(rapid.IntRange(1, 4), 0, 3).Draw(t, "shape"),
			Target: rapid.Bool().Draw(t, "target"),
		}
		if of := rapid.SampledFrom([]string{"", "s", "t"}).Draw(t, "of"); of != "" && len(f.Shape) > 0 {
			f.Window = dataset.Window{Of: of, Offset: rapid.IntRange(0, 3).Draw(t, "offset"), Stride: rapid.IntRange(1, 7).Draw(t, "stride")}
			if first, ok := firsts[of]; ok {
				f.DType, f.Window.Stride = first.DType, first.Window.Stride
				f.Shape = append(f.Shape[:1:1], first.Shape[1:]...)
			} else {
				firsts[of] = f
			}
		}
		f.Masked = f.Target && f.DType == dataset.Int32 && rapid.Bool().Draw(t, "masked")
		s = append(s, f)
	}
	return s
}

func TestASchemaThatCannotBeIsRefused(t *testing.T) {
	good := func() dataset.Schema {
		return append(text(4, 4), dataset.Field{Name: "image", DType: dataset.Uint8, Shape: []int{3, 8, 8}})
	}
	_, err := dataset.NewBlock(good(), 2)
	require.NoError(t, err)
	for want, change := range map[string]func(s dataset.Schema) dataset.Schema{
		"0 fields: want 1 to 64":                            func(dataset.Schema) dataset.Schema { return nil },
		"65 fields: want 1 to 64":                           func(dataset.Schema) dataset.Schema { return make(dataset.Schema, 65) },
		`fields[0]: name ""`:                                func(s dataset.Schema) dataset.Schema { s[0].Name = ""; return s },
		`fields[1]: name "a b"`:                             func(s dataset.Schema) dataset.Schema { s[1].Name = "a b"; return s },
		`fields[2]: name "x"`:                               func(s dataset.Schema) dataset.Schema { s[2].Name = "x"; return s },
		`fields[0]: name "` + strings.Repeat("x", 65) + `"`: func(s dataset.Schema) dataset.Schema { s[0].Name = strings.Repeat("x", 65); return s },

		`field "image": dtype "int8": want float32, int32 or uint8`: func(s dataset.Schema) dataset.Schema { s[2].DType = "int8"; return s },
		`field "image": shape of 9 dimensions: want at most 8`:      func(s dataset.Schema) dataset.Schema { s[2].Shape = make([]int, 9); return s },
		`field "image": shape [3 0]`:                                func(s dataset.Schema) dataset.Schema { s[2].Shape = []int{3, 0}; return s },
		`field "image": shape [-1 -1]`:                              func(s dataset.Schema) dataset.Schema { s[2].Shape = []int{-1, -1}; return s },
		`field "image": shape [67108865]`:                           func(s dataset.Schema) dataset.Schema { s[2].Shape = []int{64<<20 + 1}; return s },
		fmt.Sprintf(`field "image": shape [4 %d]`, math.MaxInt):     func(s dataset.Schema) dataset.Schema { s[2].Shape = []int{4, math.MaxInt}; return s },
		"a row takes 67108884 bytes: want at most 67108864":         func(s dataset.Schema) dataset.Schema { s[2].Shape = []int{64 << 20}; return s },

		`field "image": masked: want it of an int32 target alone`: func(s dataset.Schema) dataset.Schema { s[2].Target, s[2].Masked = true, true; return s },
		`field "x": masked`:                               func(s dataset.Schema) dataset.Schema { s[0].Masked = true; return s },
		`field "x": window of ""`:                         func(s dataset.Schema) dataset.Schema { s[0].Window.Of = ""; return s },
		`field "x": window of a single number`:            func(s dataset.Schema) dataset.Schema { s[0].Shape = nil; return s },
		`field "x": window.stride 0: want 1 to 67108864`:  func(s dataset.Schema) dataset.Schema { s[0].Window.Stride = 0; return s },
		`field "x": window.offset -1: want 0 to 67108864`: func(s dataset.Schema) dataset.Schema { s[0].Window.Offset = -1; return s },
		"a row takes 268435648 bytes: want at most": func(s dataset.Schema) dataset.Schema {
			s[0].Window.Stride, s[1].Window.Stride = 64<<20, 64<<20
			return s
		},
		`field "y": windows of stride 5 over "tokens", of int32 [] a step: want them as those of field "x": stride 4, int32 []`: func(s dataset.Schema) dataset.Schema {
			s[1].Window.Stride = 5
			return s
		},
		`field "y": windows of stride 4 over "tokens", of float32 []`: func(s dataset.Schema) dataset.Schema { s[1].DType = dataset.Float32; return s },
		`field "y": windows of stride 4 over "tokens", of int32 [2]`:  func(s dataset.Schema) dataset.Schema { s[1].Shape = []int{4, 2}; return s },
	} {
		_, err := dataset.NewBlock(change(good()), 1)
		require.ErrorIs(t, err, job.ErrInvalid, want)
		require.ErrorContains(t, err, want)
		_, err = change(good()).BlockRows()
		require.ErrorIs(t, err, job.ErrInvalid, want)
		require.ErrorContains(t, err, want)
	}
	for _, rows := range []int{-1, 0, math.MaxInt32 + 1} {
		_, err := dataset.NewBlock(good(), rows)
		require.ErrorIs(t, err, job.ErrInvalid)
		require.ErrorContains(t, err, "want 1 to 2147483647")
	}
	_, err = dataset.NewBlock(good(), math.MaxInt32)
	require.ErrorIs(t, err, job.ErrInvalid)
	require.ErrorContains(t, err, "want at most 4294967296")
}

func TestSchemasAreEqualWhenAllOfAFieldIs(t *testing.T) {
	require.True(t, text(4, 2).Equal(text(4, 2)))
	require.False(t, text(4, 2).Equal(text(4, 2)[:1]))
	for _, change := range []func(f *dataset.Field){
		func(f *dataset.Field) { f.Name = "z" },
		func(f *dataset.Field) { f.DType = dataset.Uint8 },
		func(f *dataset.Field) { f.Shape = []int{4, 1} },
		func(f *dataset.Field) { f.Target = false },
		func(f *dataset.Field) { f.Masked = true },
		func(f *dataset.Field) { f.Window.Offset = 2 },
	} {
		s := text(4, 2)
		change(&s[1])
		require.False(t, text(4, 2).Equal(s))
	}
	require.Equal(t, 1, text(4, 2).Index("y"))
	require.Equal(t, -1, text(4, 2).Index("z"))
}

// The block boundaries of float tables never change, because the digests of datasets depend
// on them.
func TestTheCutOfFloatTables(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		features := rapid.OneOf(rapid.IntRange(1, 100), rapid.IntRange(1, 1<<20)).Draw(t, "features")
		targets := rapid.IntRange(1, 100).Draw(t, "targets")
		rows, err := dataset.Table(features, targets).BlockRows()
		require.NoError(t, err)
		require.Equal(t, max(1, 1<<20/(4*(features+targets))), rows)
	})
}

// The size in bytes decides where a block ends: one more row would exceed 1 MiB.
func TestTheCutOfBlocksOfFields(t *testing.T) {
	const around = 64 * 8 // a schema and what aligns sections
	for name, s := range map[string]dataset.Schema{
		"tokens":             text(1024, 1024),
		"tokens by one":      text(1024, 1),
		"tokens with gaps":   text(100, 1000),
		"images":             {{Name: "image", DType: dataset.Uint8, Shape: []int{3, 32, 32}}, {Name: "label", DType: dataset.Int32, Target: true}},
		"a number":           {{Name: "user", DType: dataset.Int32}},
		"rows of over 1 MiB": {{Name: "sound", DType: dataset.Float32, Shape: []int{1 << 20}}},
		"a long window":      text(1<<20, 4),
	} {
		rows, err := s.BlockRows()
		require.NoError(t, err, name)
		size := func(rows int) int {
			b, err := dataset.NewBlock(s, rows)
			require.NoError(t, err, name)
			return len(dataset.Encode(b))
		}
		if rows > 1 {
			require.LessOrEqual(t, size(rows), 1<<20+around, name)
		}
		require.Greater(t, size(rows+1), 1<<20, name)
	}
}
