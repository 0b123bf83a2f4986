package dataset

import (
	"context"
	"errors"
	"fmt"
	"io"

	"tributary/shared/dataset/tabular"
	"tributary/shared/job"
)

// ReadCSV reads raw rows for prediction from a CSV file, packed or not, and
// hands each to row with the line it begins in; the values are overwritten by
// the next. The header may name the columns in any order; the label's column
// and columns the model does not know are passed over. limit bounds the
// unpacked bytes (0: tabular.DefaultLimit). An error of row ends the
// reading and is returned as it is.
func (p *Preprocessing) ReadCSV(ctx context.Context, r io.Reader, limit int64, row func(line int, values []Value) error) error {
	source, err := tabular.Open(ctx, r, limit)
	if err != nil {
		return err
	}
	file, err := tabular.OpenCSV(source)
	if err != nil {
		return err
	}
	cells := make([]int, len(p.Columns)) // column → cell of a record
	for i, c := range p.Columns {
		cell, ok := file.Index(c.Name)
		if !ok {
			return fmt.Errorf("header: no column %q; the model takes %s: %w", c.Name, p.columnList(), job.ErrInvalid)
		}
		cells[i] = cell
	}
	values := make([]Value, len(p.Columns))
	for {
		record, err := file.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for i, cell := range cells {
			values[i] = Text(record[cell])
		}
		if err := row(file.Line(0), values); err != nil {
			return err
		}
	}
}
