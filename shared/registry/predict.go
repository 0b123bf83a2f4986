package registry

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"

	"tributary/shared/dataset"
	"tributary/shared/executor"
	"tributary/shared/job"
)

// Rows go through the network a chunk at a time.
const (
	chunkRows  = 256     // rows of a chunk, at most
	chunkUnits = 1 << 22 // rows × features and units of all layers of a chunk, or one row
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

// Answer is what a model says to one row.
type Answer struct {
	Prediction    any       // as an element of Prediction.Predictions
	Probabilities []float32 // [classes] when the model classifies
}

// PredictFile predicts on the rows of a file of raw rows, as
// dataset.Preprocessing.ReadRows reads it, and hands the answers on in the order of
// the rows, one for each. It takes the memory of a chunk of rows, whatever the file's length. It ends at
// the first row that cannot be answered, with an error that says which, after the answers
// to all rows before it; an error of answer ends it too. It fails on a file without rows.
// The notes, as Prediction's, are of the rows that were read, also when it fails.
func (m *Model) PredictFile(ctx context.Context, r io.Reader, format dataset.InputFormat, answer func(Answer) error) (notes []string, err error) {
	b := m.newBatch(answer)
	err = m.Card.Preprocessing.ReadRows(ctx, r, format, func(at dataset.Place, values []dataset.Value) error {
		return b.add(ctx, at, values)
	})
	if flushed := b.flush(); flushed != nil {
		err = flushed // of a row before the one that could not be read
	}
	if err == nil && b.total == 0 {
		err = fmt.Errorf("there are no rows: %w", job.ErrInvalid)
	}
	return b.notes.List(), err
}

// batch collects rows and sends them through the network a chunk at a time.
type batch struct {
	m        *Model
	executor *executor.Executor
	x        [][]float32 // [rows] of [features]
	places   []dataset.Place
	chunk    int // rows that x is let grow to
	total    int
	notes    dataset.Notes
	answer   func(Answer) error
}

func (m *Model) newBatch(answer func(Answer) error) *batch {
	return &batch{m: m, executor: executor.New(nil), chunk: m.chunk(), answer: answer}
}

// chunk is how many rows go through the network at once.
func (m *Model) chunk() int { return max(1, min(chunkRows, chunkUnits/m.Network.Width())) }

// add appends one raw row. An error names the place of the row at fault, which may be
// one before it.
func (b *batch) add(ctx context.Context, at dataset.Place, values []dataset.Value) error {
	b.notes.At = at
	x := make([]float32, b.m.Card.Features)
	if err := b.m.Card.Preprocessing.Apply(x, values, &b.notes); err != nil {
		return fmt.Errorf("%s: %w", at, err)
	}
	b.x, b.places = append(b.x, x), append(b.places, at)
	b.total++
	if len(b.places) < b.chunk {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return b.flush()
}

// flush predicts on the rows collected.
func (b *batch) flush() error {
	m := executor.Model{Network: b.m.Network, Objective: b.m.objective, Weights: b.m.Weights}
	err := b.executor.Forward(m, b.x, func(lo, hi int, z []float32) error {
		if b.m.objective.Classes(b.m.Card.Outputs) > 0 {
			return b.classify(b.places[lo:hi], z)
		}
		return b.regress(b.places[lo:hi], z)
	})
	b.x, b.places = b.x[:0], b.places[:0]
	return err
}

// classify answers with the class that the logits say, as accuracy counts it.
// Probabilities may be equal where logits are not. z is [rows, outputs].
func (b *batch) classify(places []dataset.Place, z []float32) error {
	o, of := b.m.Card.Outputs, b.m.objective
	classes := of.Classes(o)
	p := make([]float32, len(places)*classes)
	of.Probabilities(p, z, o)
	for r, at := range places {
		row := p[r*classes : (r+1)*classes : (r+1)*classes]
		if i := slices.IndexFunc(row, notFinite); i >= 0 {
			return fmt.Errorf("%s: probability %d is %v; the row is too far from what the model was trained on: %w", at, i, row[i], job.ErrInvalid)
		}
		class := of.Class(z[r*o : (r+1)*o])
		if class < 0 {
			return fmt.Errorf("%s: an output is not a number; the row is too far from what the model was trained on: %w", at, job.ErrInvalid)
		}
		if err := b.answer(Answer{b.m.Card.Classes[class], row}); err != nil {
			return err
		}
	}
	return nil
}

// regress answers in the label's unit. z is [rows, outputs].
func (b *batch) regress(places []dataset.Place, z []float32) error {
	k := b.m.Card.Outputs
	for i, at := range places {
		row := make([]any, k)
		for j := range row {
			y, err := b.m.value(z[i*k+j])
			if err != nil {
				return fmt.Errorf("%s: %w", at, err)
			}
			row[j] = y
		}
		a := Answer{Prediction: row}
		if k == 1 {
			a.Prediction = row[0]
		}
		if err := b.answer(a); err != nil {
			return err
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
