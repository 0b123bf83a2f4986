package metric

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tributary/shared/job"
)

// examples are sums of each kind, with numbers that JSON cannot represent.
func examples() []*Sums {
	ranked := Config{Objective: of(job.SoftmaxCrossEntropy), Outputs: 2, Metrics: []job.Metric{job.AUC}}
	regression := Config{Objective: of(job.MSE), Outputs: 2}
	return []*Sums{
		ranked.unit([]float32{1, 2, nan, 4, inf, 0}, []float32{1, 0, 1}, 3, math.NaN()),
		regression.unit([]float32{1, 2, 3, -inf}, []float32{1.5, 2, 3, 4}, 2, math.Inf(1)),
		{},
	}
}

// seal replaces the checksum by the correct one.
func seal(b []byte) []byte {
	body := b[:len(b)-8]
	return binary.LittleEndian.AppendUint64(append([]byte(nil), body...), xxhash.Sum64(body))
}

func TestRoundTrip(t *testing.T) {
	for _, s := range examples() {
		b := s.Encode()
		got, err := DecodeSums(b)
		require.NoError(t, err)
		require.Equal(t, b, got.Encode())
	}
	rapid.Check(t, func(t *rapid.T) {
		s := &Sums{rows: int64(rapid.IntRange(0, 20).Draw(t, "rows")), loss: rapid.Float64().Draw(t, "loss")}
		s.squared, s.abs = rapid.Float64().Draw(t, "squared"), rapid.Float64().Draw(t, "abs")
		for range rapid.IntRange(0, 3).Draw(t, "outputs") {
			s.spread = append(s.spread, spread{s.rows, rapid.Float64().Draw(t, "mean"), rapid.Float64().Draw(t, "m2")})
		}
		for range s.rows {
			s.scores = append(s.scores, rapid.Float32().Draw(t, "score"))
			s.second = append(s.second, rapid.Bool().Draw(t, "second"))
		}
		got, err := DecodeSums(s.Encode())
		require.NoError(t, err)
		require.Equal(t, s, got)
	})
}

// All later programs read and write bytes of version 1.
func TestGolden(t *testing.T) {
	text, err := os.ReadFile("testdata/sums-v1.hex")
	require.NoError(t, err)
	lines := strings.Fields(string(text))
	for i, s := range examples() {
		require.Equal(t, lines[i], hex.EncodeToString(s.Encode()))
	}
}

func TestDecodeRefuses(t *testing.T) {
	good := examples()[0].Encode()
	edit := func(at int, b byte) []byte {
		c := append([]byte(nil), good...)
		c[at] = b
		return seal(c)
	}
	flipped := append([]byte(nil), good...)
	flipped[20] ^= 1
	for name, c := range map[string]struct {
		data    []byte
		message string
	}{
		"nothing":        {nil, "0 bytes: want at least 60"},
		"short":          {good[:59], "59 bytes: want at least 60"},
		"truncated":      {good[:len(good)-1], "checksum"},
		"magic":          {edit(0, 'X'), `begin with "XRM"`},
		"version":        {edit(3, 2), "version 2; this program reads version 1"},
		"a flipped bit":  {flipped, "checksum"},
		"too many":       {edit(48, 9), "0 outputs and 9 scores"},
		"very many":      {edit(47, 0xff), "4278190080 outputs"},
		"negative rows":  {edit(11, 0x80), "rows correct"},
		"rows":           {edit(4, 5), "3 scores for 5 rows"},
		"more correct":   {edit(12, 9), "9 of 3 rows correct"},
		"class":          {edit(len(good)-9, 7), "class 7: want 0 or 1"},
		"output's count": {func() []byte { b := examples()[1].Encode(); b[52] = 9; return seal(b) }(), "output 0 of 9 rows: want 2"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := DecodeSums(c.data)
			require.Nil(t, s)
			require.ErrorIs(t, err, job.ErrCorrupt)
			require.ErrorContains(t, err, c.message)
		})
	}
}

// For any bytes, decoding does not panic. It accepts only what Encode could have made, and
// what it accepts can be combined.
func FuzzDecodeSums(f *testing.F) {
	for _, s := range examples() {
		f.Add(s.Encode())
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) >= 8 {
			data = seal(data)
		}
		s, err := DecodeSums(data)
		if err != nil {
			require.ErrorIs(t, err, job.ErrCorrupt)
			return
		}
		require.Equal(t, data, s.Encode())
		for _, loss := range []job.Loss{job.SigmoidCrossEntropy, job.MSE} {
			c := Config{Objective: of(loss), Outputs: 1, Metrics: []job.Metric{job.Accuracy, job.RMSE, job.R2, job.AUC}}
			for name, v := range c.Combine([]*Sums{s, s}).Values {
				require.False(t, math.IsNaN(v) || math.IsInf(v, 0), name)
			}
		}
	})
}

func BenchmarkAUC(b *testing.B) {
	c := Config{Objective: of(job.SigmoidCrossEntropy), Outputs: 1, Metrics: []job.Metric{job.AUC}}
	const n = 1 << 16
	z, y := make([]float32, n), make([]float32, n)
	for i := range z {
		z[i], y[i] = float32(i*7919%n), float32(i%2)
	}
	u := []*Sums{c.unit(z, y, n, 1)}
	b.ReportAllocs()
	for b.Loop() {
		c.Combine(u)
	}
}
