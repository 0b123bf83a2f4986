package wire

import (
	"encoding/binary"
	"math"
	"os"
	"testing"

	"github.com/cespare/xxhash/v2"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tributary/shared/job"
)

// goldens are the golden files, by kind of vector. They are never rewritten: a new version
// gets its own file.
var goldens = map[Kind]string{Partial: "testdata/vector-v1.golden", Root: "testdata/root-v2.golden"}

// golden returns the contents of the file of a kind.
func golden(k Kind) (Header, []float32) {
	h := Header{Kind: k, A: 41, B: 3, C: 1 << 40, Examples: -7, Loss: 0.1}
	if k.chained() {
		for i := range h.Chain {
			h.Chain[i] = byte(i + 1)
		}
	}
	return h, []float32{0, float32(math.Copysign(0, -1)), 1.5, -math.MaxFloat32, math.SmallestNonzeroFloat32, float32(math.Inf(1))}
}

func TestGolden(t *testing.T) {
	for k, file := range goldens {
		want, err := os.ReadFile(file)
		require.NoError(t, err)
		h, v := golden(k)
		got, sum := Append(nil, h, v)
		require.Equal(t, want, got)
		require.Equal(t, xxhash.Sum64(want[:len(want)-8]), sum)
		dst := make([]float32, len(v))
		back, backSum, err := DecodeInto(dst, want, k)
		require.NoError(t, err)
		require.Equal(t, h, back)
		require.Equal(t, sum, backSum)
		require.Equal(t, bits(v), bits(dst))
	}
}

// TestLayout compares the golden files with the documented layout, field by field.
func TestLayout(t *testing.T) {
	for k, file := range goldens {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		version, floats := 1, 56
		if k == Root {
			version, floats = 2, 88
			for i, b := range data[56:88] {
				require.EqualValues(t, i+1, b)
			}
		}
		word := func(at int) uint64 { return binary.LittleEndian.Uint64(data[at:]) }
		require.Equal(t, "TRV"+string(k), string(data[:4]))
		require.EqualValues(t, version, binary.LittleEndian.Uint32(data[4:]))
		require.Equal(t, []uint64{41, 3, 1 << 40}, []uint64{word(8), word(16), word(24)})
		require.EqualValues(t, -7, int64(word(32)))
		require.Equal(t, math.Float64bits(0.1), word(40))
		require.EqualValues(t, 6, word(48))
		require.Len(t, data, floats+4*6+8)
		require.LessOrEqual(t, len(data), Overhead+4*6)
		require.Equal(t, math.Float32bits(1.5), binary.LittleEndian.Uint32(data[floats+8:]))
	}
}

// The error for a vector from before the chain names its version.
func TestARootOfVersion1IsRefused(t *testing.T) {
	data, err := os.ReadFile("testdata/vector-v1.golden")
	require.NoError(t, err)
	for _, k := range []Kind{Root, Snapshot} {
		data[3] = byte(k)
		_, _, _, err = Decode(resealed(data))
		require.ErrorIs(t, err, job.ErrCorrupt)
		require.ErrorContains(t, err, "vector of kind '"+string(k)+"' has version 1; this program reads version 2")
	}
}

func bits(v []float32) []uint32 {
	b := make([]uint32, len(v))
	for i, x := range v {
		b[i] = math.Float32bits(x)
	}
	return b
}

// drawVector draws a random header and random bits.
func drawVector(rt *rapid.T) (Header, []float32) {
	h := Header{
		Kind: Kind(rapid.OneOf(rapid.SampledFrom([]byte("prsb")), rapid.Byte()).Draw(rt, "kind")),
		A:    rapid.Uint64().Draw(rt, "A"), B: rapid.Uint64().Draw(rt, "B"), C: rapid.Uint64().Draw(rt, "C"),
		Examples: rapid.Int64().Draw(rt, "examples"), Loss: rapid.Float64().Draw(rt, "loss"),
	}
	if h.Kind.chained() {
		copy(h.Chain[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(rt, "chain"))
	}
	raw := rapid.SliceOfN(rapid.Uint32(), 0, 20).Draw(rt, "floats")
	v := make([]float32, len(raw))
	for i, b := range raw {
		v[i] = math.Float32frombits(b)
	}
	return h, v
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		h, v := drawVector(rt)
		prefix := []byte("kept")
		data, sum := Append(prefix, h, v)
		require.Equal(rt, "kept", string(data[:4]))
		data = data[4:]
		require.Len(rt, data, h.Kind.headerSize()+4*len(v)+8)
		require.LessOrEqual(rt, len(data), Overhead+4*len(v))
		dst := make([]float32, len(v))
		back, backSum, err := DecodeInto(dst, data, h.Kind)
		require.NoError(rt, err)
		require.Equal(rt, h, back)
		require.Equal(rt, sum, backSum)
		require.Equal(rt, bits(v), bits(dst))

		// The slow way, float by float, gives the same bytes.
		var slow []byte
		for _, b := range bits(v) {
			slow = binary.LittleEndian.AppendUint32(slow, b)
		}
		require.Equal(rt, slow, AppendFloats(slow[:0:0], v))

		// Decode detects any single changed byte.
		at := rapid.IntRange(0, len(data)-1).Draw(rt, "at")
		data[at] ^= byte(rapid.IntRange(1, 255).Draw(rt, "change"))
		_, _, _, err = Decode(data)
		require.ErrorIs(rt, err, job.ErrCorrupt)
	})
}

