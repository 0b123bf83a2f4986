package tabular

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"tributary/shared/job"
)

// Features are the columns of LIBSVM files: "label", and a column for each index of a
// feature, as x1, x2, … . They begin at x0 if a file has the index 0, or if Base says so.
type Features struct {
	Base    *int // the index of the first feature, as the spec says; nil: not said
	Zero    bool // a file has the index 0
	Most    int  // the largest index, 0 for none
	Queries bool // a file has qid:…, which is left out
	fixed   bool // other indices are refused
}

// maxFeatures limits the indices, so that the columns are at most MaxColumns.
const maxFeatures = MaxColumns - 2

// Fixed returns the same features for files that must have no others.
func (f *Features) Fixed() *Features {
	return &Features{Base: f.Base, Zero: f.Zero, Most: f.Most, fixed: true}
}

// Names returns the names of the columns, the label first.
func (f *Features) Names() []string {
	names := []string{"label"}
	for i := f.first(); i <= f.Most; i++ {
		names = append(names, "x"+strconv.Itoa(i))
	}
	return names
}

func (f *Features) first() int {
	if f.Base != nil {
		return *f.Base
	}
	if f.Zero {
		return 0
	}
	return 1
}

// Read adds the features of a file.
func (f *Features) Read(s *Source) error {
	in := newLines(s)
	for {
		_, pairs, err := in.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, p := range pairs {
			if f.Base != nil && p.index < *f.Base {
				return fmt.Errorf("line %d: index %d: data.libsvm.base says that indices count from %d on: %w", in.line, p.index, *f.Base, job.ErrInvalid)
			}
			if f.fixed && (p.index < f.first() || p.index > f.Most) {
				return f.unknown(in.line, p.index)
			}
			f.Zero = f.Zero || p.index == 0
			f.Most = max(f.Most, p.index)
		}
		f.Queries = f.Queries || in.query
	}
}

// unknown is the error of an index that the training source does not have.
func (f *Features) unknown(line, index int) error {
	return fmt.Errorf("line %d: index %d: the training source has the features %d to %d: %w", line, index, f.first(), f.Most, job.ErrInvalid)
}

// LIBSVM reads the rows of a LIBSVM file: label index:value …, with the other features 0.
type LIBSVM struct {
	in       *lines
	features *Features
	first    int
	cells    []string
	set      []int // the cells that are not 0
}

// OpenLIBSVM returns a reader of the rows, whose cells are in the order of Names. An index
// that features does not have is refused.
func OpenLIBSVM(s *Source, features *Features) *LIBSVM {
	f := &LIBSVM{in: newLines(s), features: features, first: features.first(), cells: make([]string, features.Most-features.first()+2)}
	for i := range f.cells {
		f.cells[i] = "0"
	}
	return f
}

// Line returns the number of the last row's line, from 1 on.
func (f *LIBSVM) Line(int) int { return f.in.line }

// Next returns the next row. The following call overwrites it. After the last row it
// returns io.EOF.
func (f *LIBSVM) Next() ([]string, error) {
	for _, i := range f.set {
		f.cells[i] = "0"
	}
	f.set = f.set[:0]
	label, pairs, err := f.in.next()
	if err != nil {
		return nil, err
	}
	f.cells[0] = label
	for _, p := range pairs {
		at := p.index - f.first + 1
		if at < 1 || at >= len(f.cells) {
			if f.features.fixed {
				return nil, f.features.unknown(f.in.line, p.index)
			}
			return nil, fmt.Errorf("line %d: index %d: the file changed while it was being read: %w", f.in.line, p.index, job.ErrInvalid)
		}
		f.cells[at] = p.value
		f.set = append(f.set, at)
	}
	return f.cells, nil
}

// pair is index:value.
type pair struct {
	index int
	value string
}

// lines reads the lines of a LIBSVM file.
type lines struct {
	in    *bufio.Scanner
	line  int
	query bool // the last row had qid:…
	pairs []pair
}

func newLines(s *Source) *lines {
	in := bufio.NewScanner(s)
	in.Buffer(make([]byte, 0, 64<<10), maxRecord)
	return &lines{in: in}
}

// next returns the label and the features of the next row that is not blank.
func (l *lines) next() (label string, pairs []pair, err error) {
	for l.in.Scan() {
		l.line++
		text, _, _ := bytes.Cut(l.in.Bytes(), []byte("#"))
		fields := strings.Fields(string(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))))
		if len(fields) == 0 {
			continue
		}
		label, err := labelOf(fields[0])
		if err == nil {
			err = l.features(fields[1:])
		}
		if err != nil {
			return "", nil, fmt.Errorf("line %d: %w: %w", l.line, err, job.ErrInvalid)
		}
		return label, l.pairs, nil
	}
	if err := l.in.Err(); errors.Is(err, bufio.ErrTooLong) {
		return "", nil, fmt.Errorf("line %d: over %d bytes: want a shorter one: %w", l.line+1, maxRecord, job.ErrInvalid)
	} else if err != nil {
		return "", nil, err
	}
	return "", nil, io.EOF
}

// labelOf returns a label as a plain number, so that +1 and 1 are one class.
func labelOf(text string) (string, error) {
	const exact = 1 << 53
	x, err := strconv.ParseFloat(text, 64)
	switch {
	case strings.Contains(text, ","):
		return "", fmt.Errorf("the label %.80q has several classes: want one number", text)
	case strings.Contains(text, ":"):
		return "", fmt.Errorf("it begins with %.80q: want a label before the features, as in 1 3:0.5", text)
	case err != nil || math.IsNaN(x) || math.IsInf(x, 0) || strings.ContainsAny(text, "xX_pP"):
		return "", fmt.Errorf("the label %.80q: want a finite number", text)
	case math.Abs(x) < exact && float64(int64(x)) == x:
		return strconv.FormatInt(int64(x), 10), nil
	}
	return strings.TrimPrefix(text, "+"), nil
}

// features reads [qid:n] index:value ….
func (l *lines) features(fields []string) error {
	l.pairs, l.query = l.pairs[:0], false
	rising := true
	for i, field := range fields {
		name, value, ok := strings.Cut(field, ":")
		if !ok {
			return fmt.Errorf("%.80q: want index:value", field)
		}
		if i == 0 && name == "qid" {
			if _, err := strconv.ParseUint(value, 10, 64); err != nil {
				return fmt.Errorf("%.80q: want qid:number", field)
			}
			l.query = true
			continue
		}
		index, err := strconv.ParseUint(name, 10, 32)
		if err != nil || index > maxFeatures {
			return fmt.Errorf("%.80q: the index: want a number from 0 to %d", field, maxFeatures)
		}
		x, err := strconv.ParseFloat(value, 64)
		if err != nil || math.IsNaN(x) || math.IsInf(x, 0) || strings.ContainsAny(value, "xX_pP") {
			return fmt.Errorf("%.80q: the value: want a finite number", field)
		}
		if n := len(l.pairs); n > 0 && l.pairs[n-1].index >= int(index) {
			rising = false
		}
		l.pairs = append(l.pairs, pair{int(index), value})
	}
	if rising {
		return nil
	}
	slices.SortStableFunc(l.pairs, func(a, b pair) int { return a.index - b.index })
	for i := 1; i < len(l.pairs); i++ {
		if l.pairs[i].index == l.pairs[i-1].index {
			return fmt.Errorf("index %d is given twice", l.pairs[i].index)
		}
	}
	return nil
}
