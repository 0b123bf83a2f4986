package wire

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
	"tributary/shared/numeric"
)

// lossy are the formats that round.
var lossy = map[string]Format{
	"bfloat16":    {Encoding: Bfloat16},
	"int8":        {Encoding: Int8},
	"topk":        {Encoding: TopK, Keep: 0.1},
	"topk of all": {Encoding: TopK, Keep: 1},
}

// rounded returns a random vector that the format can write.
func rounded(f Format, r *rand.Rand, n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(r.NormFloat64()) * float32(math.Exp2(float64(r.IntN(40)-20)))
		switch r.IntN(40) {
		case 0:
			v[i] = 0
		case 1:
			v[i] = float32(math.Copysign(0, -1))
		case 2:
			v[i] *= 0x1p-140
		}
	}
	switch f.Encoding {
	case Bfloat16:
		numeric.RoundBfloat16(v)
	case Int8:
		numeric.RoundInt8(v)
	case TopK:
		numeric.KeepGreatest(v, f.Kept(n))
	case Float32, encodings:
	}
	return v
}

func TestFormatOfAJob(t *testing.T) {
	for _, c := range []struct {
		wire job.Wire
		keep float64
		want Format
	}{
		{"", 0, Format{}},
		{job.WireFloat32, 0, Format{}},
		{job.WireBfloat16, 0, Format{Encoding: Bfloat16}},
		{job.WireInt8, 0, Format{Encoding: Int8}},
		{job.WireTopK, 0.25, Format{Encoding: TopK, Keep: 0.25}},
	} {
		got, err := FormatOf(c.wire, c.keep)
		require.NoError(t, err)
		require.Equal(t, c.want, got)
		require.Equal(t, c.want != Format{}, got.Lossy())
	}
	for _, c := range []struct {
		wire    job.Wire
		keep    float64
		message string
	}{
		{"fp16", 0, `wire "fp16": want one of ["float32" "bfloat16" "int8" "topk"]`},
		{job.WireTopK, 0, "wire_keep 0: want a fraction above 0 and at most 1"},
		{job.WireTopK, math.NaN(), "wire_keep NaN: want a fraction above 0 and at most 1"},
		{job.WireTopK, 1.5, "wire_keep 1.5: want"},
		{job.WireInt8, 0.5, "wire_keep 0.5: want it only with wire topk"},
	} {
		_, err := FormatOf(c.wire, c.keep)
		require.ErrorIs(t, err, job.ErrInvalid)
		require.ErrorContains(t, err, c.message)
	}
	require.ErrorIs(t, Format{Encoding: encodings}.Validate(), job.ErrInvalid)
}

func TestPayloadRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for name, f := range lossy {
		t.Run(name, func(t *testing.T) {
			for _, n := range []int{1, 2, 255, 256, 257, 1000} {
				v := rounded(f, r, n)
				payload, err := f.Payload(v)
				require.NoError(t, err)
				require.LessOrEqual(t, len(payload), f.Size(n))
				if f.Encoding != TopK {
					require.Len(t, payload, f.Size(n))
				}
				got := make([]float32, n)
				for i := range got {
					got[i] = 7
				}
				require.NoError(t, f.ReadPayload(got, payload))
				require.Equal(t, bits(v), bits(got))

				whole, sum, err := f.Append([]byte("before"), Header{Kind: Partial, A: 3}, v)
				require.NoError(t, err)
				h, read, err := f.DecodeInto(got, whole[len("before"):], Partial)
				require.NoError(t, err)
				require.Equal(t, sum, read)
				require.Equal(t, Header{Kind: Partial, Encoding: f.Encoding, A: 3}, h)
				require.Equal(t, bits(v), bits(got))
			}
		})
	}
}

// Elements that are not finite can be encoded too, so that a diverging job is reported as
// such.
func TestPayloadOfWhatIsNotFinite(t *testing.T) {
	inf, nan := float32(math.Inf(1)), math.Float32frombits(canonicalNaN)
	for name, v := range map[string][]float32{
		"bfloat16": {1, -inf, nan},
		"int8":     {nan, nan, nan}, // a block of which one is not finite
		"topk":     {0, inf, 0},
	} {
		payload, err := lossy[name].Payload(v)
		require.NoError(t, err, name)
		got := make([]float32, len(v))
		require.NoError(t, lossy[name].ReadPayload(got, payload), name)
		require.Equal(t, bits(v), bits(got), name)
	}
}

func TestPayloadOfWhatIsNotRounded(t *testing.T) {
	odd := math.Float32frombits(0x3f800001)
	for name, v := range map[string][]float32{
		"bfloat16": {1, odd},
		"int8":     {127, 0.5 + 0x1p-10},
		"topk":     {1, 2, 3},
	} {
		_, err := lossy[name].Payload(v)
		require.ErrorIs(t, err, job.ErrInvalid, name)
		require.ErrorContains(t, err, "want it rounded to "+name)
	}
	_, err := lossy["bfloat16"].Payload([]float32{math.Float32frombits(0x7fc10000)})
	require.ErrorIs(t, err, job.ErrInvalid, "another NaN")
	_, _, err = lossy["int8"].Append(nil, Header{Kind: Partial}, []float32{127, odd})
	require.ErrorIs(t, err, job.ErrInvalid)
}

