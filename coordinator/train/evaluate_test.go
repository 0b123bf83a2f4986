package train

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
	"tributary/shared/registry"
)

// halves cuts a packed CSV file into two files with the same header.
func halves(t *testing.T, path, dir string) (train, test string) {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	records, err := csv.NewReader(bytes.NewReader(unpacked(t, data))).ReadAll()
	require.NoError(t, err)
	header, rows := records[0], records[1:]
	var even, odd [][]string
	for i, r := range rows {
		if i%2 == 0 {
			even = append(even, r)
		} else {
			odd = append(odd, r)
		}
	}
	for name, rows := range map[string][][]string{"train.csv": even, "test.csv": odd} {
		var b bytes.Buffer
		require.NoError(t, csv.NewWriter(&b).WriteAll(append([][]string{header}, rows...)))
		write(t, dir, map[string]string{name: b.String()})
	}
	return filepath.Join(dir, "train.csv"), filepath.Join(dir, "test.csv")
}

// jsonLines converts a CSV file to JSON lines of strings. An empty cell is null.
func jsonLines(t *testing.T, text string) string {
	t.Helper()
	records, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	require.NoError(t, err)
	var b strings.Builder
	for _, r := range records[1:] {
		row := map[string]any{}
		for i, name := range records[0] {
			row[name] = r[i]
			if r[i] == "" {
				row[name] = nil
			}
		}
		require.NoError(t, json.NewEncoder(&b).Encode(row))
	}
	return b.String()
}

// The evaluation of a file is, bit for bit, the evaluation of the job whose test split is
// that file.
func TestAnEvaluationOfAFileIsTheJobs(t *testing.T) {
	dir := t.TempDir()
	evaluated := func(t *testing.T, o *job.Outcome, m *registry.Model, rows string, how registry.Labelled) *registry.Evaluation {
		t.Helper()
		v, err := m.EvaluateFile(t.Context(), strings.NewReader(rows), how)
		require.NoError(t, err)
		require.Equal(t, o.Metrics[job.Test], v.Metrics)
		require.Equal(t, o.Undefined[job.Test], v.Undefined)
		return v
	}
	for name, c := range map[string]struct {
		file, data string
		changes    []change
		notes      string
	}{
		"weights": {"credit.yaml", "deployments/data/credit.csv.gz", []change{
			{"{train: 0.8, validation: 0.1, test: 0.1, stratify: true}", "{train: 0.9, validation: 0.1}"},
			{"epochs: 30", "epochs: 2\nclass_weights: balanced\nfocal_gamma: 2"},
			{"label: Status", "label: Status\n  weight: Expenses"},
			{"[auc, accuracy, log_loss]", "[auc, accuracy, log_loss, average_precision]"},
		}, ""},
		"embedded": {"credit.yaml", "deployments/data/credit.csv.gz", []change{
			{"{train: 0.8, validation: 0.1, test: 0.1, stratify: true}", "{train: 0.9, validation: 0.1}"},
			{"epochs: 30", "epochs: 2\nclass_weights: {bad: 2.5}"},
			{"{scale: standard}", "{scale: standard, categorical: {embed: 4}}"},
		}, ""},
		"classes": {"credit.yaml", "deployments/data/credit.csv.gz", []change{
			{"clean: {missing: median}", "clean: {missing: drop}"},
			{"{train: 0.8, validation: 0.1, test: 0.1, stratify: true}", "{train: 0.9, validation: 0.1}"},
			{"[auc, accuracy, log_loss]", "[auc, accuracy, log_loss, f1, brier]"},
			{"epochs: 30", "epochs: 2"},
		}, "rows without a value in a column whose missing values training did not fill were left out"},
		"numbers": {"house-prices.yaml", "deployments/data/ames-house-prices.csv.gz", []change{
			{"split: {train: 0.8, validation: 0.1, test: 0.1}", ""}, {"[rmse, r2]", "[rmse, r2, mae, mape]"}, {"epochs: 20", "epochs: 2"},
		}, ""},
		"digits": {"digits.yaml", "deployments/data/digits.csv.gz", []change{{"epochs: 30", "epochs: 2"}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			train, test := halves(t, c.data, dir)
			text := replaced(t, worked(t, c.file), c.data, train+"\n  test: "+test)
			if c.file == "digits.yaml" {
				at := strings.Index(text, "  split:")
				require.Positive(t, at)
				text = text[:at] + text[at+strings.IndexByte(text[at:], '\n')+1:]
			}
			for _, ch := range c.changes {
				text = replaced(t, text, ch.old, ch.with)
			}
			o, folder := trained(t, text, 2)
			rows, err := os.ReadFile(test)
			require.NoError(t, err)
			m := loaded(t, folder)
			v := evaluated(t, o, m, string(rows), registry.Labelled{})
			require.Contains(t, strings.Join(v.Notes, "\n"), c.notes)
			require.Equal(t, v.Rows, evaluated(t, o, m, jsonLines(t, string(rows)), registry.Labelled{}).Rows)
		})
	}
	t.Run("IDX, several blocks", func(t *testing.T) {
		write(t, dir, map[string]string{"x.idx": bytesIDX(6000, 100), "y.idx": bytesIDX(6000)})
		text := strings.ReplaceAll(replaced(t, small, "in.csv, label: y", "x.idx, labels: DIR/y.idx, test: DIR/x.idx, test_labels: DIR/y.idx, transform: {scale: {divide: 255}}"), "DIR", dir)
		text = replaced(t, replaced(t, text, "epochs: 2", "steps: 3"), "learning_rate: 0.1", "learning_rate: 0.0001")
		o, folder := trained(t, text+"\nmetrics: [rmse, r2]\n", 1)
		evaluated(t, o, loaded(t, folder), bytesIDX(6000, 100), registry.Labelled{Labels: strings.NewReader(bytesIDX(6000))})
	})
}
