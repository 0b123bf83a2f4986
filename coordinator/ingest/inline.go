package ingest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	"tributary/shared/dataset"
	"tributary/shared/job"
)

// readInline reads a table from the spec itself. null is a missing value.
func (w *work) readInline(d *job.Inline, classes bool) (*table, error) {
	x, err := array("data.inline.x", d.X)
	if err != nil {
		return nil, err
	}
	y, err := array("data.inline.y", d.Y)
	if err != nil {
		return nil, err
	}
	if len(x) != len(y) {
		return nil, fmt.Errorf("data.inline: x has %d rows, y has %d: %w", len(x), len(y), job.ErrInvalid)
	}
	values, width, err := w.numbers("data.inline.x", x)
	if err != nil {
		return nil, err
	}
	t := &table{rows: len(x), columns: numbered(width)}
	if t.cells, err = w.space.cells(values, width); err != nil {
		return nil, err
	}
	if !classes {
		t.label = label{name: "y"}
		if values, t.label.outputs, err = w.numbers("data.inline.y", y); err != nil {
			return nil, err
		}
		t.label.cells, err = w.space.cells(values, t.label.outputs)
		return t, err
	}
	t.label = label{name: "y", classes: true, outputs: 1, numeric: true, dict: newDictionary(w.texts)}
	if err := t.label.begin(w.space, len(y)); err != nil {
		return nil, err
	}
	if err := w.inlineClasses(&t.label, y); err != nil {
		return nil, err
	}
	return t, t.done()
}

// cells returns the values of a matrix as cells.
func (s *space) cells(values []float64, width int) (*cells, error) {
	data, err := s.scratch(int64(len(values)) * int64(floats64))
	if err != nil {
		return nil, err
	}
	var cell []byte
	for _, x := range values {
		cell = appendCell(cell[:0], x)
		if _, err := data.Write(cell); err != nil {
			return nil, err
		}
	}
	return &cells{kind: floats64, width: width, data: data}, data.done()
}

// array decodes a JSON array of at least one element. Its numbers are json.Number, so
// that they keep their digits.
func array(field string, data json.RawMessage) ([]any, error) {
	var rows []any
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	err := d.Decode(&rows)
	if err == nil {
		if _, end := d.Token(); !errors.Is(end, io.EOF) {
			err = errors.New("text follows the JSON array; want one array only")
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: want an array: %w: %w", field, err, job.ErrInvalid)
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("%s: want at least one row: %w", field, job.ErrInvalid)
	}
	return rows, nil
}

// numbers converts an array of numbers, or of arrays of numbers of equal length, into a
// row-major matrix.
func (w *work) numbers(field string, rows []any) (cells []float64, width int, err error) {
	_, nested := rows[0].([]any)
	inexact := 0
	for i, row := range rows {
		values := []any{row}
		if nested {
			var ok bool
			if values, ok = row.([]any); !ok {
				return nil, 0, fmt.Errorf("%s[%d]: want an array of numbers, as %s[0] is: %w", field, i, field, job.ErrInvalid)
			}
		}
		if i == 0 {
			width = len(values)
		}
		if len(values) != width || width == 0 {
			return nil, 0, fmt.Errorf("%s[%d]: %d values: want %d, as in %s[0], and at least 1: %w", field, i, len(values), width, field, job.ErrInvalid)
		}
		for j, v := range values {
			at := func() string {
				if nested {
					return fmt.Sprintf("%s[%d][%d]", field, i, j)
				}
				return fmt.Sprintf("%s[%d]", field, i)
			}
			x, kind := missing, dataset.Finite
			if n, ok := v.(json.Number); ok {
				x, kind = dataset.ParseNumber(n.String())
				if dataset.IsIdentifier(n.String()) {
					if inexact++; inexact == 1 {
						w.say("%s: %.80s is read as %s, since a 64-bit float does not hold all its digits (as text in a CSV column it keeps them)",
							at(), n, dataset.FormatNumber(x))
					}
				}
			} else if v != nil {
				kind = dataset.NotANumber
			}
			if kind != dataset.Finite {
				return nil, 0, fmt.Errorf("%s: %s: want a finite number, or null where it is missing: %w", at(), show(v), job.ErrInvalid)
			}
			cells = append(cells, x)
		}
	}
	return cells, width, nil
}

// inlineClasses reads the classes of an array of numbers, strings or booleans by the same
// rules as a CSV column.
func (w *work) inlineClasses(l *label, y []any) error {
	texts, odd, words := make([]string, len(y)), -1, false
	for i, v := range y {
		switch v := v.(type) {
		case nil:
		case json.Number:
			texts[i] = v.String()
		case string:
			texts[i] = v
		case bool:
			texts[i] = strconv.FormatBool(v)
		default:
			return fmt.Errorf("data.inline.y[%d]: %s: want a number, a string or a boolean: %w", i, show(v), job.ErrInvalid)
		}
		if dataset.MissingCell(texts[i]) || dataset.IsPlain(texts[i]) {
			continue
		}
		if _, kind := dataset.ParseNumber(texts[i]); kind != dataset.Finite {
			words = true
		}
		if odd < 0 {
			odd = i
		}
	}
	l.numeric = odd < 0
	if odd >= 0 && !words {
		w.sayOdd("y", fmt.Sprintf("%.80q in data.inline.y[%d]", texts[odd], odd))
	}
	for i, text := range texts {
		if err := l.parse(0, text, nil); err != nil {
			return fmt.Errorf("data.inline.y[%d]: %w", i, err)
		}
	}
	return nil
}

// show formats a decoded JSON value for a message.
func show(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprintf("%T", v)
	}
	return fmt.Sprintf("%.80s", data)
}
