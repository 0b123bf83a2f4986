package dataset

import (
	"math"
	"strconv"
	"strings"
)

// MissingCell reports whether a cell's text stands for a missing value: empty,
// blank or NA.
func MissingCell(s string) bool {
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

// ParseCell reads a cell's text as a numeric column does, in training and when the
// model predicts; thousands says that the column's cells may separate thousands by commas.
func ParseCell(s string, thousands bool) (float64, NumberKind) {
	if thousands {
		if x, ok := ParseGrouped(s); ok {
			return x, Finite
		}
	}
	return ParseNumber(s)
}

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

// ParseGrouped reads a number whose thousands are separated by commas: 1,000 or
// -12,345.5. ok is false of any other text.
func ParseGrouped(s string) (x float64, ok bool) {
	if !strings.Contains(s, ",") {
		return 0, false
	}
	s = strings.TrimSpace(s)
	body := strings.TrimLeft(s, "+-")
	whole, _, _ := strings.Cut(body, ".")
	groups := strings.Split(whole, ",")
	first := groups[0]
	if len(s)-len(body) > 1 || len(groups) < 2 || len(first) < 1 || len(first) > 3 || first[0] == '0' {
		return 0, false
	}
	for _, g := range groups[1:] {
		if len(g) != 3 {
			return 0, false
		}
	}
	if i := strings.IndexFunc(body, func(r rune) bool { return r != ',' && r != '.' && (r < '0' || r > '9') }); i >= 0 {
		return 0, false
	}
	x, kind := ParseNumber(strings.ReplaceAll(s, ",", ""))
	return x, kind == Finite
}

// IsInteger reports whether a cell's text is an integer: digits and a sign.
func IsInteger(s string) bool {
	return integer(s) != ""
}

// IsIdentifier reports whether a cell's text is an integer that says more than its
// number does: with a leading zero, or not exactly a 64-bit float. As numbers, two of
// them could be one.
func IsIdentifier(s string) bool {
	digits := integer(s)
	switch {
	case digits == "":
		return false
	case digits[0] == '0':
		return len(digits) > 1
	case len(digits) < 16: // below 2⁵³
		return false
	}
	x, err := strconv.ParseFloat(digits, 64)
	return err != nil || strconv.FormatFloat(x, 'f', 0, 64) != digits
}

// IsPlain reports whether a number's text is the one way to write it, so that two of
// them are two numbers: as FormatNumber does, or an integer with zeros after a
// point, as pandas writes floats. 1.10, 1e3, +1 and 007 are not plain.
func IsPlain(s string) bool {
	s = strings.TrimSpace(s)
	if len(s) < 16 && s != "" && s[0] > '0' && s[0] <= '9' && IsInteger(s) { // most classes
		return true
	}
	if whole, zeros, ok := strings.Cut(s, "."); ok && strings.Trim(zeros, "0") == "" && zeros != "" {
		s = whole
	}
	x, kind := ParseNumber(s)
	return kind == Finite && (FormatNumber(x) == s || s == "-0")
}

// integer returns the digits of an integer's text; none if it is anything else.
func integer(s string) string {
	s = strings.TrimSpace(s)
	if s != "" && (s[0] == '-' || s[0] == '+') {
		s = s[1:]
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return ""
		}
	}
	return s
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
