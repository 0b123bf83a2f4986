package ingest

import (
	"context"
	"fmt"
	"io"
	"io/fs"

	"tributary/shared/access"
	"tributary/shared/model"
	"tributary/shared/registry"
)

// Sized is a source that knows its size in bytes before it is read.
type Sized interface{ Size() int64 }

// loading is held while a file of initial weights is in memory. A process holds one file
// at a time, for any number of jobs in preparation.
var loading = make(chan struct{}, 1)

// Weights reads the initial weights that a spec's model.init.from names and passes their
// bytes to use, which must not keep them. The file must have exactly the given tensors,
// all finite; otherwise Weights fails with job.ErrInvalid. It refuses a file that is too
// large before it reads it: by its size or, if the source does not know its size, by its
// header. The file is in memory once, and one file at a time in a process.
func Weights(ctx context.Context, sources Opener, from string, tensors []model.Tensor, use func(data []byte) error) error {
	select {
	case loading <- struct{}{}:
		defer func() { <-loading }()
	case <-ctx.Done():
		return ctx.Err()
	}
	data, err := readWeights(ctx, sources, from, tensors)
	if err != nil {
		return fmt.Errorf("model.init.from: %.200q: %w", access.Show(from), err)
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

// sizeOf returns the size of a source in bytes, if the source knows it.
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

// watched is a reader that fails when ctx ends.
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
