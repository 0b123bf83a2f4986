package ingest

import (
	"context"
	"fmt"
	"io"
	"io/fs"

	"tributary/shared/model"
	"tributary/shared/registry"
)

// Sized is a source that knows how many bytes it has before it is read.
type Sized interface{ Size() int64 }

// loading is held by who has a file of initial weights in memory: there is one at a
// time in a process, however many jobs are prepared.
var loading = make(chan struct{}, 1)

// Weights reads the initial weights that a spec's model.init.from names, and hands their
// bytes to use, which does not keep them. They are a file that has the given tensors and
// nothing else, all finite; any other fails with job.ErrInvalid. A file that is too
// large is refused before it is read, by its size, or, where the source does not tell
// it, by its header. It is in memory once, and one in a process at a time.
func Weights(ctx context.Context, sources Opener, from string, tensors []model.Tensor, use func(data []byte) error) error {
	select {
	case loading <- struct{}{}:
		defer func() { <-loading }()
	case <-ctx.Done():
		return ctx.Err()
	}
	data, err := readWeights(ctx, sources, from, tensors)
	if err != nil {
		return fmt.Errorf("model.init.from: %.200q: %w", from, err)
	}
	return use(data)
}

func readWeights(ctx context.Context, sources Opener, from string, tensors []model.Tensor) ([]byte, error) {
	r, err := sources.Open(ctx, from)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if size, known := sizeOf(r); known {
		if err := registry.CheckSize(size, tensors); err != nil {
			return nil, err
		}
	}
	return registry.ReadFile(&watched{ctx, r}, tensors)
}

// sizeOf is the bytes of a source, where it tells them.
func sizeOf(r io.Reader) (size int64, known bool) {
	switch r := r.(type) {
	case Sized:
		return r.Size(), true
	case interface{ Stat() (fs.FileInfo, error) }:
		info, err := r.Stat()
		if err != nil {
			return 0, false
		}
		return info.Size(), true
	}
	return 0, false
}

// watched is a reader that ends with ctx.
type watched struct {
	ctx context.Context //nolint:containedctx // lives as long as one reading
	in  io.Reader
}

func (w *watched) Read(p []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	return w.in.Read(p)
}
