package dataset

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"tributary/shared/job"
)

// Form says how the texts of a column's cells are read, if they are not plain numbers or
// categories. A nil *Form reads plain ones.
type Form struct {
	// Decimal is "," for numbers with a decimal comma.
	Decimal job.Decimal `json:"decimal,omitempty"`
	// Thousands may separate the thousands of numbers.
	Thousands job.Thousands `json:"thousands,omitempty"`
	// Sign is a currency sign that may stand before or after numbers, or "%": then a number
	// with it is in hundredths.
	Sign string `json:"sign,omitempty"`
	// NA says that the words of job.PandasNA stand for a missing value.
	NA bool `json:"na,omitempty"`
	// Boolean says that the texts are yes and no, and become 1 and 0.
	Boolean bool `json:"boolean,omitempty"`
	// Of and Part are set for a part of a date: Of is the name of the raw column. Layout is
	// how its cells are written, for package time.
	Of     string       `json:"of,omitempty"`
	Part   job.DatePart `json:"part,omitempty"`
	Layout string       `json:"layout,omitempty"`
}

// Percent is the sign of hundredths.
const Percent = "%"

// SignOf returns the currency sign or % that a cell's text begins or ends with, or "".
func SignOf(s string) string {
	s = strings.TrimSpace(s)
	body := strings.TrimLeft(s, "+-")
	if r, n := utf8.DecodeRuneInString(body); unicode.Is(unicode.Sc, r) {
		return body[:n]
	}
	if r, n := utf8.DecodeLastRuneInString(s); r == '%' || unicode.Is(unicode.Sc, r) {
		return s[len(s)-n:]
	}
	return ""
}

// Number reads a cell's text as a number. Blanks around it are allowed. If the kind is not
// Finite, the number is 0.
func (f *Form) Number(s string) (float64, NumberKind) {
	if f == nil {
		return ParseNumber(s)
	}
	if f.special() {
		x, ok := yesOrNo(s)
		if f.Part != "" {
			x, ok = f.DateNumber(s)
		}
		if !ok {
			return 0, NotANumber
		}
		return x, Finite
	}
	s = strings.TrimSpace(s)
	signed := false
	if f.Sign != "" {
		s, signed = f.unsigned(s)
	}
	plain, ok := f.plain(s)
	if !ok {
		return 0, NotANumber
	}
	if signed && f.Sign == Percent {
		if strings.ContainsAny(plain, "eE") {
			return 0, NotANumber
		}
		plain += "e-2"
	}
	return ParseNumber(plain)
}

// unsigned returns the text without the currency sign, which is before the number (also
// after its minus) or after it.
func (f *Form) unsigned(s string) (string, bool) {
	if rest, ok := strings.CutSuffix(s, f.Sign); ok {
		return strings.TrimSpace(rest), true
	}
	if f.Sign == Percent {
		return s, false
	}
	minus := ""
	if s != "" && (s[0] == '-' || s[0] == '+') {
		minus = s[:1]
	}
	rest, ok := strings.CutPrefix(s[len(minus):], f.Sign)
	if !ok {
		return s, false
	}
	return minus + strings.TrimSpace(rest), true
}

// plain returns the text with a decimal point and without separators of thousands. It
// reports false if the text is not written in this form.
func (f *Form) plain(s string) (string, bool) {
	point := "."
	if f.Decimal != "" {
		point = string(f.Decimal)
	}
	whole, fraction, fractional := strings.Cut(s, point)
	if f.Thousands != "" && strings.Contains(whole, string(f.Thousands)) {
		if !grouped(strings.Split(strings.TrimLeft(whole, "+-"), string(f.Thousands))) {
			return "", false
		}
		whole = strings.ReplaceAll(whole, string(f.Thousands), "")
	}
	if point != "." && (strings.Contains(whole, ".") || strings.Contains(fraction, ".")) {
		return "", false
	}
	if !fractional {
		return whole, true
	}
	return whole + "." + fraction, true
}

