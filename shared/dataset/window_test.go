package dataset_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tributary/shared/dataset"
)

// long is a sequence that the twin splits step by step.
type long struct {
	steps  [][]int32
	schema dataset.Schema // windows over it
}

func drawLong(t *rapid.T) long {
	var l long
	shape := rapid.SliceOfN(rapid.IntRange(1, 3), 0, 2).Draw(t, "step")
	size := 1
	for _, d := range shape {
		size *= d
	}
	for i := range rapid.IntRange(1, 60).Draw(t, "steps") {
		step := make([]int32, size)
		for j := range step {
			step[j] = int32(1000*i + j)
		}
		l.steps = append(l.steps, step)
	}
	stride := rapid.IntRange(1, 9).Draw(t, "stride")
	for _, name := range []string{"x", "y", "z"}[:rapid.IntRange(1, 3).Draw(t, "fields")] {
		length := rapid.IntRange(1, 6).Draw(t, "length")
		l.schema = append(l.schema, dataset.Field{
			Name: name, DType: dataset.Int32, Shape: append([]int{length}, shape...),
			Window: dataset.Window{Of: "sequence", Offset: rapid.IntRange(0, 4).Draw(t, "offset"), Stride: stride},
		})
	}
	return l
}

// span returns how many steps the windows of a row cover.
func (l long) span() int {
	n := 0
	for _, f := range l.schema {
		n = max(n, f.Window.Offset+f.Shape[0])
	}
	return n
}

// run returns the elements of the steps lo … hi−1.
func (l long) run(lo, hi int) (all []int32) {
	for _, step := range l.steps[lo:hi] {
		all = append(all, step...)
	}
	return all
}

func TestWindowsOverASequence(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := drawLong(t)
		stride := l.schema[0].Window.Stride
		want, reached := 0, 0
		for at := 0; at+l.span() <= len(l.steps); at += stride {
			want, reached = want+1, at+l.span()
		}
		rows, dropped := l.schema.Windows("sequence", len(l.steps))
		require.Equal(t, [2]int{want, len(l.steps) - reached}, [2]int{rows, dropped})

		// The rows are those of the whole sequence, for any block boundaries.
		per := rapid.IntRange(1, 5).Draw(t, "rows of a block")
		for lo := 0; lo < rows; lo += per {
			made, err := dataset.NewBlock(l.schema, min(per, rows-lo))
			require.NoError(t, err)
			for i, f := range l.schema {
				first := lo*stride + f.Window.Offset
				n := copy(made.Field(i).Int32(0, made.Rows), l.run(first, len(l.steps)))
				require.Equal(t, len(l.steps[0])*((made.Rows-1)*stride+f.Shape[0]), n)
			}
			b, err := dataset.DecodeBlock(dataset.Encode(made))
			require.NoError(t, err)
			for i, f := range l.schema {
				for row := range b.Rows {
					first := (lo+row)*stride + f.Window.Offset
					require.Equal(t, l.run(first, first+f.Shape[0]), b.Field(i).Int32(row, row+1))
				}
			}
		}
	})
}

func TestASequenceIsStoredOnce(t *testing.T) {
	b, err := dataset.NewBlock(text(1024, 1), 10_000)
	require.NoError(t, err)
	require.Less(t, len(dataset.Encode(b)), 4*(10_000+1024)+512)
	rows, dropped := text(1024, 1024).Windows("tokens", 10_000)
	require.Equal(t, [2]int{9, 10_000 - 9*1024 - 1}, [2]int{rows, dropped})
	rows, dropped = text(1024, 1024).Windows("tokens", 1024)
	require.Equal(t, [2]int{0, 1024}, [2]int{rows, dropped}, "nothing follows the last token")
	rows, dropped = text(1024, 1024).Windows("words", 10_000)
	require.Equal(t, [2]int{0, 10_000}, [2]int{rows, dropped}, "there is no such sequence")
	rows, _ = dataset.Schema{{Name: "user", DType: dataset.Int32}}.Windows("", 10_000)
	require.Zero(t, rows)
}

// An order counts windows as rows.
func TestOrderOfWindows(t *testing.T) {
	refs := []dataset.BlockRef{}
	blocks := []*dataset.Block{}
	for i := range 3 {
		b, err := dataset.NewBlock(text(4, 2), 5)
		require.NoError(t, err)
		x := b.Field(0).Int32(0, 5)
		for at := range x {
			x[at] = int32(100*i + at)
		}
		blocks, refs = append(blocks, b), append(refs, dataset.BlockRef{Rows: b.Rows})
	}
	seen := map[int32]int{}
	for _, r := range dataset.NewOrder(refs, 1, 0, true).Rows(nil, 0, 15) {
		window := blocks[r.Block].Field(0).Int32(int(r.Row), int(r.Row)+1)
		require.Equal(t, 100*r.Block+2*r.Row, window[0])
		require.Len(t, window, 4)
		seen[window[0]]++
	}
	require.Len(t, seen, 15)
}

func TestRowsAndTypesThatThereAreNotPanic(t *testing.T) {
	b, err := dataset.NewBlock(text(4, 1), 3)
	require.NoError(t, err)
	x := b.Field(0)
	for want, read := range map[string]func(){
		`field "x" is int32, read as float32`: func() { x.Float32(0, 1) },
		`field "x" is int32, read as uint8`:   func() { x.Uint8(0, 1) },
		`field "x": rows 3 to 4 of 3`:         func() { x.Int32(3, 4) }, // the memory of y's last
		`field "x": rows -1 to 1 of 3`:        func() { x.Int32(-1, 1) },
		`field "x": rows 2 to 1 of 3`:         func() { x.Int32(2, 1) },
	} {
		require.PanicsWithValue(t, want, read)
	}
	require.Empty(t, x.Int32(3, 3))
	require.Empty(t, x.Int32(0, 0))
}
