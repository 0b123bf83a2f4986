package ingest

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
	"tributary/shared/model"
	"tributary/shared/registry"
)

var oneTensor = []model.Tensor{{Name: "w", Shape: []int{4}, Len: 4}}

// opener opens every source through a function.
type opener func() (io.ReadCloser, error)

func (o opener) Open(context.Context, string) (io.ReadCloser, error) { return o() }

// unread is a source of a size that must not be read.
type unread struct {
	t    *testing.T
	size int64
}

func (u unread) Size() int64 { return u.size }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("it is read")
	return 0, io.ErrUnexpectedEOF
}

func (unread) Close() error { return nil }

func none([]byte) error { return nil }

// A file that is too large is refused by its size alone, both for a file and for a source
// that knows its size.
func TestWeightsTooLargeAreNotRead(t *testing.T) {
	const want = `model.init.from: "x": safetensors: the file has 1600000000 bytes; the model's 4 parameters take 16`
	err := Weights(t.Context(), opener(func() (io.ReadCloser, error) { return unread{t, 1_600_000_000}, nil }), "x", oneTensor, none)
	require.ErrorIs(t, err, job.ErrInvalid)
	require.ErrorContains(t, err, want)

	path := filepath.Join(t.TempDir(), "big")
	f, err := os.Create(path)
	require.NoError(t, err)
	require.NoError(t, f.Truncate(1_600_000_000)) // a sparse file
	require.NoError(t, f.Close())
	err = Weights(t.Context(), local, path, oneTensor, none)
	require.ErrorIs(t, err, job.ErrInvalid)
	require.ErrorContains(t, err, "the file has 1600000000 bytes")
}

// One file of weights is in memory at a time. A caller that waits for its turn returns
// when its context ends.
func TestWeightsOneAtATime(t *testing.T) {
	data, err := registry.EncodeWeights(oneTensor, model.Weights{Trained: []float32{1, 2, 3, 4}})
	require.NoError(t, err)
	from := sources{"w": data}
	inside, leave := make(chan struct{}), make(chan struct{})
	first, second := make(chan error, 1), make(chan error, 1)
	go func() {
		first <- Weights(t.Context(), from, "w", oneTensor, func(got []byte) error {
			close(inside)
			<-leave
			if !bytes.Equal(got, data) {
				return io.ErrUnexpectedEOF
			}
			return nil
		})
	}()
	<-inside
	ctx, cancel := context.WithCancel(t.Context())
	opened := false
	go func() {
		second <- Weights(ctx, opener(func() (io.ReadCloser, error) {
			opened = true
			return nil, io.EOF
		}), "w", oneTensor, none)
	}()
	cancel()
	require.ErrorIs(t, <-second, context.Canceled)
	require.False(t, opened)
	close(leave)
	require.NoError(t, <-first)
	require.NoError(t, Weights(t.Context(), from, "w", oneTensor, none))
}

// A read of weights ends with its context, at any point.
func TestWeightsAreCancelled(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	data, err := registry.EncodeWeights(oneTensor, model.Weights{Trained: []float32{1, 2, 3, 4}})
	require.NoError(t, err)
	slow := &cutting{bytes.NewReader(data), 5, cancel}
	err = Weights(ctx, opener(func() (io.ReadCloser, error) { return io.NopCloser(slow), nil }), "w", oneTensor, none)
	require.ErrorIs(t, err, context.Canceled)
}

// cutting gives one byte at a time and cancels after some bytes.
type cutting struct {
	in     io.Reader
	left   int
	cancel context.CancelFunc
}

func (c *cutting) Read(p []byte) (int, error) {
	if c.left--; c.left == 0 {
		c.cancel()
	}
	return c.in.Read(p[:1])
}
