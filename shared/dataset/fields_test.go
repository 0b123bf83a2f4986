package dataset_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/cespare/xxhash/v2"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tributary/shared/dataset"
	"tributary/shared/job"
)

// fieldsGolden is a block of fields of version 1. It is never rewritten: a new version gets
// its own file.
const fieldsGolden = "testdata/fields-v1.golden"

// goldenBlock returns the contents of the file.
func goldenBlock(t require.TestingT) *dataset.Block {
	s := append(dataset.Schema{
		{Name: "image", DType: dataset.Uint8, Shape: []int{2, 3}},
		{Name: "user", DType: dataset.Int32},
		{Name: "sound", DType: dataset.Float32, Shape: []int{4}},
		{Name: "label", DType: dataset.Int32, Shape: []int{2}, Target: true, Masked: true},
	}, text(4, 3)...)
	b, err := dataset.NewBlock(s, 2)
	require.NoError(t, err)
	copy(b.Field(0).Uint8(0, 2), []uint8{0, 1, 127, 128, 254, 255, 10, 11, 12, 13, 14, 15})
	copy(b.Field(1).Int32(0, 2), []int32{math.MinInt32, math.MaxInt32})
	copy(b.Field(2).Float32(0, 2), []float32{
		0, float32(math.Copysign(0, -1)), math.SmallestNonzeroFloat32, float32(math.Inf(-1)),
		math.Float32frombits(0x7f800001), math.Float32frombits(0xffc12345), math.MaxFloat32, 1.5,
	})
	copy(b.Field(3).Int32(0, 2), []int32{7, job.Ignored, 0, -1})
	copy(b.Field(4).Int32(0, 2), []int32{100, 101, 102, 103, 104, 105, 106})
	b.Field(5).Int32(1, 2)[3] = 107
	return b
}

// elements returns the bits of the elements of rows of a field.
func elements(f *dataset.Tensor, lo, hi int) []uint32 {
	var all []uint32
	switch f.DType {
	case dataset.Float32:
		for _, v := range f.Float32(lo, hi) {
			all = append(all, math.Float32bits(v))
		}
	case dataset.Int32:
		for _, v := range f.Int32(lo, hi) {
			all = append(all, uint32(v))
		}
	case dataset.Uint8:
		for _, v := range f.Uint8(lo, hi) {
			all = append(all, uint32(v))
		}
	}
	return all
}

// scribble sets all elements of a block to random bits.
func scribble(b *dataset.Block, r *rand.Rand) {
	for i, f := range b.Schema() {
		t := b.Field(i)
		switch f.DType {
		case dataset.Float32:
			for i, v := 0, t.Float32(0, b.Rows); i < len(v); i++ {
				v[i] = math.Float32frombits(r.Uint32())
			}
		case dataset.Int32:
			for i, v := 0, t.Int32(0, b.Rows); i < len(v); i++ {
				v[i] = int32(r.Uint32())
			}
		case dataset.Uint8:
			for i, v := 0, t.Uint8(0, b.Rows); i < len(v); i++ {
				v[i] = uint8(r.Uint32())
			}
		}
	}
}

func requireSameRows(t require.TestingT, want, got *dataset.Block) {
	require.Equal(t, want.Rows, got.Rows)
	require.True(t, want.Schema().Equal(got.Schema()))
	for i := range want.Schema() {
		for row := range want.Rows {
			require.Equal(t, elements(want.Field(i), row, row+1), elements(got.Field(i), row, row+1))
		}
	}
}

func TestGoldenBlockOfFields(t *testing.T) {
	want, err := os.ReadFile(fieldsGolden)
	require.NoError(t, err)
	require.Equal(t, want, dataset.Encode(goldenBlock(t)))
	got, err := dataset.DecodeBlock(want)
	require.NoError(t, err)
	requireSameRows(t, goldenBlock(t), got)
}

