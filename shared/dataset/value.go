package dataset

import (
	"fmt"
	"math"
)

// Value is one raw cell, before preprocessing. Its column decides what it means,
// independent of the file format: "5" and 5 are the same value in a numeric column. The
// zero Value is missing.
type Value struct {
	kind   valueKind
	number float64
	text   string // for a number: as it was written, or ""
}

type valueKind uint8

const (
	isMissing valueKind = iota
	isNumber
	isText
	isBoolean
)

// Number returns a numeric value.
func Number(x float64) Value { return Value{kind: isNumber, number: x} }

// Literal returns a number as JSON has it: x, written as text. A text column compares the
// text first, so that an identifier with more digits than x can represent keeps them.
func Literal(text string, x float64) Value { return Value{kind: isNumber, number: x, text: text} }

// Text returns the value of a CSV cell or a JSON string. It is missing if the text is
// empty, blank or NA. Otherwise it is a number in a numeric column, and a category in a
// text column.
func Text(s string) Value {
	if MissingCell(s) {
		return Value{}
	}
	return Value{kind: isText, text: s}
}

// Boolean returns a category of a text column: the spelling of true or false that the
// column has (true, True or TRUE).
func Boolean(b bool) Value {
	if b {
		return Value{kind: isBoolean, text: "true"}
	}
	return Value{kind: isBoolean, text: "false"}
}

// asNumber returns the value as a number for a numeric column. The value must not be
// missing.
func (c *Column) asNumber(v Value) (float64, error) {
	x := v.number
	if c.Form.special() {
		return c.Form.specialNumber(v)
	}
	switch v.kind {
	case isText:
		var kind NumberKind
		switch x, kind = c.Read(v.text); kind {
		case NotANumber:
			return 0, fmt.Errorf("text %s in a numeric column: want a number", v)
		case NonFinite:
			return 0, fmt.Errorf("%s: want a finite number", v)
		case Finite:
		}
	case isBoolean:
		return 0, fmt.Errorf("%s in a numeric column: want a number", v)
	case isNumber, isMissing:
	}
	return x, nil
}

// category returns the index of the value in a text column. ok is false if the column does
// not have it. The value must not be missing.
func (c *Column) category(v Value) (index int, ok bool, err error) {
	texts := []string{v.text}
	if c.Form != nil && c.Form.Part != "" {
		x, err := c.Form.specialNumber(v)
		if err != nil {
			return 0, false, err
		}
		index, ok = c.Category(formatPart(x))
		return index, ok, nil
	}
	switch v.kind {
	case isNumber:
		if !finite(v.number) && v.text == "" {
			return 0, false, fmt.Errorf("%v: want text or a finite number", v.number)
		}
		if v.text == "" {
			texts[0] = FormatNumber(v.number)
		} else if finite(v.number) && !IsIdentifier(v.text) {
			texts = append(texts, FormatNumber(v.number))
		}
	case isBoolean:
		texts = booleans[v.text == "true"]
	case isText, isMissing:
	}
	for _, text := range texts {
		if index, ok = c.Category(text); ok {
			break
		}
	}
	return index, ok, nil
}

// booleans are the spellings that files use.
var booleans = map[bool][]string{true: {"true", "True", "TRUE"}, false: {"false", "False", "FALSE"}}

// String shows the value in messages, cut to a readable length.
func (v Value) String() string {
	switch v.kind {
	case isNumber:
		if v.text != "" {
			return fmt.Sprintf("%.80s", v.text)
		}
		return FormatNumber(v.number)
	case isText:
		return fmt.Sprintf("%.80q", v.text)
	case isBoolean:
		return v.text
	default:
		return "missing"
	}
}

func finite(x float64) bool { return math.Abs(x) <= math.MaxFloat64 }
