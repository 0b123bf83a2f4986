package dataset

import (
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"

	"tributary/shared/dataset/tabular"
	"tributary/shared/job"
)

// Records are a source of raw rows with named columns, whose cells are texts.
type Records struct {
	Names []string
	Index func(name string) (int, bool)
	Kinds []tabular.Kind           // what the source's own schema says about the columns
	Next  func() ([]string, error) // io.EOF after the last row; the following call overwrites it
	Place func() Place             // of the last row
}

// ReadRecords reads the rows of records for prediction, as Read reads those of a file. It
// ignores columns that the model does not know. extra are columns whose cells are passed on.
func (p *Preprocessing) ReadRecords(r *Records, extra []string, row EachRow) error {
	at, err := p.cellsIn(r.Index)
	if err != nil {
		return err
	}
	more := newExtra(extra)
	places, err := more.places(r.Names, r.Index)
	if err != nil {
		return err
	}
	for _, i := range append(append([]int{}, at...), places...) {
		if r.Kinds[i] == tabular.Nested {
			return fmt.Errorf("column %.80q: its cells are lists, objects or of a type that is not supported: want single values: %w", r.Names[i], job.ErrInvalid)
		}
	}
	values := make([]Value, len(p.Columns))
	for {
		record, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for i, cell := range at {
			c := &p.Columns[i]
			if r.Kinds[cell] == tabular.Text {
				values[i] = p.text(c, record[cell])
			} else {
				values[i] = p.typed(c, record[cell])
			}
		}
		for i, cell := range places {
			more.cells[i] = r.cell(cell, record[cell])
		}
		passed, err := more.row()
		if err != nil {
			return err
		}
		if err := row(r.Place(), values, passed); err != nil {
			return err
		}
	}
}

// cell returns a cell that is passed on. Numbers, booleans and missing values of typed
// columns stay what they are.
func (r *Records) cell(i int, text string) Cell {
	if r.Kinds[i] == tabular.Text {
		return Cell{Text: text}
	}
	if text == "" {
		return Cell{Text: "null", JSON: true}
	}
	v := jsontext.Value(text)
	switch v.Kind() {
	case jsontext.KindNumber, jsontext.KindTrue, jsontext.KindFalse:
		return Cell{Text: text, JSON: v.IsValid()}
	default:
		return Cell{Text: text}
	}
}

// cellsIn returns the cell of a record for each column.
func (p *Preprocessing) cellsIn(index func(string) (int, bool)) ([]int, error) {
	cells := make([]int, len(p.Columns))
	for i := range p.Columns {
		name := p.Columns[i].Input()
		cell, ok := index(name)
		if !ok {
			return nil, fmt.Errorf("header: no column %.80q; the model takes %s: %w", name, p.columnList(), job.ErrInvalid)
		}
		cells[i] = cell
	}
	return cells, nil
}

// typed returns the value of a cell that has a type in its source, like a number of a
// Parquet file. How the numbers of the training file were written, as with a decimal comma,
// says nothing about it.
func (p *Preprocessing) typed(c *Column, s string) Value {
	switch {
	case IsMissing(s, p.CSV) || c.Form.Missing(s):
		return Value{}
	case c.Form.special():
	case c.Kind == Categorical && (s == "true" || s == "false"):
		return Boolean(s == "true")
	case c.Kind == Numeric:
		if x, kind := ParseNumber(s); kind == Finite {
			return Number(x)
		}
	}
	return p.text(c, s)
}
