package dataset

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Value is one raw cell, before preprocessing. The zero Value is a missing one.
type Value struct {
	kind   valueKind
	number float64
	text   string
}

type valueKind uint8

const (
	isMissing valueKind = iota
	isNumber
	isText
	isCell // text of a file's cell: a number or a category, as the column says
)

// Number is a numeric value.
func Number(x float64) Value { return Value{kind: isNumber, number: x} }

// Text is a category. It is never read as a number.
func Text(s string) Value {
	if MissingCell(s) {
		return Value{}
	}
	return Value{kind: isText, text: s}
}

// Cell is the text of a CSV cell: missing, or a number in a numeric column, or
// a category in a text column.
func Cell(s string) Value {
	if MissingCell(s) {
		return Value{}
	}
	return Value{kind: isCell, text: s}
}

// MissingCell reports whether a cell's text stands for a missing value: empty,
// blank or NA.
func MissingCell(s string) bool {
	switch len(s) {
	case 0:
		return true
	case 1:
		return s == " " || s == "\t"
	}
	s = strings.TrimSpace(s)
	return s == "" || s == "NA"
}

// NumberKind tells what a cell's text is, read as a number.
type NumberKind uint8

// What a cell's text can be.
const (
	NotANumber NumberKind = iota // text
	Finite
	NonFinite // NaN, an infinity, or beyond the range of a 64-bit float
)

// ParseNumber reads a cell's text as a decimal number; blanks around it are
// allowed. The number is 0 unless the kind is Finite.
func ParseNumber(s string) (float64, NumberKind) {
	s = strings.TrimSpace(s)
	for i := range len(s) {
		switch c := s[i]; {
		case '0' <= c && c <= '9', c == '.', c == '-', c == '+', c == 'e', c == 'E':
		default:
			return 0, nonFiniteWord(s)
		}
	}
	x, err := strconv.ParseFloat(s, 64)
	switch {
	case err == nil:
		return x, Finite
	case math.IsInf(x, 0):
		return 0, NonFinite
	default:
		return 0, NotANumber
	}
}

// nonFiniteWord tells the words strconv reads as NaN and infinities from text.
func nonFiniteWord(s string) NumberKind {
	switch strings.ToLower(strings.TrimLeft(s, "+-")) {
	case "nan", "inf", "infinity":
		return NonFinite
	}
	return NotANumber
}

// FormatNumber is how a number is written where it stands for a category or a
// class: the shortest decimal that reads back as x.
func FormatNumber(x float64) string {
	if x == 0 { // -0 is 0
		return "0"
	}
	if a := math.Abs(x); a >= 1e21 || a < 1e-6 {
		return strconv.FormatFloat(x, 'e', -1, 64)
	}
	return strconv.FormatFloat(x, 'f', -1, 64)
}

// String shows the value in messages, cut to a readable length.
func (v Value) String() string {
	switch v.kind {
	case isNumber:
		return FormatNumber(v.number)
	case isText, isCell:
		return fmt.Sprintf("%.80q", v.text)
	default:
		return "missing"
	}
}
