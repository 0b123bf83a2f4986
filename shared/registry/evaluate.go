package registry

import (
	"context"
	"fmt"
	"io"

	"tributary/shared/dataset"
	"tributary/shared/executor"
	"tributary/shared/job"
	"tributary/shared/metric"
	"tributary/shared/objective"
)

// Evaluation is the result of evaluating a model on labelled rows. It is encoded as JSON.
type Evaluation struct {
	Model     job.ID             `json:"model"`
	Rows      int                `json:"rows"` // rows that were evaluated
	Metrics   map[string]float64 `json:"metrics"`
	Undefined map[string]string  `json:"undefined,omitempty"` // the reason why a metric could not be computed, by name
	// Confusion counts the rows of a classification by class of the label, then by
	// predicted class, in the order of Classes. A model of more than MaxConfusion classes
	// does not have it.
	Classes   []string `json:"classes,omitempty"`
	Confusion [][]int  `json:"confusion,omitempty"`
	Notes     []string `json:"notes,omitempty"`
}

// MaxConfusion is the most classes of a confusion matrix.
const MaxConfusion = 100

// Labelled says where the labels of a file of rows are.
type Labelled struct {
	Format dataset.InputFormat
	// Labels is an IDX file with the labels of the rows. nil: the rows have them, in a
	// column with the name that the label had in training.
	Labels io.Reader
}

// EvaluateFile computes the loss and the metrics of the model's spec on the rows of a file,
// which dataset.Preprocessing.Read reads. They have the same bits as those that training
// reports for a split of the same rows in the same order: the rows are cut into blocks of
// the same size, and combined in the same order. Like training, it leaves out rows without
// a label, and rows with missing values that nothing replaces; notes say how many. Unlike
// training, it keeps duplicates. It needs the memory of a block, and some bytes for each
// block of the file; for AUC, 5 bytes for each row.
func (m *Model) EvaluateFile(ctx context.Context, r io.Reader, how Labelled) (*Evaluation, error) {
	e, err := m.newEvaluation(ctx, how.Labels)
	if err != nil {
		return nil, err
	}
	reading := dataset.Reading{Format: how.Format}
	if how.Labels == nil {
		reading.Extra = []string{m.Card.Preprocessing.Label.Name}
	}
	err = m.Card.Preprocessing.Read(ctx, r, reading, func(at dataset.Place, values []dataset.Value, cells []dataset.Cell) error {
		return e.add(ctx, at, values, cells)
	})
	if err == nil && e.given != nil {
		if err = e.given.End(); err != nil {
			err = fmt.Errorf("labels: %w", err)
		}
	}
	if err == nil && e.rows == 0 {
		err = fmt.Errorf("no rows to evaluate: %d have no label, %d have missing values: %w", e.unlabelled, e.incomplete, job.ErrInvalid)
	}
	if err == nil {
		err = e.flush(ctx)
	}
	if err != nil {
		return nil, err
	}
	return e.result(), nil
}

// evaluation collects the rows of a block and evaluates one block after the other.
type evaluation struct {
	m        *Model
	config   metric.Config
	executor *executor.Executor
	labels   *dataset.Labels
	given    *dataset.LabelFile // nil: the rows have the labels
	targets  int                // numbers of y of a row
	block    int                // rows of a block

	x     []executor.Field // of the rows of the block
	y     []float32        // [rows, targets]
	units []*metric.Sums   // of the blocks before
	notes dataset.Notes

	rows, unlabelled, incomplete int
	confusion                    [][]int // [classes, classes]; nil: none
	unclassified                 int     // rows with an output that is not a number
}

func (m *Model) newEvaluation(ctx context.Context, labels io.Reader) (*evaluation, error) {
	_, outputs := objective.Terms(m.objective, m.Network.Output().Positions, m.Network.Outputs())
	e := &evaluation{
		m: m, executor: executor.New(nil), labels: m.Card.Preprocessing.Labels(m.Card.Classes),
		targets: m.objective.Targets(outputs), x: make([]executor.Field, 1),
		config: metric.Config{
			Objective: m.objective, Metrics: m.Card.Spec.Metrics, Outputs: outputs,
			Classes: m.Card.Classes, Label: m.Card.Preprocessing.Label,
		},
	}
	if n := len(m.Card.Classes); n <= MaxConfusion {
		for range n {
			e.confusion = append(e.confusion, make([]int, n))
		}
	}
	var err error
	if e.block, err = dataset.Table(m.Card.Features, e.targets).BlockRows(); err != nil {
		return nil, fmt.Errorf("rows of %d features and %d targets: %w", m.Card.Features, e.targets, err)
	}
	if labels != nil {
		if e.given, err = dataset.OpenLabels(ctx, labels, e.targets); err != nil {
			return nil, fmt.Errorf("labels: %w", err)
		}
	} else if e.targets > 1 {
		return nil, fmt.Errorf("the model has %d outputs: want an IDX file of labels [rows, %d]: %w", e.targets, e.targets, job.ErrInvalid)
	}
	return e, nil
}

