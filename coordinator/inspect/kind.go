package inspect

import (
	"cmp"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"tributary/coordinator/ingest"
	"tributary/shared/dataset"
	"tributary/shared/job"
)

// Kind says what a column is for a person. How training reads it is Column.Training.
type Kind string

// The kinds.
const (
	Number     Kind = "number"
	Category   Kind = "category"
	Identifier Kind = "identifier" // a value of its own in each row
	Date       Kind = "date"
	Boolean    Kind = "boolean"
	Constant   Kind = "constant" // one value, or none
	Text       Kind = "text"     // sentences
	Nested     Kind = "nested"   // lists or objects, which training refuses
)

// How training reads a column.
const (
	asNumber   = "number"
	asCategory = "category"
	asDate     = "date parts"
	leftOut    = "left out"
	refused    = "refused"
)

// Column describes a column.
type Column struct {
	Name     string `json:"name"`
	Kind     Kind   `json:"kind"`
	Why      string `json:"why"`      // it is of this kind
	Training string `json:"training"` // number, category, date parts, left out or refused
	Reason   string `json:"reason,omitempty"`
	Missing  int64  `json:"missing"`
	Distinct int64  `json:"distinct"` // values that are not missing
	// Estimated: Distinct is an estimate (HyperLogLog, about 1 % off).
	Estimated bool              `json:"estimated,omitempty"`
	Numbers   *Numbers          `json:"numbers,omitempty"`
	Dates     *Dates            `json:"dates,omitempty"`
	Top       []Value           `json:"top,omitempty"` // the most frequent values
	Odd       []ingest.Sighting `json:"odd,omitempty"`
	Truncated bool              `json:"truncated,omitempty"` // top, odd and histogram are left out to keep the report short

	seen *column
	in   *ingest.Inspected
}

// Dates describes a column of dates.
type Dates struct {
	First     string     `json:"first"`
	Last      string     `json:"last"`
	Written   string     `json:"written"` // an example of the layout
	Ambiguous bool       `json:"ambiguous,omitempty"`
	Histogram *Histogram `json:"histogram,omitempty"` // seconds since 1970

	layout string
}

// topValues is how many frequent values a report has of a column.
const topValues = 10

// describe makes the description of a column of rows rows.
func describe(c *column, in *ingest.Inspected, rows int64) Column {
	out := Column{Name: in.Name, Odd: in.Odd, Missing: rows - c.filled, seen: c, in: in}
	switch {
	case in.LeftOut != "":
		out.Training, out.Reason = leftOut, in.LeftOut
	case in.Refused != nil:
		out.Training, out.Reason = refused, job.Sentence(in.Refused)
	case len(in.Becomes) > 0 && in.Becomes[0].Form != nil && in.Becomes[0].Form.Part != "":
		out.Training = asDate
	case in.Becomes[0].Kind == dataset.Numeric:
		out.Training = asNumber
	default:
		out.Training = asCategory
	}
	if out.Training == asNumber {
		out.numeric(in.Becomes[0])
	} else {
		out.Distinct, out.Estimated = c.texts.distinct()
		out.Top = c.texts.top(topValues)
		if out.Training != asCategory && 2*c.plain.n > c.filled {
			out.Numbers = c.plain.describe()
		}
	}
	if out.Training != asNumber && len(c.dates) > 0 && c.filled > 0 {
		out.Dates = describeDates(c.dates, c.clock)
	}
	out.Kind, out.Why = out.decide(rows)
	return out
}

// numeric describes a column of numbers.
func (o *Column) numeric(of dataset.Column) {
	c := o.seen
	o.Numbers = c.described(of)
	if of.Form != nil && of.Form.NA {
		o.Missing += int64(o.in.Words)
	}
	if !c.texts.exact {
		o.Distinct, o.Estimated = c.texts.distinct()
		o.Top = slices.DeleteFunc(c.texts.top(topValues), func(v Value) bool { return of.Form.Missing(v.Value) })
		return
	}
	counts := map[float64]int64{} // by value, because 1 and 1.0 are equal
	for text, e := range c.texts.counts {
		if x, kind := of.Read(text); kind == dataset.Finite && !of.Form.Missing(text) {
			counts[x] += e.n
		}
	}
	o.Distinct = int64(len(counts))
	for x, n := range counts {
		o.Top = append(o.Top, Value{Value: dataset.FormatNumber(x), Count: n})
	}
	slices.SortFunc(o.Top, func(a, b Value) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Value, b.Value))
	})
	o.Top = slices.Clone(o.Top[:min(topValues, len(o.Top))])
}

