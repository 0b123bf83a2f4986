package registry

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
	"tributary/shared/model"
)

// two returns tensors of six and two parameters.
var givenTensors = []model.Tensor{
	{Name: "w", Shape: []int{2, 3}, Offset: 0, Len: 6}, {Name: "b", Shape: []int{2}, Offset: 6, Len: 2},
}

func givenFile(t *testing.T, tensors []model.Tensor, params []float32) []byte {
	t.Helper()
	data, err := EncodeWeights(tensors, model.Weights{Trained: params})
	require.NoError(t, err)
	return data
}

// counted is a reader that fails the test when more than most bytes are read.
type counted struct {
	io.Reader
	t    *testing.T
	left int
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.left -= n
	require.GreaterOrEqual(c.t, c.left, 0, "too much is read")
	return n, err
}

// endless is a file with this header and elements that never end.
func endless(header string) io.Reader {
	var length [8]byte
	binary.LittleEndian.PutUint64(length[:], uint64(len(header)))
	return io.MultiReader(bytes.NewReader(length[:]), strings.NewReader(header), zeros{})
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestGivenFileIsReadOnce(t *testing.T) {
	params := []float32{1, 2, 3, 4, 5, 6, 7, 8}
	data := givenFile(t, givenTensors, params)
	got, err := ReadFile(iotest.OneByteReader(bytes.NewReader(data)), givenTensors)
	require.NoError(t, err)
	require.Equal(t, data, got)
	require.NoError(t, CheckSize(int64(len(data)), givenTensors))

	lost := errors.New("connection lost")
	for n := range data {
		_, err := ReadFile(bytes.NewReader(data[:n]), givenTensors)
		require.ErrorIs(t, err, job.ErrInvalid, "%d bytes", n)
		_, err = ReadFile(io.MultiReader(bytes.NewReader(data[:n]), iotest.ErrReader(lost)), givenTensors)
		require.ErrorIs(t, err, lost)
		require.NotErrorIs(t, err, job.ErrInvalid)
	}
	_, err = ReadFile(bytes.NewReader(append(data, 0)), givenTensors)
	require.ErrorContains(t, err, "bytes after the last tensor")
}

// A file that is not of the model costs no more than its header.
func TestGivenFileOfAnotherModel(t *testing.T) {
	for want, header := range map[string]string{
		"does not begin with '{'":                                 "",
		"tensor w [2 3] is missing":                               `{"b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`,
		"tensor w has shape [2000000 3000]; the model's is [2 3]": `{"w":{"dtype":"F32","shape":[2000000,3000],"data_offsets":[0,24000000000]},"b":{"dtype":"F32","shape":[2],"data_offsets":[24000000000,24000000008]}}`,
		"the model has no tensor \"c\"":                           `{"w":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"b":{"dtype":"F32","shape":[2],"data_offsets":[24,32]},"c":{"dtype":"F32","shape":[1],"data_offsets":[32,36]}}`,
		"has dtype \"BF16\"":                                      `{"w":{"dtype":"BF16","shape":[2,3],"data_offsets":[0,12]}}`,
	} {
		_, err := ReadFile(&counted{endless(header), t, 8 + len(header)}, givenTensors)
		require.ErrorIs(t, err, job.ErrInvalid, header)
		require.ErrorContains(t, err, want)
	}
	var length [8]byte
	binary.LittleEndian.PutUint64(length[:], math.MaxUint64)
	_, err := ReadFile(&counted{io.MultiReader(bytes.NewReader(length[:]), zeros{}), t, 8}, givenTensors)
	require.ErrorContains(t, err, "at most 16777216 are read")
}

func TestGivenFileMustBeFinite(t *testing.T) {
	for i := range 8 {
		for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(-1))} {
			params := make([]float32, 8)
			params[i] = bad
			name, at := "w", i
			if i >= 6 {
				name, at = "b", i-6
			}
			_, err := ReadFile(bytes.NewReader(givenFile(t, givenTensors, params)), givenTensors)
			require.ErrorIs(t, err, job.ErrInvalid)
			require.ErrorContains(t, err, fmt.Sprintf("tensor %s: element %d is %v", name, at, bad))
		}
	}
}

func TestSizeOfAGivenFile(t *testing.T) {
	for _, size := range []int64{0, 39, 8 + 32 + maxHeader + 1, 1_600_000_000, math.MaxInt64} {
		err := CheckSize(size, givenTensors)
		require.ErrorIs(t, err, job.ErrInvalid)
		require.ErrorContains(t, err, fmt.Sprintf("the file has %d bytes; the model's 8 parameters take 32", size))
	}
	require.NoError(t, CheckSize(8+32+maxHeader, givenTensors))
}
