package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/blob"
	"tributary/shared/job"
)

// repeated is a CSV of n rows "i,y" with one line replaced.
func repeated(n, line int, text string) string {
	var b strings.Builder
	b.WriteString("a,y\n")
	for i := range n {
		if i+2 == line {
			b.WriteString(text + "\n")
			continue
		}
		fmt.Fprintf(&b, "%d,%d\n", i, i%5)
	}
	return b.String()
}

func TestBadCSV(t *testing.T) {
	classify := func(s *job.Spec) { s.Loss = job.SoftmaxCrossEntropy }
	for name, c := range map[string]struct {
		content string
		change  func(*job.Spec)
		want    string
	}{
		"empty file":            {"", nil, `data.source "in": empty file: want a header line and rows`},
		"header only":           {"a,y\n", nil, "no rows after the header"},
		"ragged":                {"a,y\n1,2\n3\n", nil, `data.source "in": line 3: 1 cells, the header has 2`},
		"column twice":          {"a,a,y\n1,2,3\n", nil, `columns 1 and 2 are both named "a"`},
		"text among numbers":    {repeated(100, 51, "abc,1"), nil, `line 51: column "a": text "abc" in a numeric column: correct it`},
		"nan":                   {"a,y\nNaN,2\nNaN,3\n", nil, `line 2: column "a": "NaN" is not a finite number`},
		"inf":                   {"a,y\n1,2\n-inf,3\n", nil, `line 3: column "a": "-inf" is not a finite number`},
		"beyond float64":        {"a,y\n1,2\n1e999,3\n", nil, `line 3: column "a": "1e999" is not a finite number`},
		"beyond float32":        {"a,y\n1,2\n1e39,3\n", nil, `row 2: column "a": 1e+39: want a finite number that is still finite as a 32-bit float`},
		"label beyond float32":  {"a,y\n1,2\n1,-1e39\n", nil, `row 2: label "y": -1e+39: want a finite number`},
		"too large to scale":    {"a,y\n1e300,2\n-1e300,3\n", func(s *job.Spec) { s.Data.Transform.Scale.Method = "standard" }, `column "a": values up to ±1e+300 are too large to scale`},
		"no value in a column":  {"a,b,y\n1,,2\n2,NA,3\n", nil, `column "b": every cell is missing: leave it out with data.drop`},
		"unknown label":         {"a,y\n1,2\n", func(s *job.Spec) { s.Data.Label = "z" }, `data.label: no column "z" in the header ["a" "y"]`},
		"no label named":        {"a,y\n1,2\n", func(s *job.Spec) { s.Data.Label = "" }, "data.label: missing: want the name of the label's column"},
		"unknown drop":          {"a,y\n1,2\n", func(s *job.Spec) { s.Data.Drop = []string{"b"} }, `data.drop: no column "b"`},
		"label dropped":         {"a,y\n1,2\n", func(s *job.Spec) { s.Data.Drop = []string{"y"} }, `data.drop: "y" is the label`},
		"nothing but the label": {"a,y\n1,2\n", func(s *job.Spec) { s.Data.Drop = []string{"a"} }, "no columns besides the label: want at least one"},
		"text label":            {"a,y\n1,2\n3,b\n", nil, `line 3: label "y": text "b": the loss wants numbers`},
		"nan label":             {"a,y\n1,2\n3,inf\n", nil, `line 3: column "y": "inf" is not a finite number`},
		"nan class":             {"a,y\n1,2\n3,inf\n", classify, `line 3: column "y": "inf" is not a finite number`},
		"label always missing":  {"a,y\n1,\n2,\n", nil, `label "y": missing in every row`},
		"negative count":        {"a,y\n1,2\n1,0\n1,-3\n2,-4\n", func(s *job.Spec) { s.Loss = job.Poisson }, `row 3: label "y": -3: with loss poisson want a number of at least 0`},
		"constant label":        {"a,y\n1,7\n2,7\n", nil, `label "y": 7 in every row: there is nothing to learn`},
		"constant class":        {"a,y\n1,no\n2,no\n3,\n", classify, `label "y": every row is of class "no": want at least two classes`},
		"three of two classes":  {"a,y\n1,a\n2,b\n3,c\n", func(s *job.Spec) { s.Loss = job.SigmoidCrossEntropy }, `3 classes: sigmoid_cross_entropy takes two`},
		"nothing left":          {"a,y\n1,\n,2\n", nil, "data.source: no rows are left of 2: 1 have no label, 0 are duplicates, 1 have missing values"},
		"unknown missing":       {"a,y\n1,2\n2,3\n", func(s *job.Spec) { s.Data.Clean.Missing.Method = "zero" }, `data.clean.missing: "zero": want drop, mean`},
		"unknown scale":         {"a,y\n1,2\n2,3\n", func(s *job.Spec) { s.Data.Transform.Scale.Method = "log" }, `data.transform.scale: "log": want none`},
		"divide by 0":           {"a,y\n1,2\n2,3\n", func(s *job.Spec) { s.Data.Transform.Scale.Method = "divide" }, "data.transform.scale.divide: 0: want a finite number other than 0"},
		"unknown label scale":   {"a,y\n1,2\n2,3\n", func(s *job.Spec) { s.Data.Transform.Label.Method = "minmax" }, `data.transform.label: "minmax": want none or standard`},
		"scaled classes":        {"a,y\n1,2\n2,3\n", func(s *job.Spec) { classify(s); s.Data.Transform.Label.Method = "standard" }, "data.transform.label"},
		"unknown format":        {"a,y\n1,2\n2,3\n", func(s *job.Spec) { s.Data.Format = "xml" }, `data.format: "xml": want one of csv, idx, jsonl, parquet`},
		"an empty split":        {"a,y\n1,2\n2,3\n", func(s *job.Spec) { s.Data.Split = job.SplitSpec{Train: 0.9, Test: 0.1} }, "data.split.test: 0.1 of 2 rows is no row"},
		"fractions over 1":      {"a,y\n1,2\n2,3\n", func(s *job.Spec) { s.Data.Split = job.SplitSpec{Train: 0.9, Test: 0.2} }, "data.split: fractions sum to 1.1: want 1"},
		"no training":           {"a,y\n1,2\n2,3\n", func(s *job.Spec) { s.Data.Split = job.SplitSpec{Test: 1} }, "data.split.train: 0"},
		"stratified numbers":    {"a,y\n1,2\n2,3\n", func(s *job.Spec) { s.Data.Split = job.SplitSpec{Train: 1, Stratify: true} }, "data.split.stratify: want a loss on classes, not mse"},
		"not UTF-8":             {"a,b,y\n\xff,1,2\nx,2,3\n", nil, `line 2: column "a": text "\xff" is not UTF-8`},
		"long text":             {"a,y\n" + strings.Repeat("x", 1025) + ",2\nx,3\n", nil, "text of 1025 bytes: at most 1024"},
		"missing file":          {"", func(s *job.Spec) { s.Data.Source = "other" }, `data.source "other": no such file`},
		"no source":             {"", func(s *job.Spec) { s.Data.Source = "" }, "data.source: want a path"},
	} {
		t.Run(name, func(t *testing.T) {
			spec := csvSpec()
			if c.change != nil {
				c.change(spec)
			}
			_, err := run(t, spec, sources{"in": []byte(c.content)})
			require.ErrorIs(t, err, job.ErrInvalid)
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestTruncatedCSV(t *testing.T) {
	whole := pack(t, []byte(repeated(1000, 0, "")))
	require.Len(t, mustRun(t, csvSpec(), sources{"in": whole}).x[job.Train], 1000)
	_, err := run(t, csvSpec(), sources{"in": whole[:len(whole)-100]})
	require.ErrorIs(t, err, job.ErrInvalid)
	require.ErrorContains(t, err, `data.source "in": truncated gzip`)
}

// There are 50 rows of class a and one of b. The row of b goes to one split; the seed
// decides whether that is the training split.
func TestClassAbsentFromTraining(t *testing.T) {
	content := "a,y\n" + strings.Repeat("1,a\n", 50) + "2,b\n"
	failed := 0
	for seed := range uint64(20) {
		spec := csvSpec()
		spec.Loss, spec.Seed, spec.Data.Split = job.SoftmaxCrossEntropy, seed, job.SplitSpec{Train: 0.5, Test: 0.5}
		if _, err := run(t, spec, sources{"in": []byte(content)}); err != nil {
			failed++
			require.ErrorIs(t, err, job.ErrInvalid)
			require.ErrorContains(t, err, `label "y": the training split has no row of class "b"`)
		}
	}
	require.Greater(t, failed, 0)
	require.Less(t, failed, 20)
}

func TestFillOfNothing(t *testing.T) {
	spec := csvSpec()
	spec.Data.Clean.Missing.Method, spec.Data.Split = "median", job.SplitSpec{Train: 0.5, Test: 0.5}
	content := "a,b,y\n" + strings.Repeat("1,,1\n2,,2\n", 20) + "3,4,3\n"
	for seed := range uint64(20) {
		spec.Seed = seed
		if _, err := run(t, spec, sources{"in": []byte(content)}); err != nil {
			require.ErrorIs(t, err, job.ErrInvalid)
			require.ErrorContains(t, err, `column "b": no value in the training split to take the median of`)
			return
		}
	}
	t.Fatal("the one value was in the training split for every seed")
}

func TestTooManyCategories(t *testing.T) {
	var b strings.Builder
	b.WriteString("a,y\n")
	for i := range 10_001 {
		fmt.Fprintf(&b, "t%d,%d\n", i, i)
	}
	_, err := run(t, csvSpec(), sources{"in": []byte(b.String())})
	require.ErrorIs(t, err, job.ErrInvalid)
	require.ErrorContains(t, err, `line 10002: column "a": over 10000 different texts: leave it out with data.drop`)
}

func TestKinds(t *testing.T) {
	spec := csvSpec()
	spec.Data.Clean.Duplicates = job.DropDuplicates
	o := mustRun(t, spec, sources{"in": []byte("\ufeffa,b ,y\r\n1,WD ,1\r\nx,VWD,2\r\n1,WD ,1\r\nnan,WD ,3\r\n")})
	require.Equal(t, []string{"1", "nan", "x"}, o.Preprocessing.Columns[0].Categories, "a word in a text column is a category")
	require.Equal(t, "b", o.Preprocessing.Columns[1].Name)
	require.Equal(t, []string{"VWD", "WD "}, o.Preprocessing.Columns[1].Categories)
	require.Contains(t, o.said, "data.source: rows dropped as duplicates: 1")

	o = mustRun(t, csvSpec(), sources{"in": []byte("a,y\n1,1\nx,2\n3,3\n")})
	require.Contains(t, o.said, `column "a" is read as text, because of "x" in line 3, although most of its cells are numbers`)

	spec.Loss = job.SoftmaxCrossEntropy
	o = mustRun(t, spec, sources{"in": []byte("a,y\n1,10\n2,9\n3,9.0\n4,\n")})
	require.Equal(t, []string{"9", "10"}, o.Classes, "sorted as numbers")
	require.Equal(t, [][]float32{{1}, {0}, {0}}, o.y[job.Train])
	require.Contains(t, o.said, "data.source: rows dropped for a missing label: 1")
}

func TestMemoryIsBounded(t *testing.T) {
	in := &Ingest{Sources: sources{"in": []byte(repeated(1000, 0, ""))}, Store: blob.NewMemory(0), MaxBytes: 7000}
	_, err := in.Run(t.Context(), csvSpec())
	require.ErrorIs(t, err, job.ErrInvalid)
	require.ErrorContains(t, err, "1000 rows of 1 columns: over the limit of 7000 bytes")
	in.MaxBytes = 1000
	_, err = in.Run(t.Context(), csvSpec())
	require.ErrorContains(t, err, "over the limit of 1000 bytes unpacked")
	in.MaxBytes = 8000
	_, err = in.Run(t.Context(), csvSpec())
	require.NoError(t, err)
}

// failing fails its k-th put.
type failing struct {
	blob.Store
	left chan struct{}
	err  error
}

func (f *failing) Put(ctx context.Context, data []byte) (job.Digest, error) {
	select {
	case <-f.left:
		return f.Store.Put(ctx, data)
	default:
		return "", f.err
	}
}

func TestStoreThatFailsAtAnyPut(t *testing.T) {
	full := errors.New("disk full")
	spec := &job.Spec{Loss: job.MSE, Data: job.Data{Source: "x", Labels: "y", Format: job.IDX}}
	from := sources{"x": idxBytes(make([]byte, 200*5000), 200, 5000), "y": idxFloats(ramp(200), 200)}
	for k := 0; ; k++ {
		store := &failing{Store: blob.NewMemory(0), left: make(chan struct{}, k), err: full}
		for range k {
			store.left <- struct{}{}
		}
		m, err := Run(t.Context(), spec, from, store, nil)
		if err == nil {
			require.Len(t, m.Splits[job.Train], k, "a put for each block")
			require.Equal(t, 4, k)
			return
		}
		require.ErrorIs(t, err, full)
		require.NotErrorIs(t, err, job.ErrInvalid)
		require.ErrorContains(t, err, "write train blocks: put block")
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Run(ctx, digitsSpec(), local, blob.NewMemory(0), nil)
	require.ErrorIs(t, err, context.Canceled)
}

// swapped gives other bytes the second time.
type swapped struct {
	contents []string
	n        int
}

func (s *swapped) Open(ctx context.Context, source string) (r io.ReadCloser, err error) {
	r, err = sources{source: []byte(s.contents[s.n])}.Open(ctx, source)
	s.n++
	return r, err
}

func TestSourceThatChanges(t *testing.T) {
	first := "a,y\n1,2\n3,4\n"
	for _, second := range []string{"a,y\n1,2\n", "a,y\n1,2\n3,4\n5,6\n", "b,y\n1,2\n3,4\n", "a,y\nx,2\n3,4\n", "a,y\n1,x\n3,4\n", ""} {
		_, err := run(t, csvSpec(), &swapped{contents: []string{first, second}})
		require.ErrorIs(t, err, job.ErrInvalid, second)
	}
}