// grouped reports whether these are the groups of digits of a number: three digits each,
// except the first one, which does not begin with 0.
func grouped(groups []string) bool {
	for i, g := range groups {
		digits := g != "" && g[0] != '-' && g[0] != '+' && IsInteger(g)
		if !digits || len(g) != 3 && (i > 0 || len(g) > 3) || i == 0 && g[0] == '0' {
			return false
		}
	}
	return true
}

// yesOrNo reads a boolean: 1 for yes and 0 for no.
func yesOrNo(s string) (float64, bool) {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "true", "t", "yes", "y", "on", "1", "1.0":
		return 1, true
	case "false", "f", "no", "n", "off", "0", "0.0":
		return 0, true
	}
	return 0, false
}

// YesOrNo lists the texts of a boolean, for messages.
const YesOrNo = "true/false, yes/no, t/f, y/n, on/off or 1/0"

// DateLayouts are the layouts that are detected, in the order in which they are tried. A
// time of day may follow each of them.
var DateLayouts = [...]string{
	"2006-1-2", "2006/1/2", "2006.1.2", "1/2/2006", "2/1/2006", "1-2-2006", "2-1-2006", "2.1.2006",
	"2 Jan 2006", "2 January 2006", "Jan 2, 2006", "January 2, 2006", "2-Jan-2006",
}

// clocks are what may follow a date.
var clocks = [...]string{"", " 15:4", " 15:4:5", "T15:4", "T15:4:5", "T15:4:5Z07:00", " 15:4:5Z07:00", " 15:4:5 -0700"}

