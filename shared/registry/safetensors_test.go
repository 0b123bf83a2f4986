package registry

import (
	"encoding/binary"
	"math"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tributary/shared/job"
	"tributary/shared/model"
)

// mlp returns the tensors of Sequential(Linear(3, 2), ReLU(), Linear(2, 1)) and parameters
// that are exact in decimal text.
func mlp() ([]model.Tensor, []float32) {
	tensors := []model.Tensor{
		{Name: "layers.0.weight", Shape: []int{2, 3}, Offset: 0, Len: 6},
		{Name: "layers.0.bias", Shape: []int{2}, Offset: 6, Len: 2},
		{Name: "layers.2.weight", Shape: []int{1, 2}, Offset: 8, Len: 2},
		{Name: "layers.2.bias", Shape: []int{1}, Offset: 10, Len: 1},
	}
	params := make([]float32, 11)
	for i := range params {
		params[i] = float32(i)*0.25 - 1
	}
	params[10] = math.SmallestNonzeroFloat32
	return tensors, params
}

// golden was written by EncodeWeights. testdata/check.py reads it with PyTorch. It is never
// rewritten, so that old files stay readable.
const golden = "testdata/mlp.safetensors"

func TestGolden(t *testing.T) {
	tensors, params := mlp()
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	got, err := EncodeWeights(tensors, model.Weights{Trained: params})
	require.NoError(t, err)
	require.Equal(t, want, got)
	read := make([]float32, len(params))
	require.NoError(t, LoadWeights(want, tensors, model.Weights{Trained: read}))
	require.Equal(t, params, read)
}

// testdata/check.py writes torch.safetensors. It has another order of tensors and other
// spacing in the header.
func TestReadsForeignFile(t *testing.T) {
	data, err := os.ReadFile("testdata/torch.safetensors")
	require.NoError(t, err)
	tensors, params := mlp()
	read := make([]float32, len(params))
	require.NoError(t, LoadWeights(data, tensors, model.Weights{Trained: read}))
	require.Equal(t, params, read)
}

// file makes a safetensors file from a header and n bytes of data.
func file(header string, n int) []byte {
	out := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(out, header...), make([]byte, n)...)
}

func TestRefusesMalformed(t *testing.T) {
	const a = `"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}`
	for want, data := range map[string][]byte{
		"3 bytes: shorter than":              {1, 2, 3},
		"header of 99 bytes in a file of 8":  {99, 0, 0, 0, 0, 0, 0, 0},
		"at most 16777216 are read":          {0, 0, 0, 0, 0, 0, 0, 0xff},
		"does not begin with '{'":            file(``, 0),
		"header: ":                           file(`{1`, 0),
		`tensor "a": EOF`:                    file(`{"a"`, 0),
		"header ends with":                   file(`{}x`, 0),
		"header ends with \"\\t\"":           file("{}\t", 0),
		`tensor "a" is given twice`:          file(`{`+a+`,`+a+`}`, 8),
		"header has two __metadata__":        file(`{"__metadata__":{},"__metadata__":{}}`, 0),
		"__metadata__: json":                 file(`{"__metadata__":{"a":1}}`, 0),
		`unknown field "x"`:                  file(`{"a":{"x":1}}`, 0),
		`dtype "F16"; only F32 is read`:      file(`{"a":{"dtype":"F16","shape":[2],"data_offsets":[0,4]}}`, 4),
		"needs a shape and two data_offsets": file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0]}}`, 8),
		"has 9 dimensions":                   file(`{"a":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,4]}}`, 4),
		"impossible shape [-1]":              file(`{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}`, 4),
		"impossible shape [2147483647 214":   file(`{"a":{"dtype":"F32","shape":[2147483647,2147483647,2147483647],"data_offsets":[0,4]}}`, 4),
		"data_offsets are 8 to 0":            file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}`, 8),
		"has 8 bytes, its data_offsets":      file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}`, 4),
		"tensors end at 8, the file's data":  file(`{`+a+`}`, 4),
		"begins at 4, where the one before":  file(`{`+a+`,"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, 8),
		"begins at 12, where the one before": file(`{`+a+`,"b":{"dtype":"F32","shape":[1],"data_offsets":[12,16]}}`, 16),
		"cannot unmarshal":                   file(`{"a":[]}`, 0),
	} {
		err := LoadWeights(data, nil, model.Weights{})
		require.ErrorIs(t, err, job.ErrInvalid, want)
		require.ErrorContains(t, err, want)
	}
}

