package ingest

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"tributary/shared/dataset/parquet"
	"tributary/shared/dataset/tabular"
	"tributary/shared/job"
)

// openParquet opens a Parquet file. Its footer is at its end, so the first reading copies
// the content to a scratch, which the second reading takes from copies. k is the number of
// the file within its source.
func (w *work) openParquet(d *job.Data, content *tabular.Source, s *survey, k int) (*records, error) {
	c, err := w.copyOf(content, s, k)
	if err != nil {
		return nil, err
	}
	file, err := parquet.Open(c, c.size())
	if err != nil {
		return nil, err
	}
	r := w.columnar(d, file, file.Names, file.Kinds)
	r.numbers = file.Numbers
	return r, nil
}

// columnar is an open file of typed columns.
type columnar interface {
	Leave(i int)
	Next() ([]string, error)
	Line(i int) int
	Close()
}

// columnar returns the rows of a file without the columns that the spec leaves out.
func (w *work) columnar(d *job.Data, file columnar, names []string, kinds []tabular.Kind) *records {
	w.closers = append(w.closers, file.Close)
	for i, name := range names {
		if leftOut(d, name) || w.only != nil && !w.only[name] {
			file.Leave(i)
		}
	}
	return &records{names: names, index: indexOf(names), next: file.Next, unit: "row", line: file.Line, kinds: kinds}
}

// copyOf returns a scratch with the content of file k. The first reading makes it.
func (w *work) copyOf(content *tabular.Source, s *survey, k int) (*scratch, error) {
	if k == len(s.copies) {
		c, err := w.space.copy(content, w.limit())
		if err != nil {
			return nil, err
		}
		s.copies = append(s.copies, c)
	}
	return s.copies[k], nil
}

// leftOut reports whether the spec leaves a column out.
func leftOut(d *job.Data, name string) bool {
	return d.Columns[name].Type == job.DropColumn || slices.Contains(d.Drop, name)
}

// copy returns a scratch with the bytes of a content of unknown length.
func (s *space) copy(content io.Reader, limit int64) (*scratch, error) {
	first := make([]byte, min(s.keep, 64<<10))
	n, err := io.ReadFull(content, first)
	whole := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
	if err != nil && !whole {
		return nil, err
	}
	bytes := int64(n)
	if !whole {
		bytes = limit
	}
	c, err := s.scratch(bytes)
	if err != nil {
		return nil, err
	}
	if _, err := c.Write(first[:n]); err != nil {
		return nil, err
	}
	if !whole {
		if _, err := io.Copy(c, content); err != nil {
			return nil, err
		}
	}
	return c, c.done()
}

// size returns the number of bytes.
func (s *scratch) size() int64 {
	if s.file == nil {
		return int64(len(s.memory))
	}
	info, err := s.file.Stat()
	if err != nil {
		return 0
	}
	return info.Size()
}

// ReadAt reads bytes at an offset.
func (s *scratch) ReadAt(p []byte, at int64) (int, error) {
	if s.file != nil {
		return s.file.ReadAt(p, at)
	}
	if at < 0 || at > int64(len(s.memory)) {
		return 0, fmt.Errorf("offset %d of %d: %w", at, len(s.memory), io.EOF)
	}
	n := copy(p, s.memory[at:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}