// ParseDate reads a date. A layout of DateLayouts may be followed by a time of day.
func ParseDate(s, layout string) (time.Time, bool) {
	s = strings.TrimSpace(s)
	if len(s) > maxDateBytes {
		return time.Time{}, false
	}
	if !slices.Contains(DateLayouts[:], layout) {
		t, err := time.Parse(layout, s)
		return t, err == nil
	}
	for _, c := range clocks {
		if c != "" && !strings.Contains(s, ":") {
			break
		}
		if t, err := time.Parse(layout+c, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// maxDateBytes limits the text of a date.
const maxDateBytes = 128

// part returns the part of a date.
func part(t time.Time, p job.DatePart) float64 {
	switch p {
	case job.Year:
		return float64(t.Year())
	case job.Month:
		return float64(t.Month())
	case job.Day:
		return float64(t.Day())
	case job.Weekday:
		return float64((t.Weekday() + 6) % 7)
	case job.DayOfYear:
		return float64(t.YearDay())
	case job.Hour:
		return float64(t.Hour())
	case job.Minute:
		return float64(t.Minute())
	case job.Second:
		return float64(t.Second())
	default:
		return float64(t.Unix()) + float64(t.Nanosecond())/1e9
	}
}

// Category returns the category of a part of a date.
func (f *Form) Category(s string) (string, bool) {
	x, ok := f.DateNumber(s)
	return formatPart(x), ok
}

// DateNumber reads the part of a date from a cell's text.
func (f *Form) DateNumber(s string) (float64, bool) {
	t, ok := ParseDate(s, f.Layout)
	if !ok {
		return 0, false
	}
	return part(t, f.Part), true
}

// Missing reports whether a cell's text stands for a missing value, beside what all
// columns have.
func (f *Form) Missing(s string) bool {
	if f == nil || !f.NA {
		return false
	}
	return PandasMissing(s)
}

// PandasMissing reports whether a text is one of job.PandasNA.
func PandasMissing(s string) bool {
	s = strings.TrimSpace(s)
	if s == "" || len(s) > 8 || !strings.ContainsRune("#-1<NTn", rune(s[0])) {
		return false
	}
	_, found := slices.BinarySearch(pandasNA, s)
	return found
}

var pandasNA = job.PandasNA()

// IsMissing reports whether a cell's text stands for a missing value in every column: the
// empty and the blank cell, and the words of options or, by default, NA.
func IsMissing(s string, o *job.CSVOptions) bool {
	if o == nil || o.NA == nil {
		return MissingCell(s)
	}
	trimmed := strings.TrimSpace(s)
	if trimmed == "" {
		return true
	}
	if o.NA.Pandas {
		return PandasMissing(trimmed)
	}
	return slices.Contains(o.NA.Words, trimmed) || slices.Contains(o.NA.Words, s)
}

// text returns the value of a CSV cell or a JSON string for a column, as training read it.
// See Text.
func (p *Preprocessing) text(c *Column, s string) Value {
	if p.CSV != nil && p.CSV.Trim {
		s = strings.TrimSpace(s)
	}
	if IsMissing(s, p.CSV) || c.Form.Missing(s) {
		return Value{}
	}
	return Value{kind: isText, text: s}
}

// ReadsForms reports whether a column has a form, or files are read with options.
func (p *Preprocessing) ReadsForms() bool {
	formed := func(c Column) bool { return c.Form != nil }
	return p != nil && (p.CSV != nil || formed(p.Label) || slices.ContainsFunc(p.Columns, formed) || slices.ContainsFunc(p.Labels, formed))
}

// validate checks a form that comes from outside.
func (f *Form) validate() error {
	switch {
	case f == nil:
		return nil
	case f.Decimal != "" && !slices.Contains(f.Decimal.Allowed(), string(f.Decimal)),
		f.Thousands != "" && !slices.Contains(f.Thousands.Allowed(), string(f.Thousands)):
		return fmt.Errorf("form: decimal %.8q, thousands %.8q: want one of %q and of %q", string(f.Decimal), string(f.Thousands), f.Decimal.Allowed(), f.Thousands.Allowed())
	case f.Sign != "" && SignOf(f.Sign) != f.Sign:
		return fmt.Errorf("form: sign %.8q: want a currency sign or %%", f.Sign)
	case (f.Of == "") != (f.Part == "") || (f.Of == "") != (f.Layout == ""):
		return fmt.Errorf("form: of %.40q, part %.40q, layout %.40q: want all of them or none", f.Of, string(f.Part), f.Layout)
	case f.Part != "" && !slices.Contains(f.Part.Allowed(), string(f.Part)):
		return fmt.Errorf("form: part %.40q: want one of %v", string(f.Part), f.Part.Allowed())
	case len(f.Layout) > maxDateBytes:
		return fmt.Errorf("form: layout of %d bytes: want at most %d", len(f.Layout), maxDateBytes)
	}
	return nil
}

// special reports whether the column has booleans or parts of dates, and not numbers.
func (f *Form) special() bool { return f != nil && (f.Boolean || f.Part != "") }

// specialNumber returns the number of a boolean or of a part of a date. The value must not
// be missing.
func (f *Form) specialNumber(v Value) (float64, error) {
	switch {
	case f.Part != "":
		if x, ok := f.DateNumber(v.text); ok && v.kind == isText {
			return x, nil
		}
		return 0, fmt.Errorf("%s: want the text of a date, written as %s", v, time.Date(2006, 1, 2, 15, 4, 5, 0, time.UTC).Format(f.Layout))
	case v.kind == isNumber && (v.number == 0 || v.number == 1):
		return v.number, nil
	case v.kind != isNumber:
		if x, ok := yesOrNo(v.text); ok {
			return x, nil
		}
	}
	return 0, fmt.Errorf("%s: want one of %s", v, YesOrNo)
}

// Read reads a cell's text as a numeric column does, in training and when the model
// predicts.
func (c *Column) Read(s string) (float64, NumberKind) {
	if c.Thousands {
		if x, ok := ParseGrouped(s); ok {
			return x, Finite
		}
	}
	return c.Form.Number(s)
}

// formatPart is the text of a part as a category.
func formatPart(x float64) string {
	if x == math.Floor(x) {
		return strconv.FormatInt(int64(x), 10)
	}
	return FormatNumber(x)
}
