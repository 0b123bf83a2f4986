package ingest

import (
	"context"
	"encoding/json"
	"io"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/blob"
	"tributary/shared/dataset"
	"tributary/shared/job"
	"tributary/shared/wire"
)

func digitsSpec() *job.Spec {
	return &job.Spec{Loss: job.SoftmaxCrossEntropy, Seed: 42, Data: job.Data{
		Source: data + "digits.csv.gz", Format: job.CSV, Label: job.Columns{"digit"}, Shuffle: true,
		Transform: job.Transform{Scale: job.Scale{Method: "standard"}},
		Split:     job.SplitSpec{Train: 0.8, Validation: 0.1, Test: 0.1, Stratify: true},
	}}
}

func amesSpec() *job.Spec {
	return &job.Spec{Loss: job.MSE, Seed: 42, Data: job.Data{
		Source: data + "ames-house-prices.csv.gz", Format: job.CSV, Label: job.Columns{"Sale_Price"}, Shuffle: true,
		Transform: job.Transform{Scale: job.Scale{Method: "standard"}, Label: job.Scale{Method: "standard"}},
		Split:     job.SplitSpec{Train: 0.8, Validation: 0.1, Test: 0.1},
	}}
}

func creditSpec() *job.Spec {
	return &job.Spec{Loss: job.SigmoidCrossEntropy, Seed: 42, Data: job.Data{
		Source: data + "credit.csv.gz", Format: job.CSV, Label: job.Columns{"Status"}, Shuffle: true,
		Clean:     job.Clean{Missing: job.Missing{Method: "median"}},
		Transform: job.Transform{Scale: job.Scale{Method: "standard"}},
		Split:     job.SplitSpec{Train: 0.7, Validation: 0.15, Test: 0.15, Stratify: true},
	}}
}

func TestDigits(t *testing.T) {
	o := mustRun(t, digitsSpec(), local)
	require.Equal(t, 64, o.Features)
	require.Equal(t, 1, o.Targets)
	require.Equal(t, []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}, o.Classes)
	require.Equal(t, 1797, o.Rows(job.Train)+o.Rows(job.Validation)+o.Rows(job.Test))
	perClass := map[job.Split][10]int{}
	for s, ys := range o.y {
		counts := perClass[s]
		for _, y := range ys {
			counts[int(y[0])]++
		}
		perClass[s] = counts
	}
	for c := range 10 {
		n := perClass[job.Train][c] + perClass[job.Validation][c] + perClass[job.Test][c]
		require.InDelta(t, 0.8*float64(n), perClass[job.Train][c], 1)
		require.InDelta(t, 0.1*float64(n), perClass[job.Test][c], 1)
	}
	for j := range 64 {
		x := o.column(job.Train, j)
		require.InDelta(t, 0, meanOf(x), 1e-6)
		if std := stdOf(x); std > 0 { // p00 and others are 0 in every image
			require.InDelta(t, 1, std, 1e-6)
		}
	}
}

// viaPredict preprocesses every row of a file as a model does for a prediction.
func viaPredict(t *testing.T, o *outcome, source string) map[string]int {
	t.Helper()
	f, err := local.Open(t.Context(), source)
	require.NoError(t, err)
	defer f.Close()
	rows := map[string]int{}
	err = o.Preprocessing.ReadRows(t.Context(), f, dataset.CSVInput, func(_ dataset.Place, values []dataset.Value) error {
		x := make([]float32, o.Features)
		err := o.Preprocessing.Apply(x, values, nil)
		rows[key(x)]++
		return err
	})
	require.NoError(t, err)
	return rows
}

// key returns a row's bits.
func key(x []float32) string { return string(wire.AppendFloats(nil, x)) }

func (o *outcome) allRows() map[string]int {
	rows := map[string]int{}
	for _, xs := range o.x {
		for _, x := range xs {
			rows[key(x)]++
		}
	}
	return rows
}

// Training and prediction convert the same file to the same bits: numbers, categories and
// filled values.
func TestTrainingAndPredictionAgree(t *testing.T) {
	for name, spec := range map[string]*job.Spec{"digits": digitsSpec(), "ames": amesSpec(), "credit": creditSpec()} {
		t.Run(name, func(t *testing.T) {
			o := mustRun(t, spec, local)
			require.Equal(t, viaPredict(t, o, spec.Data.Source), o.allRows())
		})
	}
}

