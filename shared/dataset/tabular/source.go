// Package tabular reads the file of a table: it unpacks gzip, limits the unpacked size, and
// returns CSV records with their line numbers.
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
	"compress/flate"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"

	"tributary/shared/job"
)

// DefaultLimit is the limit of a source's unpacked bytes if the caller sets none.
const DefaultLimit = 16 << 30

// Source is the content of a file. It unpacks gzip, which it recognizes by the first bytes
// and not by the name. Reads end with ctx. They fail with job.ErrInvalid if the gzip is
// truncated or corrupt, or if there are more bytes than the limit.
type Source struct {
	ctx    context.Context //nolint:containedctx // lives as long as one reading
	in     io.Reader
	packed bool
	limit  int64
	read   int64 // unpacked bytes so far
	peeked []byte
	failed error // of Peek; it comes after the peeked bytes
}

// Open reads the first bytes of r and returns its content, with at most limit bytes. A
// limit of 0 means DefaultLimit. The caller closes r.
func Open(ctx context.Context, r io.Reader, limit int64) (*Source, error) {
	if limit <= 0 {
		limit = DefaultLimit
	}
	in := bufio.NewReaderSize(&watched{ctx, r}, 64<<10)
	head, err := in.Peek(2)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	s := &Source{ctx: ctx, in: in, limit: limit}
	if isGzip(head) {
		s.packed = true
		if s.in, err = openMembers(in); err != nil {
			return nil, gzipError(err)
		}
	}
	return s, nil
}

func isGzip(head []byte) bool { return len(head) == 2 && head[0] == 0x1f && head[1] == 0x8b }

// watched is a reader that fails when ctx ends. It is below the unpacking, because a gzip
// of empty members is read without end and yields nothing.
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
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := s.in.Read(p)
	s.read += int64(n)
	if s.read > s.limit {
		return 0, fmt.Errorf("over the limit of %d bytes unpacked: %w", s.limit, job.ErrInvalid)
	}
	if err != nil && !errors.Is(err, io.EOF) && s.packed {
		err = gzipError(err)
	}
	return n, err
}

// gzipError wraps faults of the packed bytes in job.ErrInvalid, and returns errors of
// reading them unchanged.
func gzipError(err error) error {
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return fmt.Errorf("truncated gzip: %w", job.ErrInvalid)
	case errors.Is(err, errTrailing):
		return fmt.Errorf("%w: %w", err, job.ErrInvalid)
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum), isFlate(err):
		return fmt.Errorf("corrupt gzip: %w: %w", err, job.ErrInvalid)
	default:
		return err
	}
}

func isFlate(err error) bool {
	corrupt, internal := flate.CorruptInputError(0), flate.InternalError("")
	return errors.As(err, &corrupt) || errors.As(err, &internal)
}
