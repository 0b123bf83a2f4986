package dataset_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tributary/shared/dataset"
	"tributary/shared/job"
	"tributary/shared/wire"
)

// made returns a block in which every float encodes its block, row and column.
func made(id, rows, features, targets int) *dataset.Block {
	b := &dataset.Block{Rows: rows, Features: features, Targets: targets}
	for i := range rows * features {
		b.X = append(b.X, float32(1000*id+i))
	}
	for i := range rows * targets {
		b.Y = append(b.Y, -float32(1000*id+i))
	}
	return b
}

func TestBlockRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := made(rapid.IntRange(0, 9).Draw(t, "id"), rapid.IntRange(1, 40).Draw(t, "rows"),
			rapid.IntRange(0, 9).Draw(t, "features"), rapid.IntRange(1, 3).Draw(t, "targets"))
		got, err := dataset.DecodeBlock(dataset.Encode(want))
		require.NoError(t, err)
		require.Equal(t, want.Rows, got.Rows)
		require.Equal(t, want.Features, got.Features)
		require.Equal(t, want.Targets, got.Targets)
		require.True(t, slices.Equal(want.X, got.X))
		require.True(t, slices.Equal(want.Y, got.Y))
	})
}

func TestDecodeBlockRefuses(t *testing.T) {
	vector := func(h wire.Header, n int) []byte {
		data, _ := wire.Append(nil, h, make([]float32, n))
		return data
	}
	flipped := dataset.Encode(made(1, 3, 2, 1))
	flipped[70] ^= 1
	const huge = 1 << 63
	for name, data := range map[string][]byte{
		"nothing":        nil,
		"truncated":      dataset.Encode(made(1, 3, 2, 1))[:80],
		"a flipped bit":  flipped,
		"another kind":   vector(wire.Header{Kind: wire.Root, A: 2, B: 1, C: 1}, 4),
		"no rows":        vector(wire.Header{Kind: wire.Block, A: 0, B: 1, C: 1}, 0),
		"no columns":     vector(wire.Header{Kind: wire.Block, A: 4}, 0),
		"too few floats": vector(wire.Header{Kind: wire.Block, A: 2, B: 2, C: 1}, 5),
		"an overflow":    vector(wire.Header{Kind: wire.Block, A: 4, B: huge, C: huge}, 0),
		"wraps around":   vector(wire.Header{Kind: wire.Block, A: 2, B: ^uint64(0), C: 3}, 4),
	} {
		_, err := dataset.DecodeBlock(data)
		require.ErrorIs(t, err, job.ErrCorrupt, name)
	}
}

func FuzzDecodeBlock(f *testing.F) {
	f.Add(dataset.Encode(made(1, 3, 2, 1)))
	f.Add([]byte("TRVb"))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := dataset.DecodeBlock(data)
		if err != nil {
			require.ErrorIs(t, err, job.ErrCorrupt)
			return
		}
		require.Len(t, b.X, b.Rows*b.Features)
		require.Len(t, b.Y, b.Rows*b.Targets)
	})
}

// FuzzBlockHeader sets the right checksum, so that it fuzzes the sizes that a header
// announces.
func FuzzBlockHeader(f *testing.F) {
	f.Add(uint64(2), uint64(3), uint64(1), uint8(8))
	f.Add(uint64(2), uint64(1<<63), uint64(1<<63), uint8(0))
	f.Fuzz(func(t *testing.T, a, b, c uint64, n uint8) {
		data, _ := wire.Append(nil, wire.Header{Kind: wire.Block, A: a, B: b, C: c}, make([]float32, n))
		got, err := dataset.DecodeBlock(data)
		if err != nil {
			require.ErrorIs(t, err, job.ErrCorrupt)
			return
		}
		require.Equal(t, int(n), got.Rows*(got.Features+got.Targets))
	})
}