func TestAmes(t *testing.T) {
	o := mustRun(t, amesSpec(), local)
	require.Len(t, o.Preprocessing.Columns, 73)
	require.Equal(t, 2930, o.Rows(job.Train)+o.Rows(job.Validation)+o.Rows(job.Test))
	require.Equal(t, 2344, o.Rows(job.Train))
	require.Empty(t, o.Classes)
	y := make([]float64, 0, len(o.y[job.Train]))
	for _, v := range o.y[job.Train] {
		y = append(y, float64(v[0]))
	}
	require.InDelta(t, 0, meanOf(y), 1e-6)
	require.InDelta(t, 1, stdOf(y), 1e-6)
	require.InDelta(t, 180_000, o.Preprocessing.Label.Shift, 10_000)
	i := slices.IndexFunc(o.Preprocessing.Columns, func(c dataset.Column) bool { return c.Name == "Central_Air" })
	require.Equal(t, []string{"N", "Y"}, o.Preprocessing.Columns[i].Categories)
}

func TestCredit(t *testing.T) {
	o := mustRun(t, creditSpec(), local)
	require.Equal(t, []string{"bad", "good"}, o.Classes)
	require.Equal(t, 4454, o.Rows(job.Train)+o.Rows(job.Validation)+o.Rows(job.Test))
	columns := map[string]dataset.Column{}
	for _, c := range o.Preprocessing.Columns {
		columns[c.Name] = c
	}
	require.InDelta(t, 125, *columns["Income"].Fill, 3)
	require.Equal(t, "owner", *columns["Home"].FillCategory)
	require.Equal(t, "married", *columns["Marital"].FillCategory)

	spec := creditSpec()
	spec.Data.Clean = job.Clean{}
	o = mustRun(t, spec, local)
	require.Equal(t, 4039, o.Rows(job.Train)+o.Rows(job.Validation)+o.Rows(job.Test))
	require.Contains(t, o.said, "data.source: rows dropped for missing values: 415")
	require.Nil(t, o.Preprocessing.Columns[0].Fill)
}

// The manifest holds the digests of all blocks, so its digest covers the whole dataset.
func TestSameBytesOnAnyNumberOfCPUs(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for name, spec := range map[string]*job.Spec{"digits": digitsSpec(), "ames": amesSpec(), "credit": creditSpec()} {
		digests := map[job.Digest]bool{}
		for _, cpus := range []int{1, 5} {
			runtime.GOMAXPROCS(cpus)
			digests[mustRun(t, spec, local).digest(t)] = true
		}
		require.Len(t, digests, 1, name)
		spec.Seed++
		require.NotContains(t, digests, mustRun(t, spec, local).digest(t), "the seed decides the split")
	}
}

// counting counts how often sources are opened and closed.
type counting struct {
	Opener
	opened, closed int
}

type closing struct {
	io.ReadCloser
	c *counting
}

func (c closing) Close() error { c.c.closed++; return c.ReadCloser.Close() }

func (c *counting) Open(ctx context.Context, source string) (io.ReadCloser, error) {
	f, err := c.Opener.Open(ctx, source)
	if err == nil {
		c.opened++
	}
	return closing{f, c}, err
}

func TestSourcesAreClosed(t *testing.T) {
	c := &counting{Opener: local}
	mustRun(t, creditSpec(), c)
	require.Equal(t, 2, c.opened)
	require.Equal(t, c.opened, c.closed)
}

// The bytes of every block are pinned. A change of them changes the parameters of every
// earlier job.
func TestGoldenBlocks(t *testing.T) {
	for name, c := range map[string]struct {
		spec *job.Spec
		want job.Digest
	}{
		"digits": {digitsSpec(), "1735d1b60ea55b2a116badc14741cf922134e1e9b0a455c104e25e193027ebfc"},
		"ames":   {amesSpec(), "ef896178946be9ef9b4436738ca79947fd999557d43793cdacb1c3897e6e15ce"},
		"credit": {creditSpec(), "c967622118675a5778974c43f6ae2c698a2fdc933ba9ac57f72d46849a63b419"},
	} {
		blocks, err := json.Marshal(mustRun(t, c.spec, local).Splits)
		require.NoError(t, err)
		require.Equal(t, c.want, blob.DigestOf(blocks), name)
	}
}
