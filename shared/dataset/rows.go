package dataset

import (
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"

	"tributary/shared/job"
)

// RowReader reads raw rows of JSON for a preprocessing, value by value. The memory for a
// row depends only on the columns, not on the contents of the row. It is immutable and safe
// for concurrent use.
type RowReader struct {
	p      *Preprocessing
	inputs [][]int        // the columns that each raw column becomes
	at     map[string]int // name of a raw column → its index in inputs
}

// RowReader returns a reader for the rows of the preprocessing.
func (p *Preprocessing) RowReader() *RowReader {
	r := &RowReader{p: p, at: make(map[string]int, len(p.Columns))}
	for i := range p.Columns {
		name := p.Columns[i].Input()
		k, ok := r.at[name]
		if !ok {
			k = len(r.inputs)
			r.at[name], r.inputs = k, append(r.inputs, nil)
		}
		r.inputs[k] = append(r.inputs[k], i)
	}
	return r
}

// Read reads the next row of d into values, one per column. A row is an array of the
// columns' values in order, or an object keyed by column name. In an object, a column that
// is left out is missing, and the column of the label is ignored. If there is a single
// column, a row may be the bare value. Read fails with job.ErrInvalid.
func (r *RowReader) Read(d *jsontext.Decoder, values []Value) error { return r.read(d, values, nil) }

// read is Read with extra columns.
func (r *RowReader) read(d *jsontext.Decoder, values []Value, more *extra) error {
	switch kind := d.PeekKind(); kind {
	case jsontext.KindBeginArray:
		return r.readArray(d, values, more)
	case jsontext.KindBeginObject:
		return r.readObject(d, values, more)
	case jsontext.KindNull, jsontext.KindFalse, jsontext.KindTrue, jsontext.KindString, jsontext.KindNumber:
		if len(r.inputs) != 1 {
			return fmt.Errorf("row is %s: want an array of %d values or an object: %w", jsonKind(kind), len(r.inputs), job.ErrInvalid)
		}
	default: // no value: readValue reports it
	}
	if err := more.refuse("a row that is a value"); err != nil {
		return err
	}
	return r.readValue(d, values, 0)
}

func (r *RowReader) readArray(d *jsontext.Decoder, values []Value, more *extra) error {
	if _, err := d.ReadToken(); err != nil {
		return malformed(err)
	}
	return r.elements(d, values, more)
}

// elements reads an array, after its opening bracket.
func (r *RowReader) elements(d *jsontext.Decoder, values []Value, more *extra) error {
	if err := more.refuse("a row that is an array"); err != nil {
		return err
	}
	n := 0
	for ; n < len(r.inputs) && d.PeekKind() != jsontext.KindEndArray; n++ {
		if err := r.readValue(d, values, n); err != nil {
			return err
		}
	}
	for ; d.PeekKind() != jsontext.KindEndArray; n++ { // only to count them
		if err := d.SkipValue(); err != nil {
			return malformed(err)
		}
	}
	if n != len(r.inputs) {
		return fmt.Errorf("row of %d values: the model takes %d: %w", n, len(r.inputs), job.ErrInvalid)
	}
	_, err := d.ReadToken()
	return malformed(err)
}

func (r *RowReader) readObject(d *jsontext.Decoder, values []Value, more *extra) error {
	if _, err := d.ReadToken(); err != nil {
		return malformed(err)
	}
	return r.members(d, values, nil, more)
}

// members reads an object, after its opening brace. first is the first name, if it was read
// already.
func (r *RowReader) members(d *jsontext.Decoder, values []Value, first *string, more *extra) error {
	clear(values)
	for first != nil || d.PeekKind() != jsontext.KindEndObject {
		name, err := nextName(d, first)
		if err != nil {
			return err
		}
		first = nil
		i, known := r.at[name]
		switch j := more.index(name); {
		case j >= 0:
			err = r.readExtra(d, values, name, j, more)
		case known:
			err = r.readValue(d, values, i)
		case r.p.beside(name):
			err = malformed(d.SkipValue())
		default:
			err = fmt.Errorf("column %.80q: the model has no such column; it takes %s: %w", name, r.p.columnList(), job.ErrInvalid)
		}
		if err != nil {
			return err
		}
	}
	_, err := d.ReadToken()
	return malformed(err)
}

