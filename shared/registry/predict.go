package registry

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"

	"tributary/shared/dataset"
	"tributary/shared/drift"
	"tributary/shared/executor"
	"tributary/shared/job"
)

// Limits of a chunk of rows. Rows go through the network one chunk at a time.
const (
	chunkRows  = 256     // largest number of rows of a chunk
	chunkUnits = 1 << 22 // rows × (features + units of all layers) of a chunk; a single row may have more
)

// Prediction is the answer for some rows. It is encoded as JSON.
type Prediction struct {
	Model job.ID `json:"model"`
	// Predictions has one element per row: the class, or the value in the label's unit. The
	// value is an array if the model has several outputs.
	Predictions []any `json:"predictions"`
	// Classes and Probabilities are set if the model classifies. Probabilities
	// [rows][classes] are in the order of Classes.
	Classes       []string    `json:"classes,omitempty"`
	Probabilities [][]float32 `json:"probabilities,omitempty"`
	// Notes describe what the rows have that the training rows did not have: categories
	// that the model does not know, and missing values that were filled. There are at most
	// dataset.MaxNotes notes and a count of the others.
	Notes []string `json:"notes,omitempty"`
	// Drift compares the rows with the training rows, and SoFar all rows that the process has
	// answered for the model, if the request asks for it.
	Drift *drift.Report `json:"drift,omitempty"`
	SoFar *drift.Report `json:"drift_so_far,omitempty"`
}

// Answer is the prediction for one row.
type Answer struct {
	Prediction    any            // an element of Prediction.Predictions
	Probabilities []float32      // [classes], if the model classifies
	Cells         []dataset.Cell // of the extra columns of dataset.Reading
}

// PredictFile predicts on the rows of a file of raw rows, which
// dataset.Preprocessing.Read reads. It calls answer once per row, in the order of the
// rows. It needs the memory of one chunk of rows, for a file of any length. It stops at the
// first row that has no answer, after the answers for all rows before it; the error names
// this row. It also stops at an error of answer. A file without rows is an error. The notes
// (see Prediction) cover all rows that were read, even if PredictFile fails.
func (m *Model) PredictFile(ctx context.Context, r io.Reader, how dataset.Reading, answer func(Answer) error) (notes []string, err error) {
	return m.PredictRows(ctx, func(row dataset.EachRow) error { return m.Card.Preprocessing.Read(ctx, r, how, row) }, answer)
}

// PredictRows is PredictFile for the rows that read passes to its argument.
func (m *Model) PredictRows(ctx context.Context, read func(row dataset.EachRow) error, answer func(Answer) error) (notes []string, err error) {
	b := m.newBatch(answer)
	err = read(func(at dataset.Place, values []dataset.Value, cells []dataset.Cell) error {
		if cells != nil {
			b.cells = append(b.cells, slices.Clone(cells))
		}
		return b.add(ctx, at, values)
	})
	if flushed := b.flush(); flushed != nil {
		err = flushed // this row comes before the one that could not be read
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
	embedded dataset.Embedding
	x        []executor.Field // the features of the rows, per input of the network
	places   []dataset.Place
	cells    [][]dataset.Cell // of the extra columns, if there are any
	chunk    int              // number of rows at which x is flushed
	total    int
	notes    dataset.Notes
	answer   func(Answer) error
}

func (m *Model) newBatch(answer func(Answer) error) *batch {
	return &batch{m: m, executor: executor.New(nil), embedded: m.Card.Preprocessing.Embedding(), x: make([]executor.Field, len(m.Network.Inputs())), chunk: m.chunk(), answer: answer}
}

// chunk returns how many rows go through the network at once.
func (m *Model) chunk() int { return max(1, min(chunkRows, chunkUnits/m.Network.Width())) }

// reply answers row i of the batch.
func (b *batch) reply(i int, a Answer) error {
	if len(b.cells) > 0 {
		a.Cells = b.cells[i]
	}
	return b.answer(a)
}

// add appends one raw row. An error names the place of the faulty row, which may be an
// earlier row.
func (b *batch) add(ctx context.Context, at dataset.Place, values []dataset.Value) error {
	b.notes.At = at
	x := make([]float32, b.m.Card.Features)
	if err := b.m.Card.Preprocessing.Apply(x, values, &b.notes); err != nil {
		return fmt.Errorf("%s: %w", at, err)
	}
	for _, c := range b.m.counters {
		c.Add(values)
	}
	appendRow(b.x, b.embedded, x)
	b.places = append(b.places, at)
	b.total++
	if len(b.places) < b.chunk {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return b.flush()
}

// appendRow appends a row of features to the inputs x of the network.
func appendRow(x []executor.Field, embedded dataset.Embedding, row []float32) {
	numbers, categories := embedded.Split(row, nil)
	if len(numbers) > 0 {
		x[0].Float32 = append(x[0].Float32, numbers)
	}
	if len(categories) > 0 {
		last := &x[len(x)-1]
		last.Int32 = append(last.Int32, categories)
	}
}

// flush predicts on the collected rows.
func (b *batch) flush() error {
	m := executor.Model{Network: b.m.Network, Objective: b.m.objective, Weights: b.m.Weights}
	err := b.executor.Forward(m, b.x, len(b.places), func(lo, hi int, z []float32) error {
		if b.m.objective.Classes(b.m.Card.Outputs) > 0 {
			return b.classify(lo, hi, z)
		}
		return b.regress(lo, hi, z)
	})
	for i := range b.x {
		b.x[i].Reset()
	}
	b.places, b.cells = b.places[:0], b.cells[:0]
	return err
}

// classify answers the rows lo to hi with the class that the logits predict, which is the class that the
// metric accuracy counts. It does not use probabilities, because they may be equal for
// different logits. z is [rows, outputs].
func (b *batch) classify(lo, hi int, z []float32) error {
	places := b.places[lo:hi]
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
		class = b.m.Card.decide(z[r*o:(r+1)*o], class)
		if err := b.reply(lo+r, Answer{Prediction: b.m.Card.Classes[class], Probabilities: row}); err != nil {
			return err
		}
	}
	return nil
}

// regress answers the rows lo to hi with values in the label's unit. z is [rows, outputs].
func (b *batch) regress(lo, hi int, z []float32) error {
	k := b.m.Card.Outputs
	z = b.m.objective.Numbers(z)
	for i, at := range b.places[lo:hi] {
		row := make([]any, k)
		for j := range row {
			y, err := b.m.value(z[i*k+j], j)
			if err != nil {
				return fmt.Errorf("%s: %w", at, err)
			}
			row[j] = y
		}
		a := Answer{Prediction: row}
		if k == 1 {
			a.Prediction = row[0]
		}
		if err := b.reply(lo+i, a); err != nil {
			return err
		}
	}
	return nil
}

// value returns an output in the unit of its label. If the label was not scaled, the output
// stays float32, whose shortest decimal is short.
func (m *Model) value(z float32, output int) (any, error) {
	label := m.Card.Preprocessing.LabelOf(output)
	y := label.Unscale(z)
	if math.IsInf(y, 0) || notFinite(z) {
		return nil, fmt.Errorf("output %v is not a finite number in the label's unit; the row is too far from what the model was trained on: %w", z, job.ErrInvalid)
	}
	if label.Shift == 0 && label.Scale == 1 {
		return z, nil
	}
	return y, nil
}
