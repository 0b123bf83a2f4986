package ingest

import (
	"fmt"
	"math"
	"strings"
	"unicode"

	"tributary/shared/dataset"
	"tributary/shared/dataset/tabular"
	"tributary/shared/job"
)

// tally counts what the cells of a column are. A column is numeric if every cell is a
// number or missing, with these exceptions. Integers are text if at least one is an
// identifier, like 007 or 1234567890123456789. Cells with commas between the thousands,
// with decimal commas, or with one currency sign or % are numbers if all cells agree. A
// label of classes is text unless each class is a plain number; then no two texts mean the
// same class, except 1 and 1.0. data.columns overrides all of this.
type tally struct {
	name    string
	given   *job.ColumnSpec // what data.columns says, or nil
	options *job.CSVOptions
	kind    tabular.Kind  // what the file's own schema says
	base    *dataset.Form // how numbers are written, as data.csv says; nil for plainly

	numbers, texts, nonFinites int
	text, nonFinite            sighting // the first of each

	// Of the numbers: the integers before the first non-integer, those that would lose
	// information as numbers, those that an author who separates thousands would have
	// separated, and those with a decimal point.
	integers, identifiers, ungrouped, pointed int
	identifier                                sighting
	// Of the texts: those that are numbers with thousands separated by commas, those in
	// which most letters and digits are digits, and those that no form of a number allows.
	grouped, digits, strange int
	stranger                 sighting
	// Of the texts: numbers with a decimal comma, and those whose comma cannot separate
	// thousands.
	commas, sure int
	comma        sighting
	decimalComma bool // the source has decimal commas
	// Of the texts: numbers with the same currency sign or %, and those that also separate
	// thousands.
	signed, signedGrouped int
	sign                  string
	// Words of pandas for missing values, among the texts and the numbers that are not
	// finite.
	naTexts, naNonFinites int
	na                    sighting
	infinites             int // numbers that are not finite and no such words
	infinite              sighting

	label   bool     // the column is the label's
	classes bool     // and its cells are classes
	odd     int      // 1 if one of a label's numbers could be meant by other texts too
	oddly   sighting // the first of them

	unnamed bool   // the column has no name in the header
	serial  serial // of an unnamed column

	dates dates // of a column of dates
}

// sighting is a cell that was seen, or nothing. It is a pointer, because a table may have a
// million columns.
type sighting struct{ *seen }

// seen is the text, quoted, and the place of a cell, like "line 3".
type seen struct{ at, text string }

// see counts a cell and keeps the first one.
func (s *sighting) see(count *int, cell string, at func() string) {
	if *count++; *count == 1 {
		s.seen = &seen{at(), fmt.Sprintf("%.80q", cell)}
	}
}

// start prepares the tally for cells.
func (t *tally) start() {
	t.base = formOf(t.options)
	t.dates.start(t.given)
}

// formOf returns how data.csv says that numbers are written, or nil if plainly.
func formOf(o *job.CSVOptions) *dataset.Form {
	if o == nil || o.Decimal != "," && o.Thousands == "" {
		return nil
	}
	form := &dataset.Form{Thousands: o.Thousands}
	if o.Decimal == "," {
		form.Decimal = o.Decimal
	}
	return form
}

// addAll counts a column of a batch.
func (t *tally) addAll(b *batch, column int) {
	for i := range b.rows() {
		if x, ok := b.value(i, column); ok && t.addFloat(x) {
			continue
		}
		t.add(b.text(i, column), func() string { return b.place(i, column) })
	}
}

// addFloat counts a finite float as add counts its text (parquet.Text). It returns false,
// and counts nothing, if the text matters.
func (t *tally) addFloat(x float64) bool {
	size := math.Abs(x)
	if t.given != nil && t.given.Type != job.NumberColumn || t.classes || !plainly(t.base, t.options) ||
		size >= 1e6 || size < 1e-4 && x != 0 { // texts with an exponent
		return false
	}
	t.numbers++
	if size >= 1000 {
		t.ungrouped++
	}
	switch whole := x == math.Floor(x); {
	case whole && t.integers == t.numbers-1:
		t.integers++
	case !whole:
		t.pointed++
	}
	if t.unnamed {
		t.serial.add(x)
	}
	return true
}

