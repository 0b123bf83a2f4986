package ingest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/blob"
	"tributary/shared/dataset"
	"tributary/shared/job"
)

// weightedSpec is a regression on column y with weights w in the middle of the columns.
func weightedSpec() *job.Spec {
	s := csvSpec()
	s.Data.Weight = "w"
	return s
}

// The weight of a row is the last target. It is no feature.
func TestWeightsOfRows(t *testing.T) {
	spec := weightedSpec()
	spec.Data.Split = job.SplitSpec{Train: 0.5, Validation: 0.5}
	spec.Data.Shuffle = true
	var b strings.Builder
	b.WriteString("x,w,y\n")
	for i := range 40 {
		fmt.Fprintf(&b, "%d,%v,%d\n", i, float64(i)/8, -i)
	}
	o := mustRun(t, spec, sources{"in": []byte(b.String())})
	require.Equal(t, &dataset.Weight{Name: "w", Greatest: 39.0 / 8}, o.Weight)
	require.Equal(t, []int{1, 2}, []int{o.Features, o.Targets})
	rows := 0
	for s := range o.x {
		for i, x := range o.x[s] {
			require.Equal(t, []float32{-x[0], x[0] / 8}, o.y[s][i])
			rows++
		}
	}
	require.Equal(t, 40, rows)
	files := &Ingest{Sources: sources{"in": []byte(b.String())}, Store: blob.NewMemory(0), Memory: 64, Scratch: t.TempDir()}
	m, err := files.Run(t.Context(), spec)
	require.NoError(t, err)
	require.Equal(t, o.Manifest, m, "with the cells in files")
}

func TestWeightsWithClasses(t *testing.T) {
	spec := weightedSpec()
	spec.Loss, spec.ClassWeights = job.SoftmaxCrossEntropy, job.ClassWeights{Balanced: true}
	o := mustRun(t, spec, sources{
		"in": []byte("w,x,y\n0.5,1,b\n0,2,a\n2,3,b\n0.1,4,b\n"),
	})
	require.Equal(t, []int64{1, 3}, o.ClassRows)
	require.Equal(t, [][]float32{{1, 0.5}, {0, 0}, {1, 2}, {1, 0.1}}, o.y[job.Train])

	spec.ClassWeights = job.ClassWeights{Of: map[string]float64{"a": 2}}
	spec.Data.Weight, spec.Data.Drop = "", []string{"w"}
	o = mustRun(t, spec, sources{"in": []byte("w,x,y\n0.5,1,b\n0,2,a\n")})
	require.Nil(t, o.ClassRows, "weights by name do not depend on the rows")
	require.Nil(t, o.Weight)
}

func TestWeightsThatAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		"x,w,y\n1,1,1\n2,-0.5,2\n":       `line 3: weight "w": "-0.5": want a number from 0 to 1e+09`,
		"x,w,y\n1,,1\n2,1,2\n":           `line 2: weight "w": "": want a number from 0 to 1e+09`,
		"x,w,y\n1,inf,1\n2,1,2\n":        `line 2: weight "w": "inf": want a number from 0 to 1e+09`,
		"x,w,y\n1,heavy,1\n2,1,2\n":      `line 2: weight "w": "heavy": want a number from 0 to 1e+09`,
		"x,w,y\n1,0,1\n2,0,2\n":          `weight "w": it is 0 in every row of the train split: there is nothing to learn`,
		"x,weight,y\n1,0,1\n2,0,2\n":     `data.weight: no column "w" in the header ["x" "weight" "y"]`,
		"w,y\n1,0\n2,1\n":                "no columns besides the label",
		"x,w,y\n1,2000000000,1\n2,1,2\n": `line 2: weight "w": "2000000000": want a number from 0 to 1e+09`,
	} {
		_, err := run(t, weightedSpec(), sources{"in": []byte(text)})
		require.ErrorIs(t, err, job.ErrInvalid, text)
		require.ErrorContains(t, err, want)
	}
	spec := weightedSpec()
	spec.Data.Test = "test"
	_, err := run(t, spec, sources{"in": []byte("x,w,y\n1,1,1\n2,1,2\n"), "test": []byte("x,y\n1,1\n")})
	require.ErrorContains(t, err, `header: no weight column "w"`)
}

