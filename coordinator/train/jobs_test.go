package train

import (
	"bytes"
	"cmp"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/coordinator/predict"
	"tributary/coordinator/report"
	"tributary/shared/job"
	"tributary/shared/lifecycle"
	"tributary/shared/registry"
)

func TestDigits(t *testing.T) {
	text := worked(t, "digits.yaml")
	want, serial := reference(t, decoded(t, text))
	for _, workers := range []int{1, 2, 3, 8} {
		t.Run(fmt.Sprint(workers, " workers"), func(t *testing.T) {
			o, dir := trained(t, text, workers)
			require.Equal(t, want, o.ParametersSHA256)
			require.Equal(t, serial.Metrics, o.Metrics)
			require.GreaterOrEqual(t, o.Metrics[job.Test]["accuracy"], 0.96)
			require.EqualValues(t, 180, o.Steps)
			if workers == 2 {
				checkFiles(t, dir, o)
				checkRawAccuracy(t, dir, o)
			}
		})
	}
}

// The network must be clearly better than a linear model of the same houses, and the
// linear model must be sensible.
func TestHousePrices(t *testing.T) {
	linear, dir := trained(t, worked(t, "house-prices-linear.yaml"), 2)
	checkFiles(t, dir, linear)
	checkRawRMSE(t, dir, linear)
	network, dir := trained(t, worked(t, "house-prices.yaml"), 2)
	checkFiles(t, dir, network)
	checkRawRMSE(t, dir, network)

	l, n := linear.Metrics[job.Test], network.Metrics[job.Test]
	require.Greater(t, l["r2"], 0.8)
	require.Greater(t, n["r2"], 0.9)
	require.Less(t, n["rmse"], 0.9*l["rmse"])
	require.Greater(t, n["rmse"], 10_000.0, "dollars")
	require.Less(t, l["rmse"], 40_000.0, "dollars")
}

func TestCredit(t *testing.T) {
	text := worked(t, "credit.yaml")
	require.Contains(t, column(t, decoded(t, text).Data.Source, "Income"), "", "a real missing value")
	o, dir := trained(t, text, 3)
	want, _ := reference(t, decoded(t, text))
	require.Equal(t, want, o.ParametersSHA256)
	require.Greater(t, o.Metrics[job.Test]["auc"], 0.8)
	require.Equal(t, []string{"bad", "good"}, loaded(t, dir).Card.Classes)
	checkFiles(t, dir, o)
	checkRawAccuracy(t, dir, o)
}

// The test computes gradient descent on a line, in float64 and explicitly:
//
// w ← w − η·2/n Σ (wx+b−y)x, b ← b − η·2/n Σ (wx+b−y).
func TestLineIsGradientDescent(t *testing.T) {
	text := worked(t, "line.json")
	o, dir := trained(t, text, 1)
	checkFiles(t, dir, o)
	w, b := initialLine(t, text)
	xs, ys := []float64{1, 2, 3, 4, 5}, []float64{2, 4, 5, 6, 8}
	for range o.Steps {
		var dw, db float64
		for i, x := range xs {
			e := w*x + b - ys[i]
			dw, db = dw+2*e*x/5, db+2*e/5
		}
		w, b = w-0.01*dw, b-0.01*db
	}
	m := loaded(t, dir)
	require.InEpsilon(t, w, float64(m.Weights.Trained[0]), 1e-5)
	require.InEpsilon(t, b, float64(m.Weights.Trained[1]), 1e-5)
	require.InEpsilon(t, 6*w+b, at6(t, m), 1e-5)
}

// With more epochs, and a higher rate to need fewer of them, the result approaches the
// least squares: 1.4 x + 0.8.
func TestLineTendsToLeastSquares(t *testing.T) {
	text := replaced(t, worked(t, "line.json"), `"epochs": 100`, `"epochs": 600`)
	_, dir := trained(t, replaced(t, text, `"learning_rate": 0.01`, `"learning_rate": 0.05`), 1)
	m := loaded(t, dir)
	require.InDelta(t, 1.4, m.Weights.Trained[0], 1e-3)
	require.InDelta(t, 0.8, m.Weights.Trained[1], 1e-3)
	require.InDelta(t, 9.2, at6(t, m), 1e-3)
}

func at6(t *testing.T, m *registry.Model) float64 {
	t.Helper()
	p, err := m.PredictJSON(t.Context(), []byte(`{"rows":[[6]]}`), registry.Limits{Rows: 1, Answer: 1000})
	require.NoError(t, err)
	return float64(p.Predictions[0].(float32))
}

// initialLine is the line before the first step.
func initialLine(t *testing.T, text string) (w, b float64) {
	t.Helper()
	e := engine(t, decoded(t, text))
	params := make([]float32, 2)
	e.Initial(params)
	return float64(params[0]), float64(params[1])
}

