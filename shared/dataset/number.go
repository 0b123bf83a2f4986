package dataset

import (
	"math"
	"strconv"
	"strings"
)

// MissingCell reports whether a cell's text stands for a missing value: empty,
// blank or NA.
func MissingCell(s string) bool {
	if s != "" && s[0] >= '0' && s[0] <= '9' {
		return false // as most cells
	}
	s = strings.TrimSpace(s)
	return s == "" || s == "NA"
}

// NumberKind says what a cell's text is when it is read as a number.
type NumberKind uint8

// What a cell's text can be.
const (
	NotANumber NumberKind = iota // text
	Finite
	NonFinite // NaN, an infinity, or beyond the range of a 64-bit float
)

// ParseCell reads a cell's text as a numeric column does, in training and when the model
// predicts. If thousands is true, the text may separate thousands by commas.
func ParseCell(s string, thousands bool) (float64, NumberKind) {
	if thousands {
		if x, ok := ParseGrouped(s); ok {
			return x, Finite
		}
	}
	return ParseNumber(s)
}

// ParseNumber reads a cell's text as a decimal number. Blanks around it are allowed. If the
// kind is not Finite, the number is 0.
func ParseNumber(s string) (float64, NumberKind) {
	if x, ok := decimal(s); ok {
		return x, Finite
	}
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

// nonFiniteWord returns NonFinite for the words that strconv reads as NaN or infinity, and
// NotANumber for other text.
func nonFiniteWord(s string) NumberKind {
	switch strings.ToLower(strings.TrimLeft(s, "+-")) {
	case "nan", "inf", "infinity":
		return NonFinite
	}
	return NotANumber
}

// ParseGrouped reads a number whose thousands are separated by commas: 1,000 or -12,345.5.
// For any other text, ok is false.
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

// IsInteger reports whether a cell's text is an integer: digits with an optional sign.
func IsInteger(s string) bool {
	return integer(s) != ""
}

// IsIdentifier reports whether a cell's text is an integer that loses information when it
// is read as a number: it has a leading zero, or no 64-bit float is exactly equal to it.
// Two different identifiers can give the same number.
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

// IsPlain reports whether the number can stand for its text: two plain texts with equal
// float64 are also equal as exact decimal numbers. Plain are the texts of FormatNumber, and
// integers with zeros after the point, as pandas writes floats. 1.10, 1e3, +1 and 007 are
// not plain.
func IsPlain(s string) bool {
	s = strings.TrimSpace(s)
	if len(s) < 16 && s != "" && s[0] > '0' && s[0] <= '9' && IsInteger(s) { // true for most classes
		return true
	}
	if whole, zeros, ok := strings.Cut(s, "."); ok && strings.Trim(zeros, "0") == "" && zeros != "" {
		s = whole
	}
	x, kind := ParseNumber(s)
	return kind == Finite && (FormatNumber(x) == s || s == "-0")
}

// integer returns the digits of an integer's text, or "" for any other text.
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

// FormatNumber returns the text of a number that stands for a category or a class: the
// shortest decimal that reads back as x.
func FormatNumber(x float64) string {
	if x == 0 { // -0 is 0
		return "0"
	}
	if a := math.Abs(x); a >= 1e21 || a < 1e-6 {
		return strconv.FormatFloat(x, 'e', -1, 64)
	}
	return strconv.FormatFloat(x, 'f', -1, 64)
}
