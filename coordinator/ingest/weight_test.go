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
