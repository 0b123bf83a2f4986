package dataset

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"

	"tributary/shared/dataset/tabular"
	"tributary/shared/job"
)

// jsonFile reads rows of a JSON file.
type jsonFile struct {
	in     *rowLimit
	d      *jsontext.Decoder
	rows   *RowReader
	values []Value
	more   *extra
	at     Place // of the row that is being read
	row    EachRow
}

// rowsField is the name of the member that holds all rows.
const rowsField = "rows"

// readJSON reads the rows of a JSON file.
func (p *Preprocessing) readJSON(s *tabular.Source, more *extra, row EachRow) error {
	if bom := []byte("\xef\xbb\xbf"); bytes.Equal(s.Peek(len(bom)), bom) {
		if _, err := io.ReadFull(s, bom); err != nil {
			return err
		}
	}
	f := &jsonFile{in: &rowLimit{in: s}, rows: p.RowReader(), values: make([]Value, len(p.Columns)), more: more, at: Place{Unit: "row", Number: 1}, row: row}
	f.d = jsontext.NewDecoder(f.in)
	for {
		switch kind := f.d.PeekKind(); kind {
		case jsontext.KindBeginArray:
			if err := f.array(); err != nil {
				return err
			}
		case jsontext.KindBeginObject:
			if err := f.object(); err != nil {
				return err
			}
		case jsontext.KindInvalid:
			_, err := f.d.ReadToken()
			if errors.Is(err, io.EOF) {
				return nil
			}
			return f.fault(err)
		default:
			if err := f.one(func() error { return f.rows.read(f.d, f.values, f.more) }); err != nil {
				return err
			}
		}
	}
}

// one reads one row and passes it to f.row.
func (f *jsonFile) one(read func() error) error {
	f.more.begin()
	err := read()
	var cells []Cell
	if err == nil {
		cells, err = f.more.row()
	}
	if err != nil {
		return fmt.Errorf("%s: %w", f.at, err)
	}
	if err := f.row(f.at, f.values, cells); err != nil {
		return err
	}
	f.at.Number++
	f.in.bytes = 0
	return nil
}

// fault adds to err the row in which the JSON is malformed.
func (f *jsonFile) fault(err error) error {
	return fmt.Errorf("%s: %w", f.at, malformed(err))
}

// array reads an array of rows, or a row that is an array.
func (f *jsonFile) array() error {
	if _, err := f.d.ReadToken(); err != nil {
		return f.fault(err)
	}
	switch kind := f.d.PeekKind(); {
	case kind == jsontext.KindBeginArray, kind == jsontext.KindBeginObject,
		len(f.rows.inputs) == 1 && kind != jsontext.KindEndArray:
		return f.elements()
	default:
		return f.one(func() error { return f.rows.elements(f.d, f.values, f.more) })
	}
}

// elements reads the rows of an array, after its opening bracket.
func (f *jsonFile) elements() error {
	for f.d.PeekKind() != jsontext.KindEndArray {
		if err := f.one(func() error { return f.rows.read(f.d, f.values, f.more) }); err != nil {
			return err
		}
	}
	if _, err := f.d.ReadToken(); err != nil {
		return f.fault(err)
	}
	return nil
}

// object reads {"rows": […]}, or a row that is an object.
func (f *jsonFile) object() error {
	if _, err := f.d.ReadToken(); err != nil {
		return f.fault(err)
	}
	if f.d.PeekKind() == jsontext.KindEndObject {
		return f.one(func() error { return f.rows.members(f.d, f.values, nil, f.more) })
	}
	token, err := f.d.ReadToken()
	if err != nil {
		return f.fault(err)
	}
	name := token.String()
	if _, column := f.rows.at[rowsField]; column || name != rowsField || f.d.PeekKind() != jsontext.KindBeginArray {
		return f.one(func() error { return f.rows.members(f.d, f.values, &name, f.more) })
	}
	if _, err := f.d.ReadToken(); err != nil {
		return f.fault(err)
	}
	if err := f.elements(); err != nil {
		return err
	}
	switch token, err := f.d.ReadToken(); {
	case err != nil:
		return f.fault(err)
	case token.Kind() != jsontext.KindEndObject:
		return fmt.Errorf("field %.80q after the rows: want {\"rows\": […]}: %w", token.String(), job.ErrInvalid)
	}
	return nil
}
