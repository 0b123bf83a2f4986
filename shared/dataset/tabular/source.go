// Package tabular reads the file of a table: it unpacks it (gzip, zstd, bzip2, zip), limits
// the unpacked size, and returns the records of CSV, JSON lines and Parquet with their
// places.
//
// It owns bytes and records. It leaves the meaning of a cell to package dataset, and the
// meaning of a column to ingest. Ingest calls it for training, and package dataset for
// prediction.
//
// Invariant: reading takes at most the memory of one record's limit, and yields at most the
// bytes of the source's limit, for any content.
package tabular

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"

	"tributary/shared/job"
)

// DefaultLimit is the limit of a source's unpacked bytes if the caller sets none.
const DefaultLimit = 16 << 30

// Source is the content of a file. It unpacks a packed file, which it recognizes by the
// first bytes and not by the name. Reads end with ctx. They fail with job.ErrInvalid if the
// packed bytes are truncated or corrupt, or if there are more bytes than the limit.
type Source struct {
	ctx    context.Context //nolint:containedctx // lives as long as one reading
	in     io.Reader
	file   *watched
	packed string // how the file is packed, or ""
	limit  int64
	read   int64 // unpacked bytes so far
	peeked []byte
	failed error // of Peek; it comes after the peeked bytes
	ended  error // the end of the unpacked bytes, or the first error
}

// Open reads the first bytes of r and returns its content, with at most limit bytes. A
// limit of 0 means DefaultLimit. The caller closes r.
func Open(ctx context.Context, r io.Reader, limit int64) (*Source, error) {
	if limit <= 0 {
		limit = DefaultLimit
	}
	file := &watched{ctx: ctx, in: r}
	in := bufio.NewReaderSize(file, 64<<10)
	head, err := in.Peek(2)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if mayBePacked(head) {
		head, _ = in.Peek(headBytes) // an error comes again with the next read
	}
	s := &Source{ctx: ctx, in: in, file: file, limit: limit, packed: packing(head)}
	if s.packed == "" {
		return s, nil
	}
	if s.in, err = unpack(s.packed, in, r); err != nil {
		return nil, packedError(s.packed, err, file.failed)
	}
	return s, nil
}

// watched is a reader that fails when ctx ends. It is below the unpacking, because a gzip
// of empty members is read without end and yields nothing.
type watched struct {
	ctx    context.Context //nolint:containedctx // lives as long as one reading
	in     io.Reader
	failed error // the last error
}

func (w *watched) Read(p []byte) (n int, err error) {
	if err = w.ctx.Err(); err == nil {
		n, err = w.in.Read(p)
	}
	w.failed = err
	return n, err
}

// Peek returns the next n bytes without consuming them. It returns fewer at the end of the
// source or before an error.
func (s *Source) Peek(n int) []byte {
	for len(s.peeked) < n && s.failed == nil {
		more := make([]byte, n-len(s.peeked))
		var got int
		got, s.failed = s.next(more)
		s.peeked = append(s.peeked, more[:got]...)
	}
	return s.peeked[:min(n, len(s.peeked))]
}

func (s *Source) Read(p []byte) (int, error) {
	switch {
	case len(s.peeked) > 0:
		n := copy(p, s.peeked)
		s.peeked = s.peeked[n:]
		return n, nil
	case s.failed != nil:
		return 0, s.failed
	}
	return s.next(p)
}

// next reads bytes that were not peeked.
func (s *Source) next(p []byte) (int, error) {
	if s.ended != nil {
		return 0, s.ended
	}
	n, err := s.unpacked(p)
	s.ended = err
	return n, err
}

func (s *Source) unpacked(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := s.in.Read(p)
	s.read += int64(n)
	if s.read > s.limit {
		return 0, fmt.Errorf("over the limit of %d bytes unpacked: %w", s.limit, job.ErrInvalid)
	}
	if err != nil && !errors.Is(err, io.EOF) && s.packed != "" {
		err = packedError(s.packed, err, s.file.failed)
	}
	return n, err
}

// Bytes returns the number of unpacked bytes that were read.
func (s *Source) Bytes() int64 { return s.read }

// Close gives back the memory of the unpacking. It does not close the file.
func (s *Source) Close() {
	switch in := s.in.(type) {
	case *zstd.Decoder:
		in.Close()
	case io.Closer:
		_ = in.Close() // of an archive's file, which is only read
	}
}