// nextName returns the name of the next member, or *read if it was read already.
func nextName(d *jsontext.Decoder, read *string) (string, error) {
	if read != nil {
		return *read, nil
	}
	token, err := d.ReadToken()
	if err != nil {
		return "", malformed(err)
	}
	return token.String(), nil
}

// readExtra reads the cell of extra column j, which may be a column of the model too.
func (r *RowReader) readExtra(d *jsontext.Decoder, values []Value, name string, j int, more *extra) error {
	token, err := d.ReadToken()
	if err != nil {
		return malformed(err)
	}
	if more.cells[j], err = cellOf(token, name); err != nil {
		return err
	}
	more.found[j] = true
	if i, known := r.at[name]; known {
		return r.setValue(token, values, i)
	}
	return nil
}

// readValue reads one cell into the columns of an input.
func (r *RowReader) readValue(d *jsontext.Decoder, values []Value, input int) error {
	token, err := d.ReadToken()
	if err != nil {
		return malformed(err)
	}
	return r.setValue(token, values, input)
}

// setValue converts a token into the values of the columns of an input.
func (r *RowReader) setValue(token jsontext.Token, values []Value, input int) error {
	columns := r.inputs[input]
	v := &values[columns[0]]
	err := r.valueOf(token, v, &r.p.Columns[columns[0]])
	for _, i := range columns[1:] {
		values[i] = *v
	}
	return err
}

// valueOf converts a token into the value of a column.
func (r *RowReader) valueOf(token jsontext.Token, v *Value, c *Column) error {
	switch kind := token.Kind(); kind {
	case jsontext.KindNull:
		*v = Value{}
	case jsontext.KindString:
		*v = r.p.text(c, token.String())
	case jsontext.KindTrue, jsontext.KindFalse:
		if c.Kind != Categorical && (c.Form == nil || !c.Form.Boolean) {
			return fmt.Errorf("column %.80q: a boolean: want a number, a string or null: %w", c.Name, job.ErrInvalid)
		}
		*v = Boolean(kind == jsontext.KindTrue)
	case jsontext.KindNumber:
		x, err := token.Float()
		if c.Kind == Categorical {
			*v = Literal(token.String(), x)
			break
		}
		if err != nil {
			return fmt.Errorf("column %.80q: number %.40s: out of range of a 64-bit float: %w", c.Name, token, job.ErrInvalid)
		}
		*v = Number(x)
	default:
		return fmt.Errorf("column %.80q: %s: want a number, a string or null: %w", c.Name, jsonKind(kind), job.ErrInvalid)
	}
	return nil
}

// malformed wraps malformed JSON in job.ErrInvalid. nil stays nil, and an error of reading
// the source is returned unchanged.
func malformed(err error) error {
	if err == nil {
		return nil
	}
	syntax := (*jsontext.SyntacticError)(nil)
	switch {
	case errors.Is(err, io.EOF):
		err = io.ErrUnexpectedEOF // within a row
	case !errors.As(err, &syntax):
		return err
	}
	return fmt.Errorf("%w: %w", err, job.ErrInvalid)
}

// jsonKind names a kind of JSON.
func jsonKind(k jsontext.Kind) string {
	switch k {
	case jsontext.KindNull:
		return "null"
	case jsontext.KindTrue, jsontext.KindFalse:
		return "a boolean"
	case jsontext.KindNumber:
		return "a number"
	case jsontext.KindString:
		return "a string"
	case jsontext.KindBeginArray:
		return "an array"
	case jsontext.KindBeginObject:
		return "an object"
	default:
		return "no value"
	}
}

// columnList lists the raw columns for a message, at most the first twelve.
func (p *Preprocessing) columnList() string {
	const shown = 12
	var names []string
	for i := range p.Columns {
		if name := p.Columns[i].Input(); len(names) == 0 || names[len(names)-1] != name {
			names = append(names, name)
		}
	}
	if more := len(names) - shown; more > 0 {
		return fmt.Sprintf("%q and %d more", names[:shown], more)
	}
	return fmt.Sprintf("%q", names)
}

// Input returns the name of the raw column that the column is made from.
func (c *Column) Input() string {
	if c.Form != nil && c.Form.Of != "" {
		return c.Form.Of
	}
	return c.Name
}