func describeDates(dates []*written, clock bool) *Dates {
	d := dates[0]
	form := "2006-01-02"
	if clock {
		form = "2006-01-02 15:04:05"
	}
	at := func(seconds float64) string { return time.Unix(int64(seconds), 0).UTC().Format(form) }
	n := d.describe()
	return &Dates{
		First: at(n.Min), Last: at(n.Max), Written: time.Date(2025, 12, 31, 0, 0, 0, 0, time.UTC).Format(d.form.Layout),
		Ambiguous: len(dates) > 1 && strings.HasPrefix(d.form.Layout, "1"), Histogram: n.Histogram, layout: d.form.Layout,
	}
}

// manyRows is the number of rows from which different values in all rows mean something.
const manyRows = 20

// identifying matches the names of identifiers.
var identifying = regexp.MustCompile(`(?i)^(id|index|idx|uuid|guid|key|unnamed: 0)$|[_\- .](id|uuid|guid|key|no|nr)$|^(id|row)[_\- .]`)

// decide returns the kind and the reason.
func (o *Column) decide(rows int64) (Kind, string) {
	filled := rows - o.Missing
	o.Distinct = min(o.Distinct, filled) // an estimate may be more
	all := !o.Estimated && o.Distinct == filled || o.Estimated && float64(o.Distinct) >= 0.97*float64(filled)
	own := all && filled >= manyRows
	switch {
	case o.in.Nested:
		return Nested, "cells are lists, objects or of a type that training does not read"
	case filled == 0:
		return Constant, "every cell is missing"
	case o.Distinct == 1:
		value := ""
		if len(o.Top) > 0 {
			value = o.Top[0].Value
		}
		return Constant, fmt.Sprintf("every cell that is not missing is %.60q", value)
	case o.Training == asNumber:
		return o.kindOfNumbers(own)
	case o.Dates != nil:
		return Date, fmt.Sprintf("every cell is a date, written like %s", o.Dates.Written)
	case o.Numbers != nil && o.Training == leftOut:
		return Number, "most cells are numbers"
	case o.Numbers != nil:
		return Number, fmt.Sprintf("%s of the cells are numbers", percent(o.seen.plain.n, o.seen.filled))
	case o.seen.yes == o.seen.filled && o.Distinct <= 8:
		return Boolean, "every cell is a word for yes or no"
	case own && (o.in.Texts == 0 || !o.seen.isText(o.Distinct)):
		return Identifier, fmt.Sprintf("the values of all %d cells differ", filled)
	case o.seen.isText(o.Distinct):
		return Text, fmt.Sprintf("texts of %d bytes on average, most of which occur once", o.seen.bytes/max(o.seen.filled, 1))
	case o.in.Texts == 0:
		return Category, "integers with a leading zero or more digits than a 64-bit float holds stay texts"
	case o.in.Numbers == 0:
		return Category, fmt.Sprintf("%d different texts", o.Distinct)
	default:
		return Category, fmt.Sprintf("%s of the cells are no numbers", percent(int64(o.in.Texts+o.in.NonFinites), o.seen.filled))
	}
}

// kindOfNumbers decides between numbers and integers that are none to compute with.
func (o *Column) kindOfNumbers(own bool) (Kind, string) {
	n := o.Numbers
	form := o.in.Becomes[0].Form
	switch {
	case form != nil && form.Boolean:
		return Boolean, "data.columns says so"
	case own && n != nil && n.whole && n.serial:
		return Identifier, "the integers count the rows"
	case own && n != nil && n.whole && identifying.MatchString(o.Name):
		return Identifier, "all integers differ, and the name is that of an identifier"
	case o.Distinct == 2 && n != nil && n.Min == 0 && n.Max == 1:
		return Boolean, "every cell is 0 or 1"
	case form != nil && form.Sign == dataset.Percent:
		return Number, "every cell is a number in per cent; 50% is read as 0.5"
	case form != nil && form.Sign != "":
		return Number, fmt.Sprintf("every cell is a number with the sign %s", form.Sign)
	case o.in.Becomes[0].Thousands || form != nil && form.Thousands == ",":
		return Number, "every cell is a number, with commas between thousands"
	case form != nil && form.Decimal == ",":
		return Number, "every cell is a number with a decimal comma"
	case form != nil && form.NA && o.in.Words > 0:
		return Number, "every cell is a number or a word for a missing value"
	default:
		return Number, "every cell is a number"
	}
}

// percent formats a part of a whole.
func percent(part, whole int64) string {
	p := 100 * float64(part) / float64(max(whole, 1))
	switch {
	case part == 0 || part == whole:
		return fmt.Sprintf("%.0f %%", p)
	case p < 0.1:
		return "<0.1 %"
	case p > 99.9:
		return ">99.9 %"
	case p < 10 || p > 90:
		return fmt.Sprintf("%.1f %%", math.Round(p*10)/10)
	default:
		return fmt.Sprintf("%.0f %%", p)
	}
}