// TestLayoutOfABlockOfFields compares the golden file with the documented layout.
func TestLayoutOfABlockOfFields(t *testing.T) {
	data, err := os.ReadFile(fieldsGolden)
	require.NoError(t, err)
	word := func(at int) uint32 { return binary.LittleEndian.Uint32(data[at:]) }
	require.Equal(t, "TRFb", string(data[:4]))
	require.Equal(t, []uint32{1, 2}, []uint32{word(4), word(8)})
	schema := data[16 : 16+word(12)]
	require.Equal(t, `[{"name":"image","dtype":"uint8","shape":[2,3]},{"name":"user","dtype":"int32"},`+
		`{"name":"sound","dtype":"float32","shape":[4]},{"name":"label","dtype":"int32","shape":[2],"target":true,"masked":true},`+
		`{"name":"x","dtype":"int32","shape":[4],"window":{"of":"tokens","stride":3}},`+
		`{"name":"y","dtype":"int32","shape":[4],"target":true,"window":{"of":"tokens","offset":1,"stride":3}}]`, string(schema))
	at := (16 + len(schema) + 63) / 64 * 64
	require.Equal(t, []byte{0, 1, 127, 128, 254, 255, 10, 11, 12, 13, 14, 15}, data[at:at+12])
	require.Equal(t, uint32(0x80000000), word(at+64))
	require.Equal(t, uint32(0x7f800001), word(at+128+16), "a signalling NaN")
	require.Equal(t, int32(-100), int32(word(at+192+4)))
	for i := range 8 {
		require.EqualValues(t, 100+i, word(at+256+4*i), "each token once")
	}
	require.Len(t, data, at+320+8)
	require.Equal(t, xxhash.Sum64(data[:at+320]), binary.LittleEndian.Uint64(data[at+320:]))
}

func TestAnyBlockOfFieldsIsReadAsItWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want, err := dataset.NewBlock(drawSchema(t), rapid.IntRange(1, 9).Draw(t, "rows"))
		require.NoError(t, err)
		scribble(want, rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0)))
		data := dataset.Encode(want)
		for shift := range 4 { // words in memory that is not aligned are copied
			got, err := dataset.DecodeBlock(append(make([]byte, shift), data...)[shift:])
			require.NoError(t, err)
			requireSameRows(t, want, got)
			require.Equal(t, data, dataset.Encode(got))
		}
	})
}

func TestABlockOfFieldsIsReadInPlace(t *testing.T) {
	data, err := os.ReadFile(fieldsGolden)
	require.NoError(t, err)
	b, err := dataset.DecodeBlock(data)
	require.NoError(t, err)
	at := bytes.Index(data, []byte{127, 128, 254})
	little := binary.NativeEndian.Uint16([]byte{1, 0}) == 1
	require.Equal(t, little, &data[at] == &b.Field(0).Uint8(0, 1)[2])
	require.Equal(t, 6, cap(b.Field(0).Uint8(0, 1)), "an append does not reach the next row")
}

func TestAFloatTableReadsAlikeThroughBothFormats(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		features, targets := rapid.IntRange(1, 9).Draw(t, "features"), rapid.IntRange(1, 3).Draw(t, "targets")
		table := &dataset.Block{Rows: rapid.IntRange(1, 9).Draw(t, "rows"), Features: features, Targets: targets}
		table.X, table.Y = make([]float32, table.Rows*features), make([]float32, table.Rows*targets)
		scribble(table, rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0)))
		fields, err := dataset.NewBlock(dataset.Table(features, targets), table.Rows)
		require.NoError(t, err)
		copy(fields.Field(0).Float32(0, table.Rows), table.X)
		copy(fields.Field(1).Float32(0, table.Rows), table.Y)
		for _, b := range []*dataset.Block{table, fields} {
			got, err := dataset.DecodeBlock(dataset.Encode(b))
			require.NoError(t, err)
			requireSameRows(t, table, got)
		}
	})
}

func TestEveryDamageToABlockOfFieldsIsRefused(t *testing.T) {
	data, err := os.ReadFile(fieldsGolden)
	require.NoError(t, err)
	for n := range data {
		_, err := dataset.DecodeBlock(data[:n])
		require.ErrorIs(t, err, job.ErrCorrupt, n)
	}
	_, err = dataset.DecodeBlock(append(bytes.Clone(data), 0))
	require.ErrorIs(t, err, job.ErrCorrupt)
	for bit := range 8 * len(data) {
		data[bit/8] ^= 1 << (bit % 8)
		_, err := dataset.DecodeBlock(data)
		require.ErrorIs(t, err, job.ErrCorrupt, bit)
		data[bit/8] ^= 1 << (bit % 8)
	}
}

