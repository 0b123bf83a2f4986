package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"

	"tributary/shared/dataset"
	"tributary/shared/drift"
	"tributary/shared/job"
)

// Limits are the limits of a prediction request. All of them are positive.
type Limits struct {
	Rows   int // rows of a request
	Answer int // bytes of the answer's JSON
}

// TooLong returns the error for a request whose answer is over the limit. It wraps
// job.ErrInvalid.
func (l Limits) TooLong(rows int) error {
	return fmt.Errorf("rows: the answer for %d rows is over %d bytes; ask for fewer at a time: %w", rows, l.Answer, job.ErrInvalid)
}

// wantRequest describes a valid request in error messages.
const wantRequest = `want {"rows":[[…], …]}, or with "drift":true too`

// PredictJSON predicts on a request {"rows":[…]}, with "drift":true if the answer shall
// compare the rows with the training rows. dataset.RowReader reads each row. Beside
// the request, it keeps a chunk of rows and the answer in memory. It stops at the first
// fault. The error wraps job.ErrInvalid and names the row, counted from 0. Duplicate names,
// invalid UTF-8 and unknown fields are faults.
func (m *Model) PredictJSON(ctx context.Context, request []byte, limits Limits) (*Prediction, error) {
	d := jsontext.NewDecoder(bytes.NewBuffer(request))
	var own *drift.Counter // of the request, if it may ask for a comparison
	if m.Training != nil && bytes.Contains(request, []byte(`"drift"`)) {
		own = m.Training.NewCounter()
	}
	p, err := m.predictJSON(ctx, d, limits, own)
	if err != nil {
		return nil, err
	}
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("text follows the request's JSON object: %s: %w", wantRequest, job.ErrInvalid)
	}
	return p, nil
}

func (m *Model) predictJSON(ctx context.Context, d *jsontext.Decoder, limits Limits, own *drift.Counter) (*Prediction, error) {
	watched := m
	if own != nil {
		watched = m.Watching(own)
	}
	if err := begin(d, jsontext.KindBeginObject, "request"); err != nil {
		return nil, err
	}
	var p *Prediction
	compare := false
	for d.PeekKind() != jsontext.KindEndObject {
		name, err := d.ReadToken()
		if err != nil {
			return nil, malformedRequest(err)
		}
		switch s := name.String(); s {
		case "rows":
		case "drift":
			if compare, err = readDrift(d); err != nil {
				return nil, err
			}
			continue
		default:
			return nil, fmt.Errorf("request: unknown field %.80q: %s: %w", s, wantRequest, job.ErrInvalid)
		}
		if p, err = watched.predictRows(ctx, d, limits); err != nil {
			return nil, err
		}
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, malformedRequest(err)
	}
	if p != nil && compare {
		if err := m.compared(p, own); err != nil {
			return nil, err
		}
	}
	if p == nil {
		return nil, fmt.Errorf("rows: missing: %s: %w", wantRequest, job.ErrInvalid)
	}
	return p, nil
}

// predictRows predicts on the next array of d.
func (m *Model) predictRows(ctx context.Context, d *jsontext.Decoder, limits Limits) (*Prediction, error) {
	if err := begin(d, jsontext.KindBeginArray, "rows"); err != nil {
		return nil, err
	}
	p, text := &Prediction{Model: m.Card.ID, Classes: m.Card.Classes}, 0 // text is the bytes of the classes in p
	b := m.newBatch(func(a Answer) error {
		p.Predictions = append(p.Predictions, a.Prediction)
		if a.Probabilities != nil {
			p.Probabilities = append(p.Probabilities, a.Probabilities)
		}
		if class, ok := a.Prediction.(string); ok {
			text += len(class)
		}
		return nil
	})
	values := make([]dataset.Value, len(m.Card.Preprocessing.Columns))
	n := 0
	for ; d.PeekKind() != jsontext.KindEndArray; n++ {
		switch {
		case n == limits.Rows:
			return nil, fmt.Errorf("rows: more than %d: want 1 to %d: %w", n, limits.Rows, job.ErrInvalid)
		case 2*(n+1)*m.Card.Outputs+text > limits.Answer: // a number in the answer takes at least two bytes
			return nil, limits.TooLong(n + 1)
		}
		at := dataset.Place{Unit: "row", Number: n}
		if err := m.rows.Read(d, values); err != nil {
			return nil, fmt.Errorf("%s: %w", at, err)
		}
		if err := b.add(ctx, at, values); err != nil {
			return nil, err
		}
	}
	if n == 0 {
		return nil, fmt.Errorf("rows: 0: want 1 to %d: %w", limits.Rows, job.ErrInvalid)
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, malformedRequest(err)
	}
	if err := b.flush(); err != nil {
		return nil, err
	}
	p.Notes = b.notes.List()
	return p, nil
}

// begin reads the next token, which must be the start of an object or an array.
func begin(d *jsontext.Decoder, kind jsontext.Kind, what string) error {
	token, err := d.ReadToken()
	switch {
	case errors.Is(err, io.EOF):
		return fmt.Errorf("%s is empty: %s: %w", what, wantRequest, job.ErrInvalid)
	case err != nil:
		return malformedRequest(err)
	case token.Kind() != kind:
		return fmt.Errorf("%s: it begins with %.20s: %s: %w", what, token, wantRequest, job.ErrInvalid)
	}
	return nil
}

func malformedRequest(err error) error {
	return fmt.Errorf("request: %w: %s: %w", err, wantRequest, job.ErrInvalid)
}

// RequestBytes estimates the memory, in bytes, that PredictJSON takes beside the request.
func (m *Model) RequestBytes(limits Limits) int64 {
	chunk := 8 * int64(m.chunk()) * int64(m.Network.Width()) // floats, and slices that grow
	columns := 64 * int64(len(m.Card.Preprocessing.Columns))
	return chunk + columns + 8*int64(limits.Answer)
}

// readDrift reads the value of the field drift.
func readDrift(d *jsontext.Decoder) (bool, error) {
	token, err := d.ReadToken()
	if err != nil {
		return false, malformedRequest(err)
	}
	switch token.Kind() {
	case jsontext.KindTrue, jsontext.KindFalse:
		return token.Bool(), nil
	default:
		return false, fmt.Errorf("drift: %.40s: want true or false: %w", token, job.ErrInvalid)
	}
}

// compared adds the comparisons with the training rows: of the request's rows, and of all rows
// of the process if it counts them.
func (m *Model) compared(p *Prediction, own *drift.Counter) error {
	switch {
	case m.Training == nil:
		return m.errNoProfile()
	case own == nil:
		return fmt.Errorf(`drift: the name of the field has escapes: want "drift": %w`, job.ErrInvalid)
	}
	p.Drift = own.Report()
	if len(m.counters) > 0 {
		p.SoFar = m.counters[0].Report()
	}
	return nil
}
