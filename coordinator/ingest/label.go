package ingest

import (
	"cmp"
	"fmt"
	"slices"

	"tributary/shared/dataset"
	"tributary/shared/job"
)

// label is what is to be learned: a class for each row, or numbers.
type label struct {
	name    string
	classes bool
	outputs int // columns of numbers; 1 for classes

	// Classes: the code of each row's class, -1 where it is missing.
	dict    *dictionary
	numeric bool // every class is a number
	codes   []int32
	class   []int32 // class index of each code, -1 for a class the dataset does not have

	values []float64 // numbers [rows, outputs], NaN where missing
}

func (l *label) targets() int { return l.outputs }

// missing reports whether any of the row's label is missing.
func (l *label) missing(row int32) bool {
	if l.classes {
		return l.codes[row] < 0
	}
	return slices.ContainsFunc(l.of(row), isMissing)
}

func (l *label) of(row int32) []float64 {
	return l.values[int(row)*l.outputs : (int(row)+1)*l.outputs]
}

// push appends a row's label read as a number; NaN is a missing one.
func (l *label) push(x float64) error {
	switch {
	case !l.classes:
		l.values = append(l.values, x)
		return nil
	case isMissing(x):
		l.codes = append(l.codes, -1)
		return nil
	default:
		return l.pushText(dataset.FormatNumber(x))
	}
}

// pushText appends a row's class.
func (l *label) pushText(text string) error {
	c, err := l.dict.code(text)
	if err != nil {
		return fmt.Errorf("label %q: %w", l.name, err)
	}
	l.codes = append(l.codes, c)
	return nil
}

// arrange refuses a constant label and returns the classes of the rows, sorted
// by number if all are numbers, else as text; nil for a label of numbers.
func (l *label) arrange(rows []int32, loss job.Loss) ([]string, error) {
	if !l.classes {
		return nil, l.vary(rows)
	}
	seen := make([]bool, len(l.dict.texts))
	for _, r := range rows {
		seen[l.codes[r]] = true
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
	if loss == job.SigmoidCrossEntropy && len(classes) != 2 {
		return nil, fmt.Errorf("label %q: %d classes: %s takes two (use %s): %w",
			l.name, len(classes), job.SigmoidCrossEntropy, job.SoftmaxCrossEntropy, job.ErrInvalid)
	}
	l.index(classes)
	return classes, nil
}

// index maps codes to class indices.
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

// vary refuses a label of numbers that is the same in every row.
func (l *label) vary(rows []int32) error {
	for k := range l.outputs {
		first := l.of(rows[0])[k]
		if !slices.ContainsFunc(rows, func(r int32) bool { return l.of(r)[k] != first }) {
			return fmt.Errorf("label %q: %v in every row: there is nothing to learn: %w", l.name, first, job.ErrInvalid)
		}
	}
	return nil
}

// complete refuses a class that no training row has.
func (l *label) complete(train []int32, classes []string) error {
	seen := make([]bool, len(classes))
	if !l.classes {
		return nil
	}
	for _, r := range train {
		seen[l.class[l.codes[r]]] = true
	}
	if c := slices.Index(seen, false); c >= 0 {
		return fmt.Errorf("label %q: class %q is absent from the training split: give it more rows, or set data.split.stratify: %w",
			l.name, classes[c], job.ErrInvalid)
	}
	return nil
}

// follow takes the classes of the training source over to a given test source,
// with which it shares the dictionary, and refuses any other class.
func (l *label) follow(train *label, rows []int32) error {
	if !l.classes {
		return nil
	}
	l.class = slices.Clone(train.class)
	for len(l.class) < len(l.dict.texts) { // codes that only the test source has
		l.class = append(l.class, -1)
	}
	for _, r := range rows {
		if c := l.codes[r]; l.class[c] < 0 {
			return fmt.Errorf("row %d: label %q: class %q is not among the training source's: %w", r+1, l.name, l.dict.texts[c], job.ErrInvalid)
		}
	}
	return nil
}

// target writes a row's targets.
func (l *label) target(dst []float32, row int32, c *dataset.Column) error {
	if l.classes {
		dst[0] = float32(l.class[l.codes[row]])
		return nil
	}
	for k, y := range l.of(row) {
		f, err := c.Scaled(y)
		if err != nil {
			return fmt.Errorf("row %d: label %q: %w: %w", row+1, l.name, err, job.ErrInvalid)
		}
		dst[k] = f
	}
	return nil
}
