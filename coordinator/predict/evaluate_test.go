package predict

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
	"tributary/shared/registry"
)

func TestEvaluateCommand(t *testing.T) {
	dir := t.TempDir()
	m := model(t, "no", "yes, or so it seems")
	m.Card.Spec.Metrics = []job.Metric{job.Accuracy, job.AUC}
	m.Card.Preprocessing.Columns[0].Fill = new(2.0)
	require.NoError(t, registry.Save(dir, m))
	rows := filepath.Join(dir, "rows.csv")
	require.NoError(t, os.WriteFile(rows, []byte("x,y\n1,\"yes, or so it seems\"\n-1,\"yes, or so it seems\"\n,\"yes, or so it seems\"\n"), 0o600))
	c := &EvaluateCommand{Model: dir, Rows: Rows{Input: rows}, Matrix: filepath.Join(dir, "m.png")}
	require.NoError(t, c.Validate())
	v, err := c.evaluate(t.Context())
	require.NoError(t, err)
	require.Equal(t, [][]int64{{0, 0}, {1, 2}}, v.Confusion.Matrix)
	var out, aside bytes.Buffer
	require.NoError(t, printMetrics(&out, &aside, v))
	require.Equal(t, `model m-1 on 3 rows

loss      0.7573
accuracy  0.6667
auc       undefined: all 3 rows are of class "yes, or so it seems": want rows of two classes

rows by class (down: the label, across: the prediction)
                no  yes, or so …
            no   0             0
  yes, or so …   1             2
`, out.String())
	require.Equal(t, "note: column \"x\": missing (in line 4): filled with 2, as in training\n", aside.String())
	require.NoError(t, c.draw(v))
	picture, err := os.ReadFile(c.Matrix)
	require.NoError(t, err)
	require.True(t, bytes.HasPrefix(picture, []byte("\x89PNG")))
	c.Matrix = filepath.Join(dir, "m.svg")
	require.NoError(t, c.draw(v))
	require.ErrorContains(t, c.draw(&registry.Evaluation{}), "the model has no confusion matrix")

	require.ErrorContains(t, (&EvaluateCommand{Rows: Rows{Input: "-"}, Matrix: "m.jpg"}).Validate(), `--confusion: "m.jpg": want a name that ends in .png or .svg`)
	_, err = (&EvaluateCommand{Model: dir, Rows: Rows{Input: "-"}, Labels: "-"}).evaluate(t.Context())
	require.ErrorContains(t, err, "--labels: -")
	_, err = (&EvaluateCommand{Model: dir, Rows: Rows{Input: filepath.Join(dir, "none")}}).evaluate(t.Context())
	require.ErrorContains(t, err, "none: no such file or directory")
	_, err = (&EvaluateCommand{Model: dir, Rows: Rows{Input: rows}, Labels: rows}).evaluate(t.Context())
	require.ErrorContains(t, err, "rows.csv: begins with 78 2c: want IDX")
}
