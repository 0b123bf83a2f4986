package dataset

import (
	"errors"
	"fmt"
	"io"

	"tributary/shared/dataset/tabular"
	"tributary/shared/job"
)

// readCSV reads the rows of a CSV file.
func (p *Preprocessing) readCSV(source *tabular.Source, more *extra, row EachRow) error {
	file, err := tabular.OpenCSV(source, p.CSV, p.LabelNames())
	if err != nil {
		return err
	}
	cells, err := p.cellsIn(file.Index)
	if err != nil {
		return err
	}
	places, err := more.places(file.Header, file.Index)
	if err != nil {
		return err
	}
	pass := func(line int, values []Value) error {
		passed, err := more.row()
		if err != nil {
			return err
		}
		return row(Place{Unit: "line", Number: line}, values, passed)
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
			for i := range places {
				more.cells[i] = Cell{}
			}
			if err := pass(line, values); err != nil {
				return err
			}
		}
		for i, cell := range cells {
			values[i] = p.text(&p.Columns[i], record[cell])
		}
		for i, cell := range places {
			more.cells[i] = Cell{Text: record[cell]}
		}
		if err := pass(file.Line(0), values); err != nil {
			return err
		}
	}
}