// checkFiles tests that the folder holds every file of a job and agrees with the printed
// outcome.
func checkFiles(t *testing.T, dir string, o *job.Outcome) {
	t.Helper()
	require.Equal(t, dir, o.Out)
	m := loaded(t, dir)
	require.Equal(t, o.ParametersSHA256, m.Card.ParametersSHA256)
	require.Equal(t, o.ParametersSHA256, registry.ParametersDigest(m.Weights.Trained))
	require.Equal(t, o.Metrics, m.Card.Metrics)
	require.Equal(t, o.Metrics[job.Train]["loss"], *o.TrainLoss)
	require.Positive(t, o.Seconds)
	require.Positive(t, o.SamplesPerSecond)
	for _, digest := range []job.Digest{m.Card.Dataset, m.Card.Plan} {
		require.Len(t, string(digest), 64)
	}
	require.NotEmpty(t, m.Card.Numerics)
	require.NotEmpty(t, m.Card.Versions.Go)
	checkMetrics(t, filepath.Join(dir, report.MetricsFile), o)
	checkPictures(t, dir)
	require.FileExists(t, filepath.Join(dir, report.TimingFile))
	require.FileExists(t, filepath.Join(dir, report.EventsFile))
}

// checkMetrics tests that metrics.jsonl has every step's loss, and the final metrics
// last.
func checkMetrics(t *testing.T, path string, o *job.Outcome) {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	steps, final := int64(0), map[job.Split]map[string]float64{}
	for line := range strings.Lines(string(data)) {
		var v struct {
			Step    int64
			Loss    *float64
			Split   job.Split
			Metrics map[string]float64
		}
		require.NoError(t, json.Unmarshal([]byte(line), &v), line)
		if v.Split == "" {
			steps++
			require.Equal(t, steps, v.Step)
			require.NotNil(t, v.Loss)
		} else if v.Step == cmp.Or(o.BestStep, o.Steps) {
			final[v.Split] = v.Metrics
		}
	}
	require.Equal(t, o.Steps, steps)
	require.Equal(t, o.Metrics, final)
}

func checkPictures(t *testing.T, dir string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, report.PNGFile))
	require.NoError(t, err)
	picture, err := png.Decode(bytes.NewReader(data))
	require.NoError(t, err)
	require.Greater(t, picture.Bounds().Dx(), 1000)
	data, err = os.ReadFile(filepath.Join(dir, report.SVGFile))
	require.NoError(t, err)
	for d := xml.NewDecoder(bytes.NewReader(data)); ; {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
	}
}

// checkRawAccuracy predicts on all raw rows with the predict command. The number of right
// predictions must match the accuracies of the splits.
func checkRawAccuracy(t *testing.T, dir string, o *job.Outcome) {
	t.Helper()
	s := loaded(t, dir).Card.Spec
	labels := column(t, s.Data.Source, s.Data.Label[0])
	predicted := predictions(t, dir, s.Data.Source)
	require.Len(t, predicted, len(labels))
	right, want, rows := 0, 0.0, 0
	for i, p := range predicted {
		if p == labels[i] {
			right++
		}
	}
	for split, n := range splitRows(t, &s) {
		want += o.Metrics[split]["accuracy"] * float64(n)
		rows += n
	}
	require.Len(t, labels, rows, "no row was dropped")
	require.InDelta(t, want, float64(right), 1e-6)
}

// checkRawRMSE predicts on all raw rows. The error must match the errors of the splits,
// in the label's unit.
func checkRawRMSE(t *testing.T, dir string, o *job.Outcome) {
	t.Helper()
	s := loaded(t, dir).Card.Spec
	labels := column(t, s.Data.Source, s.Data.Label[0])
	got, want := 0.0, 0.0
	for i, p := range predictions(t, dir, s.Data.Source) {
		value, err := strconv.ParseFloat(p, 64)
		require.NoError(t, err)
		label, err := strconv.ParseFloat(labels[i], 64)
		require.NoError(t, err)
		got += (value - label) * (value - label)
	}
	for split, n := range splitRows(t, &s) {
		rmse := o.Metrics[split]["rmse"]
		want += rmse * rmse * float64(n)
	}
	require.InEpsilon(t, want, got, 1e-5)
}

// predictions returns the lines that the predict command prints.
func predictions(t *testing.T, dir, input string) []string {
	t.Helper()
	out, err := os.Create(filepath.Join(t.TempDir(), "predictions"))
	require.NoError(t, err)
	defer out.Close()
	stdout := os.Stdout
	os.Stdout = out
	defer func() { os.Stdout = stdout }()
	c := predict.Command{Model: dir, Rows: predict.Rows{Input: input}}
	require.NoError(t, c.Run(lifecycle.Contexts{Soft: t.Context(), Hard: t.Context()}))
	data, err := os.ReadFile(out.Name())
	require.NoError(t, err)
	return strings.Fields(string(data))
}

func splitRows(t *testing.T, s *job.Spec) map[job.Split]int {
	t.Helper()
	rows, data := map[job.Split]int{}, engine(t, s).Plan.Dataset
	for _, split := range job.Splits {
		if n := data.Rows(split); n > 0 {
			rows[split] = n
		}
	}
	return rows
}
