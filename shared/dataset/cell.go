package dataset

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"tributary/shared/hint"
	"tributary/shared/job"
)

// Cell is a cell as it is in a file: an id, or a label.
type Cell struct {
	Text string // the characters of a CSV cell or of a JSON string, or the JSON of any other value
	JSON bool   // Text is a JSON number, true, false or null
}

// Value returns the value of the cell for a column.
func (c Cell) Value() Value {
	if !c.JSON {
		return Text(c.Text)
	}
	switch c.Text {
	case "null":
		return Value{}
	case "true", "false":
		return Boolean(c.Text == "true")
	}
	x, _ := strconv.ParseFloat(c.Text, 64) // too large: an infinity, which no column takes
	return Literal(c.Text, x)
}

// cellOf returns the cell that a JSON token is. It fails with job.ErrInvalid if the token
// begins an array or an object.
func cellOf(token jsontext.Token, column string) (Cell, error) {
	switch kind := token.Kind(); kind {
	case jsontext.KindString:
		return Cell{Text: token.String()}, nil
	case jsontext.KindNumber, jsontext.KindTrue, jsontext.KindFalse, jsontext.KindNull:
		return Cell{Text: token.String(), JSON: true}, nil
	default:
		return Cell{}, fmt.Errorf("column %.80q: %s: want a number, a string or null: %w", column, jsonKind(kind), job.ErrInvalid)
	}
}

// extra holds the cells of the columns that a reader passes on beside the values. A nil
// *extra has no columns.
type extra struct {
	names []string
	cells []Cell // of the current row
	found []bool // of the current row; for JSON
}

func newExtra(names []string) *extra {
	if len(names) == 0 {
		return nil
	}
	return &extra{names: names, cells: make([]Cell, len(names)), found: make([]bool, len(names))}
}

// index returns the place of a column, −1 if it is not an extra column.
func (e *extra) index(name string) int {
	if e == nil {
		return -1
	}
	return slices.Index(e.names, name)
}

// begin forgets the cells of the row before.
func (e *extra) begin() {
	if e != nil {
		clear(e.cells)
		clear(e.found)
	}
}

// row returns the cells of the row. It fails if a JSON row has no such column.
func (e *extra) row() ([]Cell, error) {
	if e == nil {
		return nil, nil
	}
	if i := slices.Index(e.found, false); i >= 0 {
		return nil, fmt.Errorf("column %.80q: missing: want it in each row: %w", e.names[i], job.ErrInvalid)
	}
	return e.cells, nil
}

// refuse fails if there are extra columns and the rows have no names of columns.
func (e *extra) refuse(what string) error {
	if e == nil {
		return nil
	}
	return fmt.Errorf("%s has no column names: want objects or CSV with a column %.80q: %w", what, e.names[0], job.ErrInvalid)
}

// places returns the index of each extra column in the header of a CSV file.
func (e *extra) places(header []string, index func(string) (int, bool)) ([]int, error) {
	if e == nil {
		return nil, nil
	}
	at := make([]int, len(e.names))
	for i, name := range e.names {
		var ok bool
		if at[i], ok = index(name); !ok {
			const shown = 12
			return nil, fmt.Errorf("header: no column %.80q among the %d of the file, which begin %.80q%s: %w",
				name, len(header), header[:min(shown, len(header))], hint.For(name, header), job.ErrInvalid)
		}
		e.found[i] = true
	}
	return at, nil
}
