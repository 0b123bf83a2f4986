package wire_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tributary/shared/job"
	"tributary/shared/wire"
)

// The two parts of a vector, joined, are the vector.
func TestSealIsWhatStandsAroundTheFloats(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kind := rapid.SampledFrom([]wire.Kind{wire.Partial, wire.Root, wire.Snapshot, wire.Block}).Draw(t, "kind")
		h := wire.Header{
			Kind: kind, A: rapid.Uint64().Draw(t, "A"), B: rapid.Uint64().Draw(t, "B"), C: rapid.Uint64().Draw(t, "C"),
			Examples: rapid.Int64().Draw(t, "examples"), Loss: rapid.Float64().Draw(t, "loss"),
		}
		if kind == wire.Root || kind == wire.Snapshot {
			h.Chain[5] = rapid.Byte().Draw(t, "chain")
		}
		v := rapid.SliceOf(rapid.Float32()).Draw(t, "v")
		seal, sum := wire.AppendSeal([]byte("before"), h, v)
		seal = seal[len("before"):]
		require.LessOrEqual(t, len(seal), wire.SealSize)
		whole, want := wire.Append(nil, h, v)
		require.Equal(t, want, sum)
		joined := append(append(append([]byte{}, seal[:len(seal)-8]...), wire.Bytes(v)...), seal[len(seal)-8:]...)
		require.Equal(t, whole, joined)

		got := make([]float32, len(v))
		copy(wire.Memory(got), wire.Bytes(v))
		opened, sum, err := wire.OpenSeal(seal, kind, wire.Memory(got))
		wire.FromLittle(got)
		require.NoError(t, err)
		require.Equal(t, want, sum)
		require.Equal(t, h, opened)
		require.Equal(t, wire.Bytes(v), wire.Bytes(got))

		spoilt := append([]byte{}, seal...)
		spoilt[rapid.IntRange(0, len(seal)-1).Draw(t, "at")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		_, _, err = wire.OpenSeal(spoilt, kind, wire.Bytes(v))
		require.ErrorIs(t, err, job.ErrCorrupt)
	})
}

func TestSealThatDoesNotBelong(t *testing.T) {
	v := []float32{1, 2, 3}
	seal, _ := wire.AppendSeal(nil, wire.Header{Kind: wire.Root}, v)
	for name, c := range map[string]struct {
		seal   []byte
		kind   wire.Kind
		floats []byte
	}{
		"empty":        {nil, wire.Root, wire.Bytes(v)},
		"short":        {seal[:20], wire.Root, wire.Bytes(v)},
		"another kind": {seal, wire.Snapshot, wire.Bytes(v)},
		"fewer floats": {seal, wire.Root, wire.Bytes(v[:2])},
		"half a float": {seal, wire.Root, wire.Bytes(v)[:11]},
		"other floats": {seal, wire.Root, wire.Bytes([]float32{1, 2, 4})},
	} {
		_, _, err := wire.OpenSeal(c.seal, c.kind, c.floats)
		require.ErrorIs(t, err, job.ErrCorrupt, name)
	}
}

// Sealing a vector costs one pass over it and no memory.
func TestSealAllocatesNothing(t *testing.T) {
	v, room := make([]float32, 1000), make([]byte, 0, wire.SealSize)
	require.Zero(t, testing.AllocsPerRun(10, func() {
		seal, _ := wire.AppendSeal(room, wire.Header{Kind: wire.Root}, v)
		if _, _, err := wire.OpenSeal(seal, wire.Root, wire.Bytes(v)); err != nil {
			t.Fatal(err)
		}
	}))
}