// resealed appends the right checksum to changed bytes.
func resealed(data []byte) []byte {
	body := data[:len(data)-8]
	return binary.LittleEndian.AppendUint64(append([]byte(nil), body...), xxhash.Sum64(body))
}

func TestBadBytes(t *testing.T) {
	h, v := golden(Partial)
	good, _ := Append(nil, h, v)
	edit := func(at int, with ...byte) []byte {
		data := append([]byte(nil), good...)
		copy(data[at:], with)
		return resealed(data)
	}
	for name, c := range map[string]struct {
		data []byte
		says string
	}{
		"nil":           {nil, "at least 64 expected"},
		"header only":   {good[:63], "at least 64 expected"},
		"magic":         {edit(0, 'X'), `"XRV", not "TRV"`},
		"version 0":     {edit(4, 0), "version 0"},
		"version 2":     {edit(4, 2), "version 2; this program reads version 1"},
		"no chain":      {edit(3, 'r', 2)[:64], "kind 'r' of 64 bytes: at least 96 expected"},
		"checksum":      {append(append([]byte(nil), good[:len(good)-1]...), good[len(good)-1]^1), "checksum"},
		"cut":           {good[:len(good)-4], "checksum"},
		"longer":        {append(append([]byte(nil), good...), 0), "checksum"},
		"fewer floats":  {edit(48, 5), "announces 5 floats"},
		"more floats":   {edit(48, 7), "announces 7 floats"},
		"absurd floats": {edit(48, 6, 0, 0, 0, 0, 0, 0, 0x40), "announces 4611686018427387910 floats"},
		"half a float":  {resealed(append(append([]byte(nil), good[:len(good)-8]...), make([]byte, 10)...)), "holds 26 bytes"},
	} {
		_, _, _, err := Decode(c.data)
		require.ErrorIs(t, err, job.ErrCorrupt, name)
		require.ErrorContains(t, err, c.says, name)
		_, _, err = DecodeInto(make([]float32, 6), c.data, Partial)
		require.ErrorIs(t, err, job.ErrCorrupt, name)
	}
	for name, c := range map[string]struct {
		n    int
		kind Kind
		says string
	}{
		"kind":  {6, Root, `of kind 'p', 'r' expected`},
		"short": {5, Partial, "holds 6 floats, 5 expected"},
		"long":  {7, Partial, "holds 6 floats, 7 expected"},
		"none":  {0, Partial, "holds 6 floats, 0 expected"},
	} {
		_, _, err := DecodeInto(make([]float32, c.n), good, c.kind)
		require.ErrorIs(t, err, job.ErrCorrupt, name)
		require.ErrorContains(t, err, c.says, name)
	}
}

// FuzzDecode checks that Decode does not panic for any bytes, and that it accepts exactly
// what Append makes.
func FuzzDecode(f *testing.F) {
	for _, k := range []Kind{Partial, Root} {
		h, v := golden(k)
		for n := range v {
			data, _ := Append(nil, h, v[:n])
			f.Add(data)
			f.Add(data[:len(data)/2])
		}
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		// Random bytes almost never have the right checksum, so try them with it, too.
		candidates := [][]byte{data}
		if len(data) >= 8 {
			candidates = append(candidates, resealed(data))
		}
		for _, data := range candidates {
			h, floats, sum, err := Decode(data)
			if err != nil {
				require.ErrorIs(t, err, job.ErrCorrupt)
				continue
			}
			v := make([]float32, len(floats)/4)
			Floats(v, floats)
			again, againSum := Append(nil, h, v)
			require.Equal(t, data, again)
			require.Equal(t, sum, againSum)
		}
	})
}

func BenchmarkAppend256KiB(b *testing.B) {
	v := make([]float32, 64<<10)
	buf := make([]byte, 0, Overhead+4*len(v))
	b.SetBytes(int64(4 * len(v)))
	for b.Loop() {
		Append(buf, Header{Kind: Root}, v)
	}
}

func BenchmarkDecode256KiB(b *testing.B) {
	v := make([]float32, 64<<10)
	data, _ := Append(nil, Header{Kind: Root}, v)
	b.SetBytes(int64(4 * len(v)))
	for b.Loop() {
		if _, _, err := DecodeInto(v, data, Root); err != nil {
			b.Fatal(err)
		}
	}
}
