package registry

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"

	"tributary/shared/dataset"
	"tributary/shared/job"
	"tributary/shared/model"
	"tributary/shared/numeric"
)

// The limits of one prediction.
const (
	MaxRows    = 1 << 20 // rows
	maxNumbers = 1 << 24 // rows × outputs, so that the answer stays in memory
	chunkRows  = 256     // rows that go through the network at once, at most
	chunkUnits = 1 << 22 // rows × features and units of all layers that go through at once, or one row
)

// Prediction is the answer for some rows, and its JSON.
type Prediction struct {
	Model job.ID `json:"model"`
	// Predictions has one element per row: the class, or the value in the
	// label's unit (an array of them when the model has several outputs).
	Predictions []any `json:"predictions"`
	// Classes and Probabilities are there when the model classifies:
	// Probabilities [rows][classes] in the order of Classes.
	Classes       []string    `json:"classes,omitempty"`
	Probabilities [][]float32 `json:"probabilities,omitempty"`
	// Notes say what the rows had that the training rows did not: categories that
	// the model does not know, missing values that were filled. At most
	// dataset.MaxNotes and a count of the others.
	Notes []string `json:"notes,omitempty"`
}

// PredictCSV predicts on the rows of a CSV file with a header (gzip or not), as
// dataset.Preprocessing.ReadCSV reads it; limit bounds its unpacked bytes.
func (m *Model) PredictCSV(ctx context.Context, r io.Reader, limit int64) (*Prediction, error) {
	b := m.newBatch("line")
	err := m.Card.Preprocessing.ReadCSV(ctx, r, limit, func(line int, values []dataset.Value) error {
		return b.add(ctx, line, values)
	})
	if err != nil {
		return nil, err
	}
	if b.total == 0 {
		return nil, fmt.Errorf("no rows after the header: %w", job.ErrInvalid)
	}
	return b.finish()
}

// batch collects rows and sends them through the network a chunk at a time.
type batch struct {
	m     *Model
	work  *model.Workspace
	x     []float32 // [rows, features]
	chunk int       // rows that x is let grow to
	at    []int     // the numbers of the rows in x
	total int
	text  int // bytes of the classes in out
	notes dataset.Notes
	out   Prediction
}

// newBatch makes a batch whose rows are named by the unit's number.
func (m *Model) newBatch(unit string) *batch {
	return &batch{
		m: m, work: model.NewWorkspace(), chunk: m.chunk(), notes: dataset.Notes{Unit: unit},
		out: Prediction{Model: m.Card.ID, Classes: m.Card.Classes},
	}
}

// width is the number of floats that a row takes on its way through the network.
func (m *Model) width() int {
	n := m.Card.Features
	for _, l := range m.Card.Spec.Model.Layers {
		n += l.Dense.Units
	}
	return n
}

// chunk is how many rows go through the network at once.
func (m *Model) chunk() int { return max(1, min(chunkRows, chunkUnits/m.width())) }

// add appends one raw row, which the person who asks knows by the number at. An error
// names the row at fault, which may be one before it.
func (b *batch) add(ctx context.Context, at int, values []dataset.Value) error {
	if b.total == MaxRows || (b.total+1)*b.m.Card.Outputs > maxNumbers {
		return fmt.Errorf("more rows than the %d one prediction takes: %w", b.total, job.ErrInvalid)
	}
	b.notes.At = at
	f, n := b.m.Card.Features, len(b.x)
	b.x = append(b.x, make([]float32, f)...)
	if err := b.m.Card.Preprocessing.Apply(b.x[n:], values, &b.notes); err != nil {
		return fmt.Errorf("%s %d: %w", b.notes.Unit, at, err)
	}
	b.at = append(b.at, at)
	b.total++
	if len(b.at) < b.chunk {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return b.flush()
}

func (b *batch) finish() (*Prediction, error) {
	if err := b.flush(); err != nil {
		return nil, err
	}
	b.out.Notes = b.notes.List()
	return &b.out, nil
}

// flush predicts on the rows collected.
func (b *batch) flush() (err error) {
	rows := len(b.at)
	if rows == 0 {
		return nil
	}
	n := b.m.Network
	z := n.Forward(b.work, b.m.Params, b.x, rows) // [rows, outputs]
	if b.m.Card.Spec.Loss.Classifies() {
		err = b.classify(z, n.Probabilities(make([]float32, len(z)), z, rows))
	} else {
		err = b.regress(z)
	}
	b.x, b.at = b.x[:0], b.at[:0]
	return err
}

// classify answers with the class of the greatest logit, the first of equals;
// a single logit speaks for the second class when it is above 0, as accuracy
// counts it. Probabilities may be equal where logits are not. z and p are
// [rows, outputs].
func (b *batch) classify(z, p []float32) error {
	k := b.m.Card.Outputs
	for r, at := range b.at {
		logits, row := z[r*k:(r+1)*k], p[r*k:(r+1)*k:(r+1)*k]
		if b.m.Card.Spec.Loss == job.SigmoidCrossEntropy {
			logits, row = []float32{0, logits[0]}, []float32{-logits[0], row[0]}
			numeric.Sigmoid(row[:1]) // 1 - row[1] would be 0 where it is only small
		}
		if i := slices.IndexFunc(row, notFinite); i >= 0 {
			return fmt.Errorf("%s %d: probability %d is %v; the row is too far from what the model was trained on: %w", b.notes.Unit, at, i, row[i], job.ErrInvalid)
		}
		best := 0
		for j, x := range logits {
			if x > logits[best] {
				best = j
			}
		}
		b.out.Predictions = append(b.out.Predictions, b.m.Card.Classes[best])
		b.text += len(b.m.Card.Classes[best])
		b.out.Probabilities = append(b.out.Probabilities, row)
	}
	return nil
}

// regress answers in the label's unit. z is [rows, outputs].
func (b *batch) regress(z []float32) error {
	k := b.m.Card.Outputs
	for i, at := range b.at {
		row := make([]any, k)
		for j := range row {
			y, err := b.m.value(z[i*k+j])
			if err != nil {
				return fmt.Errorf("%s %d: %w", b.notes.Unit, at, err)
			}
			row[j] = y
		}
		if k == 1 {
			b.out.Predictions = append(b.out.Predictions, row[0])
		} else {
			b.out.Predictions = append(b.out.Predictions, row)
		}
	}
	return nil
}

// value is an output in the label's unit. One that was never scaled stays
// float32, whose shortest decimal is short.
func (m *Model) value(z float32) (any, error) {
	label := &m.Card.Preprocessing.Label
	y := label.Unscale(z)
	if math.IsInf(y, 0) || notFinite(z) {
		return nil, fmt.Errorf("output %v is no finite number in the label's unit; the row is too far from what the model was trained on: %w", z, job.ErrInvalid)
	}
	if label.Shift == 0 && label.Scale == 1 {
		return z, nil
	}
	return y, nil
}
