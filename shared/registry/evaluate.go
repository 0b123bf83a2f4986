package registry

import (
	"context"
	"fmt"
	"io"
	"slices"

	"tributary/shared/dataset"
	"tributary/shared/executor"
	"tributary/shared/job"
	"tributary/shared/metric"
	"tributary/shared/objective"
	"tributary/shared/plan"
)

// Evaluation is the result of evaluating a model on labelled rows. It is encoded as JSON.
type Evaluation struct {
	Model     job.ID             `json:"model"`
	Rows      int                `json:"rows"` // rows that were evaluated
	Metrics   map[string]float64 `json:"metrics"`
	Undefined map[string]string  `json:"undefined,omitempty"` // the reason why a metric could not be computed, by name
	// Confusion is the confusion matrix of a classification of at most job.MaxConfusion
	// classes.
	Confusion *job.Confusion `json:"confusion,omitempty"`
	// Threshold has the figures for the model's decision threshold, if it has one. Metrics and
	// Confusion take the class of the greater probability.
	Threshold *Decided `json:"threshold,omitempty"`
	Notes     []string `json:"notes,omitempty"`
}

// Labelled says where the labels of a file of rows are.
type Labelled struct {
	Format dataset.InputFormat
	// Labels is an IDX file with the labels of the rows. nil: the rows have them, in a
	// column with the name that the label had in training, or in several.
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
	var labels OpenLabels
	if how.Labels != nil {
		labels = func(columns int) (LabelRows, error) { return labelFile(dataset.OpenLabels(ctx, how.Labels, columns)) }
	}
	return m.EvaluateRows(ctx, func(extra []string, row dataset.EachRow) error {
		return m.Card.Preprocessing.Read(ctx, r, dataset.Reading{Format: how.Format, Extra: extra}, row)
	}, labels)
}

// LabelRows are the labels of rows, apart from them.
type LabelRows interface {
	// Next returns the labels of the next row. They are valid until the next call.
	Next() ([]float64, error)
	// End fails with job.ErrInvalid if there are labels without rows.
	End() error
}

// OpenLabels opens labels with so many columns.
type OpenLabels func(columns int) (LabelRows, error)

// labelFile keeps a nil pointer from becoming an interface that is not nil.
func labelFile(f *dataset.LabelFile, err error) (LabelRows, error) {
	if err != nil {
		return nil, err
	}
	return f, nil
}