func (t *tally) add(cell string, at func() string) {
	if dataset.IsMissing(cell, t.options) {
		return
	}
	switch {
	case t.given == nil:
	case t.given.Type == job.DateColumn:
		t.addDate(cell, at)
		return
	case t.given.Type == job.BooleanColumn:
		if _, kind := yes.Number(cell); kind == dataset.Finite {
			t.numbers++
		} else {
			t.addOther(cell, at)
		}
		return
	case t.given.Type != job.NumberColumn:
		t.texts++
		return
	}
	switch x, kind := t.base.Number(cell); kind {
	case dataset.Finite:
		t.addNumber(cell, x, at)
	case dataset.NonFinite:
		t.nonFinite.see(&t.nonFinites, cell, at)
		if t.isNA(cell) {
			t.na.see(&t.naNonFinites, cell, at)
		} else {
			t.infinite.see(&t.infinites, cell, at)
		}
	default:
		t.addText(cell, at)
	}
}

// yes is the form of booleans.
var yes = &dataset.Form{Boolean: true}

// isNA reports whether a cell is one of the words for missing values that only columns of
// numbers have.
func (t *tally) isNA(cell string) bool {
	return (t.options == nil || t.options.NA == nil) && dataset.PandasMissing(cell)
}

// addOther counts a text that the type in data.columns does not allow.
func (t *tally) addOther(cell string, at func() string) {
	t.text.see(&t.texts, cell, at)
	if t.isNA(cell) {
		t.naTexts++
	} else {
		t.stranger.see(&t.strange, cell, at)
	}
}

func (t *tally) addNumber(cell string, x float64, at func() string) {
	t.numbers++
	if math.Abs(x) >= 1000 {
		t.ungrouped++
	}
	integer := t.integers == t.numbers-1 && dataset.IsInteger(cell) // otherwise the column is not a column of integers
	if integer {
		t.integers++
		if dataset.IsIdentifier(cell) {
			t.identifier.see(&t.identifiers, cell, at)
		}
	} else if strings.IndexByte(cell, '.') >= 0 {
		t.pointed++
	}
	if t.classes && t.odd == 0 && !dataset.IsPlain(cell) {
		t.oddly.see(&t.odd, cell, at)
	}
	if t.unnamed {
		t.serial.add(x)
	}
}

// addText counts a cell that is not a number in the form that data.csv says.
func (t *tally) addText(cell string, at func() string) {
	t.text.see(&t.texts, cell, at)
	if mostlyDigits(cell) {
		t.digits++
	}
	if t.isNA(cell) {
		t.naTexts++
		return
	}
	known := t.base == nil && t.addForms(cell, at)
	if sign := dataset.SignOf(cell); sign != "" && (t.sign == "" || t.sign == sign) {
		form := dataset.Form{Sign: sign}
		if t.base != nil {
			form.Decimal, form.Thousands = t.base.Decimal, t.base.Thousands
		}
		if t.base == nil && strings.Contains(cell, ",") {
			form.Thousands = ","
		}
		if _, kind := form.Number(cell); kind == dataset.Finite {
			t.sign, known = sign, true
			t.signed++
			if form.Thousands != "" {
				t.signedGrouped++
			}
		}
	}
	if !known {
		t.stranger.see(&t.strange, cell, at)
	}
}

// addForms counts a number with commas, which separate thousands or decimals. It reports
// whether they can separate thousands.
func (t *tally) addForms(cell string, at func() string) bool {
	if !strings.Contains(cell, ",") {
		return false
	}
	_, grouped := dataset.ParseGrouped(cell)
	if grouped {
		t.grouped++
	}
	if _, kind := withComma.Number(cell); kind == dataset.Finite {
		t.commas++
		if !grouped {
			t.comma.see(&t.sure, cell, at)
		}
	}
	return grouped
}

// withComma is the form of numbers with a decimal comma.
var withComma = &dataset.Form{Decimal: ","}

// certainCommas reports whether each text of the column is a number with a decimal comma,
// and at least one cannot be anything else.
func (t *tally) certainCommas() bool {
	return t.sure > 0 && t.commas == t.texts-t.naTexts && t.nonFinites == t.naNonFinites
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

// serial recognizes the numbers of rows, from 0 or 1 on.
type serial struct {
	n, first float64
	broken   bool
}

func (s *serial) add(x float64) {
	if s.n == 0 {
		s.first = x
	}
	s.broken = s.broken || x != s.first+s.n
	s.n++
}

// index reports whether a column without a name only numbers the rows, as pandas writes an
// index, or is empty, as a delimiter at the end of each line makes it.
func (t *tally) index() (why string, ok bool) {
	total := t.numbers + t.texts + t.nonFinites
	switch {
	case !t.unnamed || t.given != nil || t.label:
		return "", false
	case total == 0:
		return "has no name and no values", true
	case t.numbers == total && !t.serial.broken && t.serial.n > 1 && (t.serial.first == 0 || t.serial.first == 1):
		return "has no name and only numbers the rows", true
	}
	return "", false
}
