// Package tabular reads what a table's file is made of: it unpacks gzip,
// bounds what comes out, and gives CSV records with their line numbers.
//
// It owns bytes and records; what a cell means is package dataset's, what a
// column is, ingest's. Ingest calls it to train and dataset to predict.
//
// Invariant: nothing read through it takes more memory than one record's limit,
// or yields more bytes than the source's, whatever the source holds.
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

// DefaultLimit bounds what one source unpacks to, unless told otherwise.
const DefaultLimit = 16 << 30

// Source is a file's content, unpacked if it is gzip (told by its first bytes,
// not by its name). Its reads end with ctx, and fail with job.ErrInvalid when
// the gzip is truncated or corrupt, or when more than the limit comes out.
type Source struct {
	ctx    context.Context //nolint:containedctx // lives as long as one reading
	in     io.Reader
	packed bool
	limit  int64
	read   int64 // bytes given out
	peeked []byte
	failed error // of peeking, after what was peeked
}

// Open reads the first bytes of r and returns its content, of at most limit
// bytes; a limit of 0 is DefaultLimit. Closing r stays the caller's.
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

// watched ends with ctx too where much is read and nothing comes out, as of a gzip
// of empty members.
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

// Peek returns the next n bytes, or fewer at the end or before an error, without taking
// them from what is read.
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

// next reads what was not peeked.
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

// gzipError says what is wrong with packed bytes, and passes on what went
// wrong in reading them.
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
