package ingest

import (
	"context"
	"fmt"
	"io"

	"tributary/shared/dataset"
	"tributary/shared/dataset/tabular"
	"tributary/shared/job"
)

// Labels are the labels of rows in a file of their own, one row after the other.
type Labels struct {
	work *work
	file io.Closer

	idx *dataset.LabelFile // or nil

	cursor     *cursor // of a NumPy array, if there is no idx
	rows, read int
}

// Labels opens the labels of the rows for a model: an IDX file, or a NumPy array, of [rows]
// or [rows, columns]. The caller closes them.
func (in *Ingest) Labels(ctx context.Context, d *job.Data, r Reading, columns int) (_ *Labels, err error) {
	l := &Labels{work: in.work(&job.Data{})}
	defer func() {
		if err != nil {
			l.Close()
		}
	}()
	f, err := l.work.Sources.Open(ctx, r.Source)
	if err != nil {
		return nil, err
	}
	l.file = f
	var packed io.Reader = f
	if job.FormatOf(r.Source) != job.NumPy {
		content, err := tabular.Open(ctx, f, l.work.limit())
		if err != nil {
			return nil, err
		}
		l.work.closers = append(l.work.closers, content.Close)
		if formatOf(content, "") != numpyIn {
			l.idx, err = dataset.OpenLabels(ctx, content, columns)
			return l, err
		}
		packed = content
	}
	_, names := arraysOf(d, r.Array)
	n, c, err := l.work.arrayOf(ctx, packed, names, 2)
	if err != nil {
		return nil, err
	}
	if c.width != columns {
		return nil, fmt.Errorf("%d labels in a row: the model has %d: %w", c.width, columns, job.ErrInvalid)
	}
	l.cursor, l.rows = c.cursor(all(n)), n
	return l, nil
}

// Next returns the labels of the next row. They are valid until the next call.
func (l *Labels) Next() ([]float64, error) {
	if l.idx != nil {
		return l.idx.Next()
	}
	if l.read == l.rows {
		return nil, fmt.Errorf("%d labels, and more rows: want as many: %w", l.rows, job.ErrInvalid)
	}
	l.read++
	return l.cursor.row()
}

// End fails with job.ErrInvalid if there are labels without rows.
func (l *Labels) End() error {
	if l.idx != nil {
		return l.idx.End()
	}
	if l.read != l.rows {
		return fmt.Errorf("%d labels for %d rows: want as many: %w", l.rows, l.read, job.ErrInvalid)
	}
	return nil
}

// Close gives back memory and files.
func (l *Labels) Close() {
	if l.file != nil {
		_ = l.file.Close() // was only read
	}
	_ = l.work.end() // its scratches were only read
}
