package ingest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"

	"github.com/dustin/go-humanize"

	"tributary/shared/access"
	"tributary/shared/dataset/tabular"
	"tributary/shared/job"
)

// once is an opener that reads each file of a remote place once: it copies the file to a
// scratch, from which all openings read. So a file is transferred once, and all readings
// of it see the same bytes. It does the same with a file whose digest the spec names.
type once struct {
	from   Opener
	work   *work
	named  string     // the source that has the digest
	sum    job.Digest // as data.sha256 says, or ""
	copies map[string]*scratch
}

func newOnce(w *work, d *job.Data) *once {
	return &once{from: w.Sources, work: w, named: d.Source, sum: d.SHA256, copies: map[string]*scratch{}}
}

// copied is an opened copy.
type copied struct{ *io.SectionReader }

func (copied) Close() error { return nil }

// Open implements Opener.
func (o *once) Open(ctx context.Context, source string) (io.ReadCloser, error) {
	named := o.sum != "" && source == o.named
	remote := job.IsWeb(source) || job.IsS3(source)
	if !named && !remote {
		return o.from.Open(ctx, source)
	}
	c := o.copies[source]
	if c == nil {
		f, err := o.from.Open(ctx, source)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in := &summed{in: &watched{ctx, f}, sum: sha256.New(), left: o.work.limit()}
		if c, err = o.work.space.copy(in, o.work.limit()); err != nil {
			return nil, err
		}
		if got := job.Digest(hex.EncodeToString(in.sum.Sum(nil))); named && got != o.sum {
			return nil, fmt.Errorf("its SHA-256 is %s, data.sha256 says %s: %w", got, o.sum, job.ErrInvalid)
		}
		o.copies[source] = c
		if remote {
			o.work.say("fetched %s from %s", humanize.IBytes(uint64(c.size())), access.Show(source))
		}
	}
	return copied{io.NewSectionReader(c, 0, c.size())}, nil
}

// List implements Lister.
func (o *once) List(ctx context.Context, source string) ([]string, error) {
	lister, ok := o.from.(Lister)
	if !ok {
		return []string{source}, ctx.Err()
	}
	found, err := lister.List(ctx, source)
	if err == nil && o.sum != "" && source == o.named && (len(found) != 1 || found[0] != source) {
		err = fmt.Errorf("data.sha256 is that of one file, there are %d: %w", len(found), job.ErrInvalid)
	}
	return found, err
}

// Query implements Querier.
func (o *once) Query(ctx context.Context, source, statement string) (tabular.Rows, error) {
	from, ok := o.from.(Querier)
	if !ok {
		return nil, fmt.Errorf("this program reads no databases: %w", job.ErrInvalid)
	}
	return from.Query(ctx, source, statement)
}

// summed computes the digest of what is read, at most left bytes.
type summed struct {
	in   io.Reader
	sum  hash.Hash
	left int64
}

func (s *summed) Read(p []byte) (int, error) {
	n, err := s.in.Read(p)
	s.sum.Write(p[:n])
	if s.left -= int64(n); s.left < 0 {
		return 0, fmt.Errorf("over the limit of the bytes of a source: %w", job.ErrInvalid)
	}
	return n, err
}