// add appends one raw row to the block. An error names the place of the row.
func (e *evaluation) add(ctx context.Context, at dataset.Place, values []dataset.Value, cells []dataset.Cell) error {
	before := len(e.y)
	labelled, err := e.label(cells)
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", at, err)
	case !labelled:
		e.unlabelled++
		e.y = e.y[:before]
		return nil
	case !e.m.Card.Preprocessing.Complete(values):
		e.incomplete++
		e.y = e.y[:before]
		return nil
	}
	e.notes.At = at
	x := make([]float32, e.m.Card.Features)
	if err := e.m.Card.Preprocessing.Apply(x, values, &e.notes); err != nil {
		return fmt.Errorf("%s: %w", at, err)
	}
	e.x[0].Float32 = append(e.x[0].Float32, x)
	e.rows++
	if len(e.x[0].Float32) < e.block {
		return nil
	}
	return e.flush(ctx)
}

// label appends the label of a row to y. It reports whether the row has one.
func (e *evaluation) label(cells []dataset.Cell) (bool, error) {
	values := make([]dataset.Value, 0, e.targets)
	for _, c := range cells {
		values = append(values, c.Value())
	}
	if e.given != nil {
		numbers, err := e.given.Next()
		if err != nil {
			return false, fmt.Errorf("labels: %w", err)
		}
		for _, x := range numbers {
			values = append(values, dataset.Number(x))
		}
	}
	for _, v := range values {
		y, ok, err := e.labels.Target(v)
		if err == nil && ok && len(e.m.Card.Classes) == 0 {
			if err = e.m.objective.CheckNumber(float64(y)); err != nil {
				err = fmt.Errorf("label %.80q: %w", e.m.Card.Preprocessing.Label.Name, err)
			}
		}
		if err != nil || !ok {
			return false, err
		}
		e.y = append(e.y, y)
	}
	return true, nil
}

// flush evaluates the rows of the block.
func (e *evaluation) flush(ctx context.Context) error {
	rows := len(e.x[0].Float32)
	if rows == 0 {
		return nil
	}
	count := e.config.Count()
	m := executor.Model{Network: e.m.Network, Objective: e.m.objective, Weights: e.m.Weights}
	err := e.executor.Forward(m, e.x, rows, func(lo, hi int, z []float32) error {
		count.Add(z, e.y[lo*e.targets:hi*e.targets], hi-lo)
		e.confuse(z, e.y[lo*e.targets:hi*e.targets])
		return ctx.Err()
	})
	e.units = append(e.units, count.Sums())
	e.x[0].Reset()
	e.y = e.y[:0]
	return err
}

// confuse counts rows of outputs z and classes y in the confusion matrix.
func (e *evaluation) confuse(z, y []float32) {
	if e.confusion == nil {
		return
	}
	for r, class := range y {
		o := e.config.Outputs
		if predicted := e.m.objective.Class(z[r*o : (r+1)*o]); predicted >= 0 {
			e.confusion[int(class)][predicted]++
		} else {
			e.unclassified++
		}
	}
}

// result combines the blocks.
func (e *evaluation) result() *Evaluation {
	figures := e.config.Combine(e.units)
	v := &Evaluation{Model: e.m.Card.ID, Rows: e.rows, Metrics: figures.Values, Undefined: figures.Undefined, Notes: e.notes.List()}
	for _, left := range []struct {
		rows int
		why  string
	}{{e.unlabelled, "a label"}, {e.incomplete, "a value in a column whose missing values training did not fill"}} {
		if left.rows > 0 {
			v.Notes = append(v.Notes, fmt.Sprintf("%d rows without %s were left out, as in training", left.rows, left.why))
		}
	}
	if e.confusion != nil {
		v.Classes, v.Confusion = e.m.Card.Classes, e.confusion
	}
	if e.unclassified > 0 {
		v.Notes = append(v.Notes, fmt.Sprintf("%d rows are not in the confusion matrix, because an output is not a number", e.unclassified))
	}
	if e.m.Card.Spec.Data.Clean.Duplicates == job.DropDuplicates {
		v.Notes = append(v.Notes, "training dropped duplicate rows; this evaluation counts them")
	}
	return v
}