// Several columns of numbers are the outputs, in the order of the spec. They are no features.
func TestSeveralLabels(t *testing.T) {
	spec := weightedSpec()
	spec.Data.Label = job.Columns{"u", "y"}
	text := "y,x,w,u\n1,2,0.5,3\n0,4,1,5\n1,6,2,7\n,8,1,9\n"
	o := mustRun(t, spec, sources{"in": []byte(text)})
	require.Equal(t, []int{1, 3}, []int{o.Features, o.Targets})
	require.Equal(t, [][]float32{{3, 1, 0.5}, {5, 0, 1}, {7, 1, 2}}, o.y[job.Train], "a row without one label is dropped")
	require.Equal(t, "u", o.Preprocessing.Label.Name)
	require.Equal(t, []dataset.Column{{Name: "y", Kind: dataset.Numeric, Scale: 1}}, o.Preprocessing.Labels)
	require.Equal(t, []string{"w"}, o.Preprocessing.Others)

	spec.Data.Transform.Label.Method = "standard"
	o = mustRun(t, spec, sources{"in": []byte("y,x,w,u\n1,2,0.5,30\n3,4,1,50\n")})
	require.Equal(t, [][]float32{{-1, -1, 0.5}, {1, 1, 1}}, o.y[job.Train], "each by itself")
	require.Equal(t, dataset.Column{Name: "u", Kind: dataset.Numeric, Shift: 40, Scale: 10}, o.Preprocessing.Label)
	require.Equal(t, []dataset.Column{{Name: "y", Kind: dataset.Numeric, Shift: 2, Scale: 1}}, o.Preprocessing.Labels)

	spec.Loss = job.MultilabelCrossEntropy
	for want, change := range map[string]func(){
		`row 1: label "u": 3: with loss multilabel_cross_entropy want 0 or 1`: func() {},
		`data.label: no column "z" in the header`:                             func() { spec.Data.Label = job.Columns{"y", "z"} },
		`data.drop: "u" is the label`: func() {
			spec.Data.Label, spec.Data.Drop = job.Columns{"y", "u"}, []string{"u"}
		},
		"data.label: 2 columns: with a loss of classes want 1": func() { spec.Data.Drop, spec.Loss = nil, job.SoftmaxCrossEntropy },
	} {
		spec = weightedSpec()
		spec.Data.Label, spec.Loss = job.Columns{"u", "y"}, job.MultilabelCrossEntropy
		change()
		_, err := run(t, spec, sources{"in": []byte(text)})
		require.ErrorIs(t, err, job.ErrInvalid)
		require.ErrorContains(t, err, want)
	}
}

// Each column of a label may be written in its own form, in each format of named columns.
func TestSeveralLabelsInOtherForms(t *testing.T) {
	spec := csvSpec()
	spec.Data.Label = job.Columns{"u", "y"}
	want := [][]float32{{1234, 0.5}, {5, 0.25}}
	for name, text := range map[string]string{
		"csv":   "y,x,u\n50%,2,\"$1,234\"\n25%,4,$5\n75%,1,NA\n",
		"jsonl": `{"y":"50%","x":2,"u":"$1,234"}` + "\n" + `{"x":4,"u":"$5","y":"25%"}` + "\n" + `{"x":1,"y":"75%"}`,
	} {
		spec.Data.Format = job.Format(name)
		o := mustRun(t, spec, sources{"in": []byte(text)})
		require.Equal(t, want, o.y[job.Train], name)
		require.Equal(t, [][]float32{{2}, {4}}, o.x[job.Train], name)
		require.Contains(t, strings.Join(o.said, "\n"), `column "y" is read as numbers in per cent`, name)
	}
	spec.Data.Format = job.CSV
	o := mustRun(t, spec, sources{"in": []byte("y;x;u\n1,5;2;7\n2;4;8,25\n")})
	require.Equal(t, [][]float32{{7, 1.5}, {8.25, 2}}, o.y[job.Train], "decimal commas")

	spec.Data.Format, spec.Data.Label, spec.Data.Drop = job.Parquet, job.Columns{"price", "area"}, []string{"tags", "sold", "zip"}
	three, four := int32(3), int32(4)
	o = mustRun(t, spec, sources{"in": parquetOf(t, house{50.5, &three, "10115", 19753, nil, 10050}, house{80, &four, "80331", 19754, nil, 20000})})
	require.Equal(t, [][]float32{{100.5, 50.5}, {200, 80}}, o.y[job.Train])
	require.Equal(t, [][]float32{{3}, {4}}, o.x[job.Train])

	for text, fault := range map[string]string{
		"y,x,u\n1,2,3\nmaybe,4,5\n": `line 3: label "y": text "maybe": the loss wants numbers`,
		"y,x,u\n1,2,\n2,4,\n":       `label "u": missing in every row`,
		"y,x,u\n1,2,3\n2,4,inf\n":   `line 3: column "u": "inf" is not a finite number`,
	} {
		spec = csvSpec()
		spec.Data.Label = job.Columns{"u", "y"}
		_, err := run(t, spec, sources{"in": []byte(text)})
		require.ErrorIs(t, err, job.ErrInvalid)
		require.ErrorContains(t, err, fault)
	}
	spec.Data.Columns = map[string]job.ColumnSpec{"y": {Type: job.CategoryColumn}}
	_, err := run(t, spec, sources{"in": []byte("y,x,u\n1,2,3\n2,4,5\n")})
	require.ErrorContains(t, err, `label "y": data.columns says category: the loss wants numbers`)
}

// A file without a header, for prediction, may lack all columns of the label.
func TestSeveralLabelsWithoutAHeader(t *testing.T) {
	no := false
	spec := csvSpec()
	spec.Data.Label, spec.Data.CSV = job.Columns{"x2", "x0"}, &job.CSVOptions{Header: &no}
	o := mustRun(t, spec, sources{"in": []byte("1,5,6\n2,7,8\n")})
	require.Equal(t, [][]float32{{6, 1}, {8, 2}}, o.y[job.Train])
	for _, text := range []string{"9,5,6\n", "5\n"} {
		got, _ := predicted(t, o, text)
		require.Equal(t, [][]float32{{5}}, got)
	}
}