// sealed returns a block with this body and the right checksum.
func sealed(body []byte) []byte {
	return binary.LittleEndian.AppendUint64(bytes.Clone(body), xxhash.Sum64(body))
}

// announced returns the body of a block: a head that announces these sizes, followed by
// zeros.
func announced(version, rows uint32, schema string, zeros int) []byte {
	body := []byte("TRFb")
	for _, n := range []uint32{version, rows, uint32(len(schema))} {
		body = binary.LittleEndian.AppendUint32(body, n)
	}
	return append(append(body, schema...), make([]byte, zeros)...)
}

// strange are bodies that a program of this version never writes, keyed by a part of the
// error.
func strange(t require.TestingT) map[string][]byte {
	const user = `[{"name":"user","dtype":"int32"}]`
	zeros := 128 - 16 - len(user) // zeros before and in the section
	golden := dataset.Encode(goldenBlock(t))
	between := golden[:len(golden)-8]
	between[len(between)-1] = 1
	short := announced(1, 1, user, 0)
	short[12] = 255
	return map[string][]byte{
		"version 2; this program reads version 1":           announced(2, 1, user, zeros),
		"block of 0 rows: want 1 to 2147483647":             announced(1, 0, user, zeros),
		"block of 2147483648 rows":                          announced(1, 1<<31, user, zeros),
		"1 rows of its fields take 136":                     announced(1, 1, user, zeros-64),
		"block of 200 bytes: 1 rows of its fields take 136": announced(1, 1, user, zeros+64),
		"17 rows of its fields take 200":                    announced(1, 17, user, zeros),
		"2147483647 rows of its fields take 8589934664":     announced(1, math.MaxInt32, user, zeros),
		"a schema of 255 bytes: want at most 33":            short,
		"a schema of 32769 bytes: want at most 32768":       announced(1, 1, string(make([]byte, 32<<10+1)), zeros),
		"block's schema: ":                                  announced(1, 1, `{"name":"user"}`, zeros),
		"0 fields":                                          announced(1, 1, `null`, zeros),
		`field "user": dtype "int64"`:                       announced(1, 1, `[{"name":"user","dtype":"int64"}]`, zeros),
		"not as this version writes it":                     announced(1, 1, `[{"name":"user", "dtype":"int32"}]`, zeros-1),
		`want "[{\"name\":\"user\",\"dtype\":\"int32\"}]`:   announced(1, 1, `[{"name":"user","dtype":"int32","shape":[]}]`, zeros),
		`shape [2147483647 2147483647 2147483647]`:          announced(1, 1, `[{"name":"user","dtype":"int32","shape":[2147483647,2147483647,2147483647]}]`, zeros),
		"block has bytes that are not 0 after section 4":    between,
	}
}

func TestABlockOfStrangeFieldsIsRefused(t *testing.T) {
	for want, body := range strange(t) {
		_, err := dataset.DecodeBlock(sealed(body))
		require.ErrorIs(t, err, job.ErrCorrupt, want)
		require.NotErrorIs(t, err, job.ErrInvalid, want)
		require.ErrorContains(t, err, want)
	}
}

// FuzzFields sets the right checksum, so that it fuzzes everything before the checksum.
func FuzzFields(f *testing.F) {
	for _, body := range strange(f) {
		f.Add(body)
	}
	data := dataset.Encode(goldenBlock(f))
	f.Add(data[:len(data)-8])
	f.Fuzz(func(t *testing.T, body []byte) {
		data := sealed(append([]byte("TRFb"), body...))
		if bytes.HasPrefix(body, []byte("TRFb")) {
			data = sealed(body)
		}
		b, err := dataset.DecodeBlock(data)
		if err != nil {
			require.ErrorIs(t, err, job.ErrCorrupt)
			return
		}
		require.Equal(t, data, dataset.Encode(b))
		for i, field := range b.Schema() {
			size := 1
			for _, d := range field.Shape {
				size *= d
			}
			for _, row := range []int{0, b.Rows - 1} {
				require.Len(t, elements(b.Field(i), row, row+1), size)
			}
		}
	})
}
