package ingest

import (
	"context"
	"fmt"
	"slices"

	"tributary/shared/access"
	"tributary/shared/dataset/tabular"
	"tributary/shared/job"
)

// records reads the rows of a file of named columns as texts.
type records struct {
	names []string
	index func(name string) (int, bool)
	next  func() ([]string, error) // io.EOF after the last row; the following call overwrites it
	unit  string                   // of line: "line" or "row"
	line  func(cell int) int       // where a cell of the last row is
	// numbers makes next leave out texts of numbers, and returns where next puts them instead:
	// NaN for a cell with a text, or nothing. nil: next leaves none out.
	numbers  func() []float64
	unnamed  []bool         // columns without a name in the header, or nil
	kinds    []tabular.Kind // what the file's own schema says, or nil
	detected []string       // what was detected, for the user
}

// each passes each file of a source to read, in order.
func (w *work) each(ctx context.Context, d *job.Data, f files, s *survey, read func(*records) error) error {
	if s.asked != nil {
		if err := read(s.asked.records()); err != nil {
			return fmt.Errorf("%s %q: %w", f.field, access.Show(f.source), err)
		}
		return nil
	}
	return w.withAll(ctx, f.field, s.sources, func(k int, content *tabular.Source) error {
		file, err := w.open(d, content, s, k)
		if err != nil {
			return err
		}
		return read(file)
	})
}

// open opens a file of named columns, file k of the source that s surveys.
func (w *work) open(d *job.Data, content *tabular.Source, s *survey, k int) (*records, error) {
	switch d.Format {
	case job.JSONL:
		keys := s.keys
		file := tabular.OpenJSONL(content, keys)
		return &records{names: keys.Names, index: keys.Index, next: file.Next, unit: "row", line: file.Line, kinds: keys.Kinds}, nil
	case job.LIBSVM:
		return openLIBSVM(content, s), nil
	case job.Arrow:
		return w.openArrow(d, content, s, k)
	case job.Parquet:
		return w.openParquet(d, content, s, k)
	default:
		file, err := tabular.OpenCSV(content, d.CSV, nil)
		if err != nil {
			return nil, err
		}
		return &records{
			names: file.Header, index: file.Index, next: file.Next, unit: "line", line: file.Line,
			unnamed: file.Unnamed, detected: file.Detected,
		}, nil
	}
}

// indexOf returns a function from a name to its index.
func indexOf(names []string) func(string) (int, bool) {
	at := make(map[string]int, len(names))
	for i, name := range names {
		at[name] = i
	}
	return func(name string) (int, bool) {
		i, ok := at[name]
		return i, ok
	}
}

// positions returns where the columns are in a row.
func (r *records) positions(names []string) ([]int, error) {
	at := make([]int, len(names))
	for i, name := range names {
		cell, ok := r.index(name)
		if !ok {
			return nil, fmt.Errorf("header: no column %q, which the training source has: %w", name, job.ErrInvalid)
		}
		at[i] = cell
	}
	return at, nil
}

// same refuses a file whose columns are not those of the first file, in any order.
func (r *records) same(names []string) error {
	first := indexOf(names)
	for _, name := range r.names {
		if _, ok := first(name); !ok {
			return fmt.Errorf("header: column %q, which the first file does not have: want the same columns in all files: %w", name, job.ErrInvalid)
		}
	}
	if i := slices.IndexFunc(names, func(name string) bool { _, ok := r.index(name); return !ok }); i >= 0 {
		return fmt.Errorf("header: no column %q, which the first file has: want the same columns in all files: %w", names[i], job.ErrInvalid)
	}
	return nil
}
