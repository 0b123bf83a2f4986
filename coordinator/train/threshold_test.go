package train

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/coordinator/verify"
	"tributary/shared/dataset"
	"tributary/shared/job"
	"tributary/shared/registry"
)

// The threshold is the same for any fleet, also if the last evaluation repeats an earlier one,
// and evaluate and predict use it.
func TestADecisionThreshold(t *testing.T) {
	text := replaced(t, worked(t, "credit.yaml"), "epochs: 30", "epochs: 8\nthreshold: {maximize: f1}")
	text = replaced(t, text, "split: {train: 0.8, validation: 0.1, test: 0.1, stratify: true}", "split: {train: 0.6, validation: 0.4, shuffle: false}")
	for name, more := range map[string]string{
		"plain":          "",
		"early stopping": "early_stopping: {patience: 1, min_delta: 0.1}\n",
		"time":           "stop: {after_seconds: 3600}\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, dir := trained(t, text+more, 1)
			again, _ := trained(t, text+more, 3)
			require.Equal(t, o.Threshold, again.Threshold)
			require.Equal(t, job.MaximizeF1, o.Threshold.Maximize)
			require.Len(t, o.Threshold.Splits, 2)
			v, err := verified(t, dir, verify.Request{All: true})
			require.NoError(t, err)
			require.Equal(t, job.Verified, v.State)

			m, err := registry.Load(dir)
			require.NoError(t, err)
			require.Equal(t, o.Threshold, m.Card.Threshold)
			validation := o.Threshold.Splits[job.Validation]
			e, predictions := onRows(t, m, func(row, rows int) bool {
				return row >= rows-int(validation.TrueNegatives+validation.FalsePositives+validation.FalseNegatives+validation.TruePositives)
			})
			require.Equal(t, validation, e.Threshold.ThresholdFigures, "the same rows from a file")
			require.Equal(t, validation.TruePositives+validation.FalsePositives, int64(predictions["good"]))
		})
	}
}

// onRows evaluates a model on some rows of the credit applications, and counts what it
// predicts for them.
func onRows(t *testing.T, m *registry.Model, want func(row, rows int) bool) (*registry.Evaluation, map[string]int) {
	t.Helper()
	f, err := os.Open(filepath.Join("deployments", "data", "credit.csv.gz"))
	require.NoError(t, err)
	defer f.Close()
	packed, err := io.ReadAll(f)
	require.NoError(t, err)
	lines := strings.SplitAfter(strings.TrimSpace(string(unpacked(t, packed))), "\n")
	text := lines[0]
	for i, line := range lines[1:] {
		if want(i, len(lines)-1) {
			text += line
		}
	}
	e, err := m.EvaluateFile(t.Context(), strings.NewReader(text), registry.Labelled{Format: dataset.CSVInput})
	require.NoError(t, err)
	counts := map[string]int{}
	_, err = m.PredictFile(t.Context(), strings.NewReader(text), dataset.Reading{Format: dataset.CSVInput}, func(a registry.Answer) error {
		counts[a.Prediction.(string)]++
		return nil
	})
	require.NoError(t, err)
	return e, counts
}
