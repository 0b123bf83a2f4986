package metric

import (
	"encoding/hex"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
)

// A probability at the upper edge of a bin belongs to it, as float32 has it.
func TestBinsOfCalibration(t *testing.T) {
	for p, want := range map[float32]int{
		0: 0, 1e-30: 0, 0.0666666: 0, 0.0666667: 1, 0.2: 3, 0.5: 7, 0.53333336: 8, 0.5333333: 7, 0.99: 14, 1: 14, float32(math.NaN()): 0, -1: 0, 2: 14,
	} {
		require.Equal(t, want, binOf(p), p) // 0.2 as float32 is above 3/15
	}
}

// By hand: three rows of two classes, with probabilities 0.5, 0.5 and 1 of the predicted class.
func TestCalibrationErrorByHand(t *testing.T) {
	c := Config{Objective: of(job.SoftmaxCrossEntropy), Outputs: 2, Metrics: []job.Metric{job.CalibrationError}}
	k := c.Count()
	k.Add([]float32{1, 1, 2, 2, 200, 0}, []float32{0, 1, 1}, 3)
	// Bin 7: 2 rows, 1 right, Σp = 1: no error. Bin 14: 1 row, none right, Σp = 1: an error of 1.
	require.Equal(t, map[string]float64{"loss": k.Sums().loss / 3, "expected_calibration_error": 1.0 / 3}, c.Combine([]*Sums{k.Sums()}).Values)

	k = c.Count()
	k.Add([]float32{nan, 1}, []float32{0}, 1)
	require.Contains(t, c.Combine([]*Sums{k.Sums()}).Undefined, "expected_calibration_error")
	require.Equal(t, noRows, c.Combine(nil).Undefined["expected_calibration_error"])
	other := Config{Objective: of(job.MSE), Outputs: 1, Metrics: []job.Metric{job.CalibrationError}}
	require.Contains(t, other.Combine([]*Sums{other.unit([]float32{1}, []float32{1}, 1, 1)}).Undefined["expected_calibration_error"], "loss mse does not have this metric")
	old := Config{Objective: c.Objective, Outputs: 2, Metrics: []job.Metric{job.F1}}
	require.Equal(t, "the evaluation has no sums for it", c.Combine([]*Sums{old.unit([]float32{1, 2}, []float32{1}, 1, 1)}).Undefined["expected_calibration_error"])
}

// calibrated are sums with bins, with and without pairs.
func calibrated() []*Sums {
	binary := Config{Objective: of(job.SigmoidCrossEntropy), Outputs: 1, Metrics: []job.Metric{job.CalibrationError}}
	classes := Config{Objective: of(job.SoftmaxCrossEntropy), Outputs: 3, Metrics: []job.Metric{job.ConfusionMatrix, job.CalibrationError}}
	return []*Sums{
		binary.unit([]float32{0, 2, -1}, []float32{0, 1, 1}, 3, 2),
		classes.unit([]float32{1, 2, 0, 3, 0, 0, 0, 1, 0, nan, 0, 0}, []float32{1, 0, 1, 2}, 4, 2),
	}
}

func TestGoldenBins(t *testing.T) {
	text, err := os.ReadFile("testdata/sums-v4.hex")
	require.NoError(t, err)
	lines := strings.Fields(string(text))
	require.Len(t, lines, len(calibrated()))
	for i, s := range calibrated() {
		data := s.Encode()
		require.Equal(t, lines[i], hex.EncodeToString(data))
		got, err := DecodeSums(data)
		require.NoError(t, err)
		require.Equal(t, data, got.Encode())
	}
	for at, want := range map[int]string{8 + 15*24: "bin of 255 rows", 8 + 15*24 - 8: "0 rows, 255 of them right"} {
		b := calibrated()[0].Encode()
		b[len(b)-at] = 0xff
		_, err := DecodeSums(seal(b))
		require.ErrorIs(t, err, job.ErrCorrupt)
		require.ErrorContains(t, err, want)
	}
	b := calibrated()[0].Encode()
	b[4] = 5 // rows
	_, err = DecodeSums(seal(b))
	require.ErrorContains(t, err, "2 rows in no bin")
	_, err = DecodeSums(seal(append(calibrated()[0].Encode(), 0)))
	require.ErrorIs(t, err, job.ErrCorrupt)
}
