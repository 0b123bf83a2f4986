package ingest

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"tributary/shared/dataset"
	"tributary/shared/job"
	"tributary/shared/numeric"
	"tributary/shared/objective"
)

// label is the target to learn: a class for each row, or numbers.
type label struct {
	name    string
	classes bool
	outputs int           // number of number columns; 1 for classes
	form    *dataset.Form // how the cells of numbers are read, or nil

	// For classes: dict has the code of each text in cells.
	dict    *dictionary
	numeric bool    // each class is a number
	class   []int32 // class index of each code, -1 for a class that the dataset does not have

	weight string // the column with the weights of the rows; "" if there is none

	cells *cells // [rows, targets]: codes or numbers, NaN if missing; then the weight
	line  []byte // buffer of write
}

// targets returns the columns of the cells: the labels, and the weight if there is one.
func (l *label) targets() int {
	if l.weight != "" {
		return l.outputs + 1
	}
	return l.outputs
}

// labels returns the cells without the weight.
func (l *label) labels() *cells {
	if l.weight == "" {
		return l.cells
	}
	return l.cells.window(0, l.outputs)
}

// begin reserves the space for the labels of that many rows.
func (l *label) begin(s *space, rows int) error {
	data, err := s.scratch(int64(rows) * int64(l.targets()) * int64(floats64))
	l.cells = &cells{kind: floats64, width: l.targets(), data: data}
	return err
}

// push appends a label that was read as a number; NaN means missing.
func (l *label) push(x float64) error {
	if l.classes && !isMissing(x) {
		return l.pushText(dataset.FormatNumber(x))
	}
	return l.write(x)
}

// pushText appends a row's class.
func (l *label) pushText(text string) error {
	c, err := l.dict.code(text)
	if err != nil {
		return fmt.Errorf("label %q: %w", l.name, err)
	}
	return l.write(float64(c))
}

func (l *label) write(x float64) error {
	l.line = appendCell(l.line[:0], x)
	_, err := l.cells.data.Write(l.line)
	return err
}

// arrange refuses a constant label and returns the classes of the rows. The classes are
// sorted by number if all are numbers, else as texts. It returns nil for a label of
// numbers.
func (l *label) arrange(ctx context.Context, rows []int32, loss job.Loss) ([]string, error) {
	if !l.classes {
		return nil, l.vary(ctx, rows)
	}
	seen := make([]bool, len(l.dict.texts))
	if err := l.cells.each(ctx, these(rows), func(_ int, y []float64) { seen[int(y[0])] = true }); err != nil {
		return nil, err
	}
	var classes []string
	for c, text := range l.dict.texts {
		if seen[c] {
			classes = append(classes, text)
		}
	}
	if l.numeric {
		slices.SortFunc(classes, func(a, b string) int {
			x, _ := dataset.ParseNumber(a)
			y, _ := dataset.ParseNumber(b)
			return cmp.Compare(x, y)
		})
	} else {
		slices.Sort(classes)
	}
	if len(classes) < 2 {
		return nil, fmt.Errorf("label %q: every row is of class %q: want at least two classes: %w", l.name, classes[0], job.ErrInvalid)
	}
	of, err := objective.Of(loss)
	if err != nil {
		return nil, err
	}
	if err := of.CheckClasses(len(classes)); err != nil {
		return nil, fmt.Errorf("label %q: %w", l.name, err)
	}
	l.index(classes)
	return classes, nil
}

// index sets the class index of each code.
func (l *label) index(classes []string) {
	at := make(map[string]int32, len(classes))
	for i, text := range classes {
		at[text] = int32(i)
	}
	l.class = make([]int32, len(l.dict.texts))
	for c, text := range l.dict.texts {
		i, ok := at[text]
		if !ok {
			i = -1
		}
		l.class[c] = i
	}
}

// vary refuses a label of numbers with an output that is the same in every row, or varies
// by no more than rounding.
func (l *label) vary(ctx context.Context, rows []int32) error {
	m := newMoments(l.outputs)
	if err := l.labels().each(ctx, these(rows), func(_ int, y []float64) { m.add(y) }); err != nil {
		return err
	}
	for k := range l.outputs {
		switch low, high := m.low[k], m.high[k]; {
		case low == high:
			return fmt.Errorf("label %q: %v in every row: there is nothing to learn: %w", l.name, low, job.ErrInvalid)
		case numeric.ConstantRange(low, high):
			return fmt.Errorf("label %q: it varies by no more than rounding, from %v to %v: there is nothing to learn (subtract a constant from it before you write the file): %w",
				l.name, low, high, job.ErrInvalid)
		}
	}
	return nil
}

// allow refuses the first number that the loss does not take.
func (l *label) allow(ctx context.Context, rows []int32, loss job.Loss) error {
	of, err := objective.Of(loss)
	if err != nil || l.classes || of.CheckNumber(math.Inf(-1)) == nil { // it takes all numbers
		return err
	}
	var fault error
	err = l.labels().each(ctx, these(rows), func(i int, label []float64) {
		for _, y := range label {
			if wrong := of.CheckNumber(y); wrong != nil && fault == nil {
				fault = fmt.Errorf("row %d: label %q: %w", rows[i]+1, l.name, wrong)
			}
		}
	})
	return cmp.Or(err, fault)
}

// complete refuses a class that no training row has.
func (l *label) complete(ctx context.Context, train []int32, classes []string) error {
	if !l.classes {
		return nil
	}
	seen := make([]bool, len(classes))
	if err := l.cells.each(ctx, these(train), func(_ int, y []float64) { seen[l.class[int(y[0])]] = true }); err != nil {
		return err
	}
	if c := slices.Index(seen, false); c >= 0 {
		return fmt.Errorf("label %q: the training split has no row of class %q: add rows of that class, or set data.split.stratify: %w",
			l.name, classes[c], job.ErrInvalid)
	}
	return nil
}

// follow sets the classes of a separate test source to those of the training source,
// whose dictionary it shares. It refuses any other class.
func (l *label) follow(ctx context.Context, train *label, rows []int32) error {
	if !l.classes {
		return nil
	}
	l.class = slices.Clone(train.class)
	for len(l.class) < len(l.dict.texts) { // codes that only the test source has
		l.class = append(l.class, -1)
	}
	unknown, code := -1, 0
	err := l.cells.each(ctx, these(rows), func(i int, y []float64) {
		if c := int(y[0]); unknown < 0 && l.class[c] < 0 {
			unknown, code = i, c
		}
	})
	if err == nil && unknown >= 0 {
		err = fmt.Errorf("row %d: label %q: class %q is not among the training source's: %w",
			rows[unknown]+1, l.name, l.dict.texts[code], job.ErrInvalid)
	}
	return err
}

// target writes the targets of a row's label, and its weight.
func (l *label) target(dst []float32, label []float64, c *dataset.Column) error {
	if l.weight != "" {
		dst[l.outputs] = float32(label[l.outputs])
		label = label[:l.outputs]
	}
	if l.classes {
		dst[0] = float32(l.class[int(label[0])])
		return nil
	}
	for k, y := range label {
		f, err := c.Scaled(y)
		if err != nil {
			return fmt.Errorf("label %q: %w: %w", l.name, err, job.ErrInvalid)
		}
		dst[k] = f
	}
	return nil
}
