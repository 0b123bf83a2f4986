package dataset

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"

	"tributary/shared/dataset/tabular"
	"tributary/shared/hint"
	"tributary/shared/job"
)

// Labels turns raw labels into targets, in the way that ingest does it. It is immutable.
type Labels struct {
	p       *Preprocessing
	classes []string // none for numbers
	sorted  Column   // its categories are the classes, sorted
	index   []int    // of each category among the classes
	numbers bool     // each class is a number as FormatNumber writes it
}

// Targets returns how the labels of rows become targets. classes are the classes in the
// order of their indices, none if the labels are numbers.
func (p *Preprocessing) Targets(classes []string) *Labels {
	l := &Labels{p: p, classes: classes}
	l.sorted = Column{Name: p.Label.Name, Kind: Categorical, Categories: slices.Sorted(slices.Values(classes))}
	at := make(map[string]int, len(classes))
	for i, class := range classes {
		at[class] = i
	}
	for _, class := range l.sorted.Categories {
		l.index = append(l.index, at[class])
	}
	l.numbers = !slices.ContainsFunc(classes, func(class string) bool {
		x, kind := ParseNumber(class)
		return kind != Finite || FormatNumber(x) != class
	})
	return l
}

// Value returns the value of a cell of the label of an output, as training read it.
func (l *Labels) Value(output int, c Cell) Value {
	if !c.JSON {
		return l.p.text(l.p.LabelOf(output), c.Text)
	}
	return c.Value()
}

// Target returns the target for the label of an output: the index of its class, or the scaled number. ok
// is false if the label is missing. It fails with job.ErrInvalid if the label is not a
// class of the model, or not a number.
func (l *Labels) Target(output int, v Value) (y float32, ok bool, err error) {
	if v.kind == isMissing {
		return 0, false, nil
	}
	label := l.p.LabelOf(output)
	if len(l.classes) == 0 {
		x, err := label.asNumber(v)
		if err == nil {
			y, err = label.Scaled(x)
		}
		if err != nil {
			return 0, false, fmt.Errorf("label %.80q: %w: %w", label.Name, err, job.ErrInvalid)
		}
		return y, true, nil
	}
	i, known, err := l.sorted.category(v)
	if x, kind := ParseNumber(v.text); err == nil && !known && l.numbers && kind == Finite {
		i, known = l.sorted.Category(FormatNumber(x))
	}
	if err != nil {
		return 0, false, fmt.Errorf("label %.80q: %w: %w", label.Name, err, job.ErrInvalid)
	}
	if !known {
		const shown = 12
		return 0, false, fmt.Errorf("label %.80q: %s is not among the %d classes of the model, which begin %.80q%s: %w",
			label.Name, v, len(l.classes), l.classes[:min(shown, len(l.classes))], hint.For(v.text, l.classes), job.ErrInvalid)
	}
	return float32(l.index[i]), true, nil
}

// Complete reports whether a row has a value in every column, or one that replaces a
// missing value. Training leaves out rows that are not complete.
func (p *Preprocessing) Complete(values []Value) bool {
	for i := range p.Columns {
		if c := &p.Columns[i]; values[i].kind == isMissing && c.Fill == nil && c.FillCategory == nil {
			return false
		}
	}
	return true
}

// LabelFile reads the labels of an IDX file, one row after the other.
type LabelFile struct {
	in      *tabular.Source
	head    tabular.IDX
	read    int
	raw     []byte
	numbers []float64
}

// OpenLabels opens an IDX file of labels, which may be gzip: [rows], or [rows, columns].
func OpenLabels(ctx context.Context, r io.Reader, columns int) (*LabelFile, error) {
	in, err := tabular.Open(ctx, r, math.MaxInt64)
	if err != nil {
		return nil, err
	}
	const maxDims = 2
	head, err := tabular.ReadIDXHeader(in, math.MaxInt64, maxDims)
	if err != nil {
		return nil, err
	}
	if head.Width != columns {
		return nil, fmt.Errorf("%d labels in a row: the model has %d: %w", head.Width, columns, job.ErrInvalid)
	}
	return &LabelFile{in: in, head: head, raw: make([]byte, head.Width*head.Size())}, nil
}

// Next returns the labels of the next row. They are valid until the next call.
func (f *LabelFile) Next() ([]float64, error) {
	if f.read == f.head.Rows {
		return nil, fmt.Errorf("%d labels, and more rows: want as many: %w", f.head.Rows, job.ErrInvalid)
	}
	if _, err := io.ReadFull(f.in, f.raw); err != nil {
		return nil, tabular.TruncatedIDX(fmt.Sprintf("%d of %d labels", f.read, f.head.Rows), err)
	}
	f.read++
	f.numbers = f.head.Decode(f.numbers[:0], f.raw)
	return f.numbers, nil
}

// End fails with job.ErrInvalid if there are labels without rows.
func (f *LabelFile) End() error {
	if f.read != f.head.Rows {
		return fmt.Errorf("%d labels for %d rows: want as many: %w", f.head.Rows, f.read, job.ErrInvalid)
	}
	return tabular.EndIDX(f.in)
}
