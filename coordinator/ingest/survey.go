package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"unicode"

	"tributary/shared/dataset"
	"tributary/shared/dataset/tabular"
	"tributary/shared/job"
)

// A CSV source is read twice. A survey first counts rows and separates columns of numbers
// from columns of text. Then the cells are read into the table. So a table needs memory
// only for its numbers and codes.
//
// A column is numeric if every cell is a number or missing, with these exceptions.
// Integers are text if at least one is an identifier, like 007 or 1234567890123456789.
// Cells with commas between the thousands are numbers if all cells agree. A label of
// classes is text unless each class is a plain number; then no two texts mean the same
// class, except 1 and 1.0.

// A column with at least manyRows rows is numeric if at least mostlyNumbers of its cells
// are numbers. Its texts then count as mistakes.
const (
	mostlyNumbers = 0.99
	manyRows      = 20
)

// tally is the result of a survey for one column.
type tally struct {
	name                       string
	numbers, texts, nonFinites int
	text, nonFinite            sighting // the first of each

	// Of the numbers: the integers before the first non-integer, those that would lose
	// information as numbers, and those that an author who separates thousands would have
	// separated.
	integers, identifiers, ungrouped int
	identifier                       sighting
	// Of the texts: those that are numbers with thousands separated by commas, and those
	// in which most letters and digits are digits.
	grouped, digits int

	label bool     // the column is the label's
	odd   int      // of a label's numbers: those that other texts could mean too
	oddly sighting // the first of them
}

// sighting is the text, quoted, and the line of a cell.
type sighting struct {
	line int
	text string
}

// see counts a cell and keeps the first one.
func (s *sighting) see(count *int, cell string, line func() int) {
	if *count++; *count == 1 {
		*s = sighting{line(), fmt.Sprintf("%.80q", cell)}
	}
}

func (t *tally) add(cell string, line func() int) {
	if dataset.MissingCell(cell) {
		return
	}
	switch x, kind := dataset.ParseNumber(cell); kind {
	case dataset.Finite:
		t.addNumber(cell, x, line)
	case dataset.NonFinite:
		t.nonFinite.see(&t.nonFinites, cell, line)
	default:
		t.text.see(&t.texts, cell, line)
		if _, ok := dataset.ParseGrouped(cell); ok {
			t.grouped++
		}
		if mostlyDigits(cell) {
			t.digits++
		}
	}
}

func (t *tally) addNumber(cell string, x float64, line func() int) {
	t.numbers++
	if math.Abs(x) >= 1000 {
		t.ungrouped++
	}
	if t.integers == t.numbers-1 && dataset.IsInteger(cell) { // otherwise the column is not a column of integers
		t.integers++
		if dataset.IsIdentifier(cell) {
			t.identifier.see(&t.identifiers, cell, line)
		}
	}
	if t.label && !dataset.IsPlain(cell) {
		t.oddly.see(&t.odd, cell, line)
	}
}

// mostlyDigits reports whether at least half of a text's letters and digits are digits,
// as in an amount, a date, a time or a number with a unit.
func mostlyDigits(cell string) bool {
	digits, letters := 0, 0
	for _, r := range cell {
		switch {
		case unicode.IsDigit(r):
			digits++
		case unicode.IsLetter(r):
			letters++
		}
	}
	return digits > 0 && digits >= letters
}

// column decides the kind of the column, or returns what is wrong with it. Integers are
// text, like identifiers, if at least one would lose information as a number.
func (t *tally) column() (column, error) {
	total := t.numbers + t.texts + t.nonFinites
	c := column{name: t.name, kind: dataset.Categorical}
	switch {
	case total == 0:
		return c, fmt.Errorf("column %q: every cell is missing: leave it out with data.drop: %w", t.name, job.ErrInvalid)
	case t.texts == 0 && t.nonFinites > 0:
		return c, notFinite(t.name, t.nonFinite)
	case t.identifiers > 0 && t.integers == total:
		return c, nil
	case t.texts == 0:
		c.kind = dataset.Numeric
	case t.grouped == t.texts && t.ungrouped+t.identifiers+t.nonFinites == 0:
		c.kind, c.thousands = dataset.Numeric, true
	case total >= manyRows && float64(t.numbers) >= mostlyNumbers*float64(total):
		return c, textInNumbers(t.name, t.text)
	}
	return c, nil
}

// noteSurprises notes a column that a user may expect to be of another kind.
func (t *tally) noteSurprises(c column, asText, thousands *notes) {
	switch {
	case c.thousands:
		thousands.add("column %q is read as numbers with commas between thousands: %s in line %d", t.name, t.text.text, t.text.line)
	case c.kind != dataset.Categorical:
	case t.texts == 0:
		asText.add("column %q is read as text, with a category for each different text, because of %s in line %d: %s",
			t.name, t.identifier.text, t.identifier.line, asIdentifier)
	case 2*t.numbers >= t.numbers+t.texts:
		asText.add("column %q is read as text, because of %s in line %d, although most of its cells are numbers", t.name, t.text.text, t.text.line)
	case 2*(t.numbers+t.digits) >= t.numbers+t.texts:
		asText.add("column %q is read as text, with a category for each different text, because of %s in line %d: write plain numbers to make it numeric",
			t.name, t.text.text, t.text.line)
	}
}

// asIdentifier is the reason why an integer is text.
const asIdentifier = "as a number it would lose a leading zero, or digits that a 64-bit float does not hold"

func notFinite(column string, s sighting) error {
	return fmt.Errorf("line %d: column %q: %s is not a finite number: correct it, or leave the cell empty (a missing value): %w",
		s.line, column, s.text, job.ErrInvalid)
}

func textInNumbers(column string, s sighting) error {
	return fmt.Errorf("line %d: column %q: text %s in a numeric column: correct it, leave the cell empty (a missing value), or leave the column out with data.drop: %w",
		s.line, column, s.text, job.ErrInvalid)
}

// survey reads a CSV source once and returns the tallies of its columns, in the header's
// order.
func survey(ctx context.Context, content *tabular.Source, label []string) (rows int, tallies []tally, err error) {
	file, err := tabular.OpenCSV(content)
	if err != nil {
		return 0, nil, err
	}
	tallies = make([]tally, len(file.Header))
	for i, name := range file.Header {
		tallies[i].name, tallies[i].label = name, slices.Contains(label, name)
	}
	var p pace
	for {
		record, err := file.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return 0, nil, err
		}
		if rows++; rows > maxRows {
			return 0, nil, fmt.Errorf("the source has more than %d rows: want at most that many: %w", maxRows, job.ErrInvalid)
		}
		for i, cell := range record {
			if err := p.check(ctx, 1); err != nil {
				return 0, nil, err
			}
			tallies[i].add(cell, func() int { return file.Line(i) })
		}
	}
	if rows == 0 {
		return 0, nil, fmt.Errorf("no rows after the header: %w", job.ErrInvalid)
	}
	return rows, tallies, nil
}
