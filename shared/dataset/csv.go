package dataset

import (
	"errors"
	"fmt"
	"io"

	"tributary/shared/dataset/tabular"
	"tributary/shared/job"
)

// readCSV reads the rows of a CSV file.
func (p *Preprocessing) readCSV(source *tabular.Source, row func(at Place, values []Value) error) error {
	file, err := tabular.OpenCSV(source, p.CSV, p.labelNames())
	if err != nil {
		return err
	}
	cells := make([]int, len(p.Columns)) // column → cell of a record
	for i, c := range p.Columns {
		cell, ok := file.Index(c.Input())
		if !ok {
			return fmt.Errorf("header: no column %q; the model takes %s: %w", c.Input(), p.columnList(), job.ErrInvalid)
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
		for line, end := file.Blank(); line < end; line++ {
			if len(file.Header) > 1 {
				return fmt.Errorf("line %d: it is blank, want a row of %d cells: %w", line, len(file.Header), job.ErrInvalid)
			}
			clear(values)
			if err := row(Place{"line", line}, values); err != nil {
				return err
			}
		}
		for i, cell := range cells {
			values[i] = p.text(&p.Columns[i], record[cell])
		}
		if err := row(Place{"line", file.Line(0)}, values); err != nil {
			return err
		}
	}
}