// EvaluateRows is EvaluateFile for the rows that read passes to its argument, with the
// extra columns that it names. labels is nil if these have the labels.
func (m *Model) EvaluateRows(ctx context.Context, read func(extra []string, row dataset.EachRow) error, labels OpenLabels) (*Evaluation, error) {
	e, err := m.newEvaluation(labels)
	if err != nil {
		return nil, err
	}
	var extra []string
	if labels == nil {
		extra = m.Card.Preprocessing.LabelNames()
	}
	if w := m.Card.Weight; w != nil {
		extra = append(extra, w.Name)
	}
	err = read(extra, func(at dataset.Place, values []dataset.Value, cells []dataset.Cell) error {
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
	m         *Model
	config    metric.Config
	objective objective.Objective // with the weights of rows and classes
	executor  *executor.Executor
	labels    *dataset.Labels
	given     LabelRows // nil: the rows have the labels
	columns   int       // labels of a row
	targets   int       // numbers of y of a row: the labels, and the weight if there is one
	embedded  dataset.Embedding
	block     int // rows of a block

	x     []executor.Field // of the rows of the block
	y     []float32        // [rows, targets]
	units []*metric.Sums   // of the blocks before
	notes dataset.Notes

	rows, unlabelled, incomplete int
}

func (m *Model) newEvaluation(labels OpenLabels) (*evaluation, error) {
	of, err := m.Card.weighed(m.objective, m.Network.Outputs())
	if err != nil {
		return nil, err
	}
	_, outputs := objective.Terms(of, m.Network.Output().Positions, m.Network.Outputs())
	e := &evaluation{
		m: m, objective: of, executor: executor.New(nil), labels: m.Card.Preprocessing.Targets(m.Card.Classes),
		columns: m.objective.Targets(outputs), targets: of.Targets(outputs),
		embedded: m.Card.Preprocessing.Embedding(), x: make([]executor.Field, len(m.Network.Inputs())),
		config: metric.Config{
			Objective: of, Metrics: m.Card.Spec.Metrics, Outputs: outputs,
			Classes: m.Card.Classes, Label: m.Card.Preprocessing.Label, Labels: m.Card.Preprocessing.Labels,
			Threshold: m.Card.Threshold != nil,
		},
	}
	if n := len(m.Card.Classes); n > 0 && n <= job.MaxConfusion && !slices.Contains(e.config.Metrics, job.ConfusionMatrix) {
		e.config.Metrics = append(slices.Clone(e.config.Metrics), job.ConfusionMatrix)
	}
	if e.block, err = dataset.Table(m.Card.Features, e.targets).BlockRows(); err != nil {
		return nil, fmt.Errorf("rows of %d features and %d targets: %w", m.Card.Features, e.targets, err)
	}
	if labels != nil {
		if e.given, err = labels(e.columns); err != nil {
			return nil, fmt.Errorf("labels: %w", err)
		}
	} else if e.columns > 1 && len(m.Card.Preprocessing.Labels) != e.columns-1 {
		return nil, fmt.Errorf("the model has %d outputs: want a file of labels [rows, %d]: %w", e.columns, e.columns, job.ErrInvalid)
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
	appendRow(e.x, e.embedded, x)
	e.rows++
	if len(e.y) < e.block*e.targets {
		return nil
	}
	return e.flush(ctx)
}

// label appends the label of a row to y. It reports whether the row has one.
func (e *evaluation) label(cells []dataset.Cell) (bool, error) {
	values := make([]dataset.Value, 0, e.columns)
	weight := -1.0
	if w := e.m.Card.Weight; w != nil {
		var err error
		if weight, err = weightOf(cells[len(cells)-1], w); err != nil {
			return false, err
		}
		cells = cells[:len(cells)-1]
	}
	for k, c := range cells {
		values = append(values, e.labels.Value(k, c))
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
	for k, v := range values {
		y, ok, err := e.labels.Target(k, v)
		if err == nil && ok && len(e.m.Card.Classes) == 0 {
			if err = e.m.objective.CheckNumber(float64(y)); err != nil {
				err = fmt.Errorf("label %.80q: %w", e.m.Card.Preprocessing.LabelOf(k).Name, err)
			}
		}
		if err != nil || !ok {
			return false, err
		}
		e.y = append(e.y, y)
	}
	if e.m.Card.Weight != nil {
		e.y = append(e.y, float32(weight))
	}
	return true, nil
}

// weightOf returns the weight of a row.
func weightOf(c dataset.Cell, w *dataset.Weight) (float64, error) {
	x, kind := dataset.ParseNumber(c.Text)
	if kind != dataset.Finite || !(x >= 0 && float64(float32(x)) <= w.Greatest) {
		return 0, fmt.Errorf("weight %.80q: %.80q: want a number from 0 to %v, the greatest of the job's data: %w", w.Name, c.Text, w.Greatest, job.ErrInvalid)
	}
	return x, nil
}

// weighed returns the objective of with the weights of rows and classes, as the plan of the
// job has them. outputs are those of the network.
func (c *Card) weighed(of objective.Objective, outputs int) (objective.Objective, error) {
	if c.Spec.ClassWeights.IsZero() && c.Spec.Data.Weight == "" {
		return of, nil
	}
	if c.Spec.ClassWeights.Balanced && c.ClassRows == nil || c.Spec.Data.Weight != "" && c.Weight == nil {
		return nil, fmt.Errorf("model %.80q: its card does not have the weights of the job: a program of an older version wrote it: %w", string(c.ID), job.ErrInvalid)
	}
	m := dataset.Manifest{
		Features: c.Features, Targets: of.Targets(outputs), Classes: c.Classes,
		Preprocessing: c.Preprocessing, Weight: c.Weight, ClassRows: c.ClassRows,
	}
	if c.Weight != nil {
		m.Targets++
	}
	rows := 0
	for _, n := range c.ClassRows {
		rows += int(n)
	}
	m.Splits = map[job.Split][]dataset.BlockRef{job.Train: {{Rows: rows}}}
	p := plan.Plan{Spec: c.Spec, Dataset: m}
	return p.Objective()
}

// flush evaluates the rows of the block.
func (e *evaluation) flush(ctx context.Context) error {
	rows := len(e.y) / e.targets
	if rows == 0 {
		return nil
	}
	count := e.config.Count()
	m := executor.Model{Network: e.m.Network, Objective: e.objective, Weights: e.m.Weights}
	err := e.executor.Forward(m, e.x, rows, func(lo, hi int, z []float32) error {
		count.Add(z, e.y[lo*e.targets:hi*e.targets], hi-lo)
		return ctx.Err()
	})
	e.units = append(e.units, count.Sums())
	for i := range e.x {
		e.x[i].Reset()
	}
	e.y = e.y[:0]
	return err
}

// result combines the blocks.
func (e *evaluation) result() *Evaluation {
	figures := e.config.Combine(e.units)
	v := &Evaluation{Model: e.m.Card.ID, Rows: e.rows, Metrics: figures.Values, Undefined: figures.Undefined, Confusion: figures.Confusion, Threshold: e.threshold(), Notes: e.notes.List()}
	for _, left := range []struct {
		rows int
		why  string
	}{{e.unlabelled, "a label"}, {e.incomplete, "a value in a column whose missing values training did not fill"}} {
		if left.rows > 0 {
			v.Notes = append(v.Notes, fmt.Sprintf("%d rows without %s were left out, as in training", left.rows, left.why))
		}
	}
	if e.m.Card.Spec.Data.Clean.Duplicates == job.DropDuplicates {
		v.Notes = append(v.Notes, "training dropped duplicate rows; this evaluation counts them")
	}
	return v
}
