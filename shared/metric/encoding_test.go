package metric

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tributary/shared/job"
	"tributary/shared/objective"
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

// extended are sums with extra sums.
func extended() []*Sums {
	classes := Config{Objective: of(job.SoftmaxCrossEntropy), Outputs: 3, Metrics: []job.Metric{job.F1, job.Accuracy}}
	binary := Config{Objective: of(job.SigmoidCrossEntropy), Outputs: 1, Metrics: []job.Metric{job.Brier, job.Recall, job.AUC}}
	numbers := Config{Objective: of(job.MSE), Outputs: 2, Metrics: []job.Metric{job.MAPE}}
	return []*Sums{
		classes.unit([]float32{1, 2, 0, 5, 5, 1, 0, 1, nan}, []float32{1, 2, 0}, 3, 1.5),
		binary.unit([]float32{0, 2, -1}, []float32{0, 1, 1}, 3, 2),
		numbers.unit([]float32{1, 2, 3, 4}, []float32{2, 0, 4, 4}, 2, 3),
		numbers.unit(nil, nil, 0, 0),
	}
}

// weighed are sums of rows with weights, and with a confusion matrix.
func weighed() []*Sums {
	plain := of(job.SoftmaxCrossEntropy)
	weighted, err := objective.Weigh(plain, objective.Weights{Classes: []float64{0.5, 3}}, 1, 1)
	if err != nil {
		panic(err)
	}
	c := Config{Objective: weighted, Outputs: 2, Metrics: []job.Metric{job.Recall}}
	return []*Sums{
		c.unit([]float32{1, 2, 0, 5}, []float32{1, 0}, 2, 1.5),
		Config{Objective: weighted, Outputs: 2}.unit([]float32{1, 2}, []float32{1}, 1, 2),
		Config{Objective: plain, Outputs: 3, Metrics: []job.Metric{job.ConfusionMatrix}}.unit([]float32{1, 2, 0, 3, 0, 0, 0, 1, 0, nan, 0, 0}, []float32{1, 0, 1, 2}, 4, 2),
	}
}

// paired returns the bytes of weighed()[i] with others at a place before their end.
func paired(i, before int, with ...byte) []byte {
	b := weighed()[i].Encode()
	copy(b[len(b)-before:], with)
	return seal(b)
}

// seal replaces the checksum by the correct one.
func seal(b []byte) []byte {
	body := b[:len(b)-8]
	return binary.LittleEndian.AppendUint64(append([]byte(nil), body...), xxhash.Sum64(body))
}

func TestRoundTrip(t *testing.T) {
	for _, s := range slices.Concat(examples(), extended(), weighed()) {
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

// All later programs read and write bytes of versions 1 to 3.
func TestGolden(t *testing.T) {
	for name, sums := range map[string][]*Sums{"testdata/sums-v1.hex": examples(), "testdata/sums-v2.hex": extended(), "testdata/sums-v3.hex": weighed()} {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		lines := strings.Fields(string(text))
		require.Len(t, lines, len(sums))
		for i, s := range sums {
			require.Equal(t, lines[i], hex.EncodeToString(s.Encode()))
			data, err := hex.DecodeString(lines[i])
			require.NoError(t, err)
			got, err := DecodeSums(data)
			require.NoError(t, err)
			require.Equal(t, data, got.Encode())
		}
	}
}

// Only jobs that ask for a later metric, or for the log loss of smoothed labels, write
// version 2.
func TestOldJobsKeepTheirVersion(t *testing.T) {
	old := Config{Objective: of(job.SoftmaxCrossEntropy), Outputs: 2, Metrics: []job.Metric{job.AUC, job.Accuracy, job.LogLoss}}
	require.Equal(t, byte(1), old.unit([]float32{1, 2}, []float32{1}, 1, 1).Encode()[3])
	smoothed := old
	smoothed.Objective = smooth(0.1)
	require.Equal(t, byte(2), smoothed.unit([]float32{1, 2}, []float32{1}, 1, 1).Encode()[3])
	smoothed.Metrics = nil
	require.Equal(t, byte(1), smoothed.unit([]float32{1, 2}, []float32{1}, 1, 1).Encode()[3])
}

func TestDecodeRefuses(t *testing.T) {
	good, more := examples()[0].Encode(), extended()[0].Encode()
	// more has 3 outputs' worth of no spread and no scores: its extra sums begin at 52, its
	// counts at 96.
	change := func(at int, b byte) []byte {
		c := append([]byte(nil), more...)
		c[at] = b
		return seal(c)
	}
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
		"version":        {edit(3, 5), "metric sums: version 5; this program reads versions 1 to 4"},
		"a flipped bit":  {flipped, "checksum"},
		"too many":       {edit(48, 9), "0 outputs, 9 scores, 0 counts and 0 pairs"},
		"very many":      {edit(47, 0xff), "4278190080 outputs"},
		"negative rows":  {edit(11, 0x80), "rows correct"},
		"rows":           {edit(4, 5), "3 scores for 5 rows"},
		"more correct":   {edit(12, 9), "9 of 3 rows correct"},
		"class":          {edit(len(good)-9, 7), "class 7: want 0 or 1"},
		"top":            {change(52, 9), "top 9, zeros 0, units 0 of 3 rows"},
		"zeros":          {change(67, 0x80), "of 3 rows"},
		"counts":         {change(92, 9), "0 outputs, 0 scores, 9 counts and 0 pairs"},
		"order":          {change(96, 1), "count of class 1 after that of class 1"},
		"right":          {change(100, 9), "class 0: 9 right of"},
		"predicted":      {change(108, 9), "9 predicted and 1 actual, 3 rows"},
		"no units":       {paired(1, 20, 0, 0, 0, 0, 0, 0, 0, 0), "no units and no pairs in version 3: want version 2"},
		"negative units": {paired(1, 13, 0x80), "of 1 rows"},
		"pairs":          {paired(2, 44, 9), "3 counts and 9 pairs"},
		"order of pairs": {paired(2, 24, 0, 0, 0, 0, 0), "pair 0, 0 after 0, 0"},
		"rows of a pair": {paired(2, 16, 9), "pair 1, 1 of 9 rows"},
		"no counts":      {seal(append(append([]byte(nil), more[:60]...), 0, 0, 0, 0, 0, 0, 0, 0)), "0 counts and 0 pairs in 60 bytes: want 96"},
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
	for _, s := range append(append(examples(), extended()...), calibrated()...) {
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
			c := Config{Objective: of(loss), Outputs: 1, Metrics: []job.Metric{job.Accuracy, job.RMSE, job.R2, job.AUC, job.F1, job.Brier, job.MAPE, job.CalibrationError}}
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