func TestBadPayloads(t *testing.T) {
	block := func(scale float32, q ...byte) []byte {
		return append(binary.LittleEndian.AppendUint32(nil, math.Float32bits(scale)), q...)
	}
	elements := func(pairs ...uint32) (b []byte) {
		for _, p := range pairs {
			b = binary.LittleEndian.AppendUint32(b, p)
		}
		return b
	}
	one := math.Float32bits(1)
	for _, c := range []struct {
		format  string
		n       int
		payload []byte
		message string
	}{
		{"bfloat16", 2, make([]byte, 3), "3 bytes of floats, 4 expected"},
		{"bfloat16", 1, []byte{0xff, 0x7f}, "element 0 is a NaN of bits 7fff0000"},
		{"int8", 2, make([]byte, 5), "5 bytes of floats, 6 expected"},
		{"int8", 257, make([]byte, 261), "261 bytes of floats, 265 expected"},
		{"int8", 1, block(3, 100), "has the scale 3"},
		{"int8", 1, block(-1, 100), "has the scale -1"},
		{"int8", 1, block(2, 1), "has the scale 2"},
		{"int8", 1, block(float32(math.Inf(1)), 1), "has the scale +Inf"},
		{"int8", 2, block(1, 127, 0x80), "scale"},
		{"int8", 1, block(0, 1), "element 0 is 1 times 0"},
		{"int8", 1, block(math.Float32frombits(canonicalNaN), 1), "element 0 is 1 times NaN"},
		{"int8", 1, block(math.Float32frombits(0x7fc00001), 0), "scale NaN"},
		{"topk", 10, make([]byte, 7), "7 bytes of elements"},
		{"topk", 10, elements(1, one, 2, one), "16 bytes of elements: want 8 for each, at most 8"},
		{"topk", 10, elements(10, one), "element 10 of bits 3f800000: want indexes from 0 to 9"},
		{"topk", 10, elements(math.MaxUint32, one), "element 4294967295"},
		{"topk", 10, elements(3, 0), "element 3 of bits 00000000"},
		{"topk of all", 10, elements(3, one, 3, one), "element 3 of bits 3f800000: want indexes from 4 to 9"},
		{"topk of all", 10, elements(3, one, 2, one), "element 2 of bits 3f800000: want indexes from 4 to 9"},
	} {
		err := lossy[c.format].ReadPayload(make([]float32, c.n), c.payload)
		require.ErrorIs(t, err, job.ErrCorrupt, c.message)
		require.ErrorContains(t, err, c.message)
	}
}

// A vector of one encoding is never read as a vector of another.
func TestEncodingsAreDistinguished(t *testing.T) {
	zeros := make([]float32, 8)
	formats := map[string]Format{"float32": {}, "bfloat16": lossy["bfloat16"], "int8": lossy["int8"], "topk": lossy["topk"]}
	for wrote, f := range formats {
		whole, _, err := f.Append(nil, Header{Kind: Root}, zeros)
		require.NoError(t, err)
		payload, err := f.Payload(zeros)
		require.NoError(t, err)
		seal, _ := f.AppendSeal(nil, Header{Kind: Root}, len(zeros), payload)
		require.NoError(t, HoldsSeal(seal, Root, payload))
		require.ErrorIs(t, HoldsSeal(seal, Root, append(slices.Clip(payload), 1)), job.ErrCorrupt)
		for reads, g := range formats {
			_, _, err := g.DecodeInto(make([]float32, 8), whole, Root)
			_, _, sealErr := g.OpenSeal(make([]float32, 8), seal, Root, payload)
			if wrote == reads {
				require.NoError(t, err)
				require.NoError(t, sealErr)
				continue
			}
			require.ErrorIs(t, err, job.ErrCorrupt, "%s as %s", wrote, reads)
			require.ErrorIs(t, sealErr, job.ErrCorrupt, "%s as %s", wrote, reads)
		}
	}
}

// A format reads exactly the bytes that it would write, and refuses all others.
func FuzzPayload(f *testing.F) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, format := range lossy {
		payload, err := format.Payload(rounded(format, r, 300))
		require.NoError(f, err)
		f.Add(uint8(format.Encoding), uint16(300), payload)
	}
	f.Fuzz(func(t *testing.T, encoding uint8, n uint16, payload []byte) {
		format := Format{Encoding: Encoding(encoding % uint8(encodings))}
		if format.Encoding == TopK {
			format.Keep = 0.1
		}
		v := make([]float32, n)
		if err := format.ReadPayload(v, payload); err != nil {
			require.ErrorIs(t, err, job.ErrCorrupt)
			return
		}
		again, err := format.Payload(v)
		require.NoError(t, err)
		require.Equal(t, payload, append([]byte{}, again...))
	})
}
