package ingest

import (
	"bytes"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
	"tributary/shared/numeric"
)

func ramp(n int) []float32 {
	out := make([]float32, n)
	for i := range out {
		out[i] = float32(i)
	}
	return out
}

func idxSpec() *job.Spec {
	return &job.Spec{Loss: job.SoftmaxCrossEntropy, Seed: 3, Data: job.Data{
		Source: "images", Labels: "labels", Format: job.IDX,
		Transform: job.Transform{Scale: job.Scale{Method: "divide", Divide: 255}},
	}}
}

// images makes n 28×28 images and their labels in the format of MNIST's files.
func images(n int) (x, y []byte) {
	r := numeric.NewRand(1, numeric.ForSynthetic, 0, 0)
	x, y = make([]byte, n*784), make([]byte, n)
	for i := range x {
		x[i] = byte(r.Below(256))
	}
	for i := range y {
		y[i] = byte(i % 10)
	}
	return x, y
}

func TestIDX(t *testing.T) {
	x, y := images(1000)
	spec := idxSpec()
	spec.Data.Split = job.SplitSpec{Train: 0.9, Validation: 0.1}
	spec.Data.Test, spec.Data.TestLabels = "test", "test labels"
	from := sources{
		"images": pack(t, idxBytes(x, 1000, 28, 28)), "labels": pack(t, idxBytes(y, 1000)),
		"test": idxBytes(x[:10*784], 10, 784), "test labels": idxBytes(y[:10], 10),
	}
	o := mustRun(t, spec, from)
	require.Equal(t, 784, o.Features)
	require.Len(t, o.Classes, 10)
	require.Equal(t, []int{900, 100, 10}, []int{o.Rows(job.Train), o.Rows(job.Validation), o.Rows(job.Test)})
	require.Len(t, o.Splits[job.Train], 3, "333 rows of 785 floats make 1 MiB")
	require.Equal(t, "x783", o.Preprocessing.Columns[783].Name)
	for i, got := range o.x[job.Test] {
		for j, v := range got {
			require.Equal(t, float32(float64(x[i*784+j])/255), v)
		}
		require.Equal(t, float32(i), o.y[job.Test][i][0])
	}
	spec.Data.Test, spec.Data.TestLabels = "labels", "labels"
	_, err := run(t, spec, from)
	require.ErrorContains(t, err, `data.test "labels": 1 values in a row, data.source has 784`)
}

func TestIDXFloats(t *testing.T) {
	spec := idxSpec()
	spec.Loss, spec.Data.Transform = job.MSE, job.Transform{}
	o := mustRun(t, spec, sources{
		"images": idxFloats([]float32{1, -2.5, 3, 4}, 2, 2), "labels": idxFloats([]float32{0.5, 1, 1.5, 2}, 2, 2),
	})
	require.Equal(t, [][]float32{{1, -2.5}, {3, 4}}, o.x[job.Train])
	require.Equal(t, [][]float32{{0.5, 1}, {1.5, 2}}, o.y[job.Train])

	spec.Data.Transform.Label.Method = "standard"
	_, err := run(t, spec, sources{"images": idxFloats(ramp(4), 2, 2), "labels": idxFloats(ramp(4), 2, 2)})
	require.ErrorContains(t, err, "data.transform.label: the label has 2 outputs")
}

// The types of an IDX file's values.
const idxByte, idxFloat = 0x08, 0x0D

func TestBadIDX(t *testing.T) {
	good := idxBytes([]byte{1, 2, 3, 4, 5, 6}, 3, 2)
	labels := idxBytes([]byte{0, 1, 1}, 3)
	nan := float32(math.NaN())
	for name, c := range map[string]struct {
		images, labels []byte
		want           string
	}{
		"empty":            {nil, labels, `data.source "images": empty file: want IDX`},
		"not IDX":          {[]byte("a,y\n1,2\n"), labels, "begins with 61 2c: want IDX"},
		"ends in a header": {good[:9], labels, "truncated IDX: ends after header"},
		"no magic":         {good[:3], labels, "truncated IDX: ends after header"},
		"truncated":        {good[:len(good)-2], labels, "truncated IDX: ends after 4 of 6 bytes of values"},
		"too long":         {append(bytes.Clone(good), 7), labels, "bytes after the last value"},
		"int type":         {append(idxHeader(0x0C, 1), 0, 0, 0, 1), labels, "IDX type 0x0c: want 0x08 (unsigned byte) or 0x0d (float)"},
		"no dimensions":    {idxHeader(idxByte), labels, "IDX of 0 dimensions: want 1 to 4"},
		"no rows":          {idxBytes(nil, 0, 2), labels, "IDX dimension 0 is 0"},
		"a lying header":   {idxBytes(nil, 1<<31, 1<<31, 1<<31), labels, "announce over"},
		"a smaller lie":    {idxBytes(nil, 1<<20, 1<<10), labels, "truncated IDX: ends after 0 of 1073741824 bytes"},
		"nan":              {idxFloats([]float32{1, 2, 3, nan}, 2, 2), labels, "row 2, value 2: NaN: want a finite number"},
		"labels differ":    {good, idxBytes([]byte{0, 1}, 2), `data.labels "labels": 2 labels for 3 rows`},
		"labels of images": {good, good, `data.labels "labels": IDX of 2 dimensions: want 1 to 1`},
		"labels constant":  {good, idxBytes([]byte{1, 1, 1}, 3), `every row is of class "1"`},
		"labels nan":       {good, idxFloats([]float32{1, 0, nan}, 3), "row 3, value 1: NaN"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := run(t, idxSpec(), sources{"images": c.images, "labels": c.labels})
			require.ErrorIs(t, err, job.ErrInvalid)
			require.ErrorContains(t, err, c.want)
		})
	}
	packed := pack(t, good)
	_, err := run(t, idxSpec(), sources{"images": packed[:len(packed)-9], "labels": labels})
	require.ErrorIs(t, err, job.ErrInvalid)
	require.ErrorContains(t, err, "truncated")

	spec := idxSpec()
	spec.Data.Labels = ""
	_, err = run(t, spec, sources{"images": good})
	require.ErrorContains(t, err, "data.labels: want the source of the labels")
}

func FuzzIDX(f *testing.F) {
	f.Add(idxBytes([]byte{1, 2, 3, 4}, 2, 2))
	f.Add(idxFloats([]float32{1, 2}, 2))
	f.Fuzz(func(t *testing.T, data []byte) {
		rows, c, err := (&space{keep: keepBytes}).readIDXFile(bytes.NewReader(data), 1<<16, 4)
		if err != nil {
			require.ErrorIs(t, err, job.ErrInvalid)
			return
		}
		require.Len(t, c.data.memory, rows*c.size())
	})
}

// BenchmarkMNIST ingests as many images as MNIST has.
func BenchmarkMNIST(b *testing.B) {
	x, y := images(60_000)
	from := sources{"images": idxBytes(x, 60_000, 28, 28), "labels": idxBytes(y, 60_000)}
	for b.Loop() {
		_, err := Run(b.Context(), idxSpec(), from, discard{}, nil)
		require.NoError(b, err)
	}
}