func TestLoadWeightsNamesTheTensors(t *testing.T) {
	tensors, params := mlp()
	data, err := EncodeWeights(tensors, model.Weights{Trained: params})
	require.NoError(t, err)
	wanted := []model.Tensor{
		tensors[0],
		{Name: "layers.0.bias", Shape: []int{3}, Offset: 6, Len: 3},
		{Name: "layers.4.weight", Shape: []int{1, 2}, Offset: 9, Len: 2},
	}
	err = LoadWeights(data, wanted, model.Weights{Trained: make([]float32, 11)})
	require.ErrorIs(t, err, job.ErrInvalid)
	require.ErrorContains(t, err, "tensor layers.0.bias has shape [2]; the model's is [3]")
	require.ErrorContains(t, err, "tensor layers.4.weight [1 2] is missing")
	require.ErrorContains(t, err, `the model has no tensor "layers.2.bias, layers.2.weight"`)

	params[7] = float32(math.NaN())
	data, err = EncodeWeights(tensors, model.Weights{Trained: params})
	require.NoError(t, err)
	require.ErrorContains(t, LoadWeights(data, tensors, model.Weights{Trained: params}), "tensor layers.0.bias: element 1 is NaN")

	require.Error(t, LoadWeights(data, tensors, model.Weights{Trained: params[:5]}), "a destination that is too short")
	_, err = EncodeWeights(tensors, model.Weights{Trained: params[:5]})
	require.ErrorContains(t, err, "elements 0 to 6 of 5 parameters")
}

func TestWeightsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var tensors []model.Tensor
		n := 0
		names := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z"\\é]{1,6}`), 0, 6, rapid.ID).Draw(t, "names")
		for _, name := range names {
			shape := rapid.SliceOfN(rapid.IntRange(0, 4), 0, 3).Draw(t, "shape")
			size := 1
			for _, s := range shape {
				size *= s
			}
			tensors = append(tensors, model.Tensor{Name: name, Shape: append([]int{}, shape...), Offset: n, Len: size})
			n += size
		}
		params := rapid.SliceOfN(rapid.Float32(), n, n).Draw(t, "params")
		data, err := EncodeWeights(tensors, model.Weights{Trained: params})
		require.NoError(t, err)
		read := make([]float32, n)
		require.NoError(t, LoadWeights(data, tensors, model.Weights{Trained: read}))
		require.Equal(t, params, read)
	})
}

// FuzzSafetensors checks that reading any bytes gives an error or a file that covers its
// bytes, and never a panic.
func FuzzSafetensors(f *testing.F) {
	tensors, params := mlp()
	good, err := EncodeWeights(tensors, model.Weights{Trained: params})
	require.NoError(f, err)
	f.Add(good)
	f.Add(file(`{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}`, 4))
	f.Add(file(`{"__metadata__":{"a":"b"}} `, 0))
	f.Fuzz(func(t *testing.T, data []byte) {
		read := make([]float32, len(params))
		if err := LoadWeights(data, tensors, model.Weights{Trained: read}); err != nil {
			require.ErrorIs(t, err, job.ErrInvalid)
			return
		}
		again, err := EncodeWeights(tensors, model.Weights{Trained: read})
		require.NoError(t, err)
		require.NoError(t, LoadWeights(again, tensors, model.Weights{Trained: make([]float32, len(params))}))
	})
}

// FuzzDecode treats the files of a model as untrusted. A model that decodes also predicts,
// or says why not.
func FuzzDecode(f *testing.F) {
	files, err := Encode(linear(f, job.MSE, nil, column("y"), 2, 1.5, -2.25, 0.125))
	require.NoError(f, err)
	f.Add(files[CardFile], files[WeightsFile])
	f.Fuzz(func(t *testing.T, card, weights []byte) {
		m, err := Decode(map[string][]byte{CardFile: card, WeightsFile: weights})
		if err != nil {
			return
		}
		p, err := predict(t, m, "[[1, null]]")
		if err != nil {
			require.ErrorIs(t, err, job.ErrInvalid)
			return
		}
		require.Len(t, p.Predictions, 1)
	})
}
