package ingest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
)

// A LIBSVM file gives the table of the CSV file with all its zeros.
func TestLIBSVMIsATable(t *testing.T) {
	spec := &job.Spec{Loss: job.SigmoidCrossEntropy, Seed: 1, Data: job.Data{Source: "in.svm", Test: "test.svm"}}
	spec.Data.Shuffle = true
	spec.Data.Split.Train = 1
	spec.Data.Format, spec.Data.Label = job.LIBSVM, job.Columns{"label"}
	from := sources{"in.svm": []byte("+1 1:0.5 3:2\n-1 2:1\n1.0 3:4 # last\n"), "test.svm": []byte("-1 2:7\n"), "in": []byte("label,x1,x2,x3\n1,0.5,0,2\n-1,0,1,0\n1,0,0,4\n")}
	o := mustRun(t, spec, from)
	require.Equal(t, []string{"-1", "1"}, o.Classes)
	require.Equal(t, [][]float32{{0, 7, 0}}, o.x[job.Test])
	csv := *spec
	csv.Data.Format, csv.Data.Source, csv.Data.Test = job.CSV, "in", ""
	require.Equal(t, mustRun(t, &csv, from).x[job.Train], o.x[job.Train])
	require.Contains(t, o.said, "data.source: the indices of features count from 1 on, up to 3")

	based := *spec
	based.Data.LIBSVM = &job.LIBSVMOptions{Base: 0}
	o = mustRun(t, &based, from)
	require.Equal(t, [][]float32{{0, 0, 7, 0}}, o.x[job.Test])
	require.Contains(t, o.said, "data.source: the indices of features count from 0 on, as data.libsvm says, up to 3")
	based.Data.LIBSVM = &job.LIBSVMOptions{Base: 1}
	require.Equal(t, [][]float32{{0, 7, 0}}, mustRun(t, &based, from).x[job.Test])
	zero := sources{"in.svm": []byte("+1 1:0.5\n-1 0:1\n"), "test.svm": from["test.svm"]}
	_, err := run(t, &based, zero)
	require.ErrorIs(t, err, job.ErrInvalid)
	require.ErrorContains(t, err, "line 2: index 0: data.libsvm.base says that indices count from 1 on")

	from["test.svm"] = []byte("-1 4:7\n")
	_, err = run(t, spec, from)
	require.ErrorIs(t, err, job.ErrInvalid)
	require.ErrorContains(t, err, "index 4: the training source has the features 1 to 3")
	from["in.svm"] = []byte("1 1048574:1\n0 1:1\n")
	in := &Ingest{Sources: from, Store: discard{}, MaxBytes: 1 << 20}
	_, err = in.Run(t.Context(), spec)
	require.ErrorIs(t, err, job.ErrInvalid)
	require.ErrorContains(t, err, "2 rows of 1048574 columns: over the limit", "every row takes its zeros")
}
