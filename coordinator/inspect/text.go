package inspect

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode"

	"github.com/dustin/go-humanize"
	"github.com/mattn/go-runewidth"
)

// Widths of the table, which fits into 100 columns.
const (
	lineWidth  = 100
	nameWidth  = 24
	kindWidth  = 10
	countWidth = 9
	barWidth   = 20
)

// WriteText prints the report as a table.
func (r *Report) WriteText(w io.Writer) error {
	out := bufio.NewWriter(w)
	line := func(text string) { fmt.Fprintln(out, strings.TrimRight(fit(text, lineWidth), " ")) }
	files := ""
	if r.Files > 1 {
		files = fmt.Sprintf(" in %d files", r.Files)
	}
	line(fmt.Sprintf("%s: %s rows of %d columns%s (%s)", clip(r.Source, 60), humanize.Comma(r.Rows), r.Width, files, r.Format))
	for _, note := range r.Detected {
		wrap(out, "  ", clip(note, 400))
	}
	line("")
	line(row("column", "kind", right("missing"), right("distinct"), "histogram", "values"))
	for i := range r.Columns {
		r.Columns[i].write(line, r.Rows, r.Label)
	}
	if r.Omitted > 0 {
		line(fmt.Sprintf("… and %d more columns", r.Omitted))
	}
	if len(r.Suspicions) > 0 {
		line("\nSuspicious")
		for _, s := range r.Suspicions {
			text := clip(s.What, 400)
			if s.Column != "" {
				text = clip(s.Column, 60) + ": " + text
			}
			wrap(out, "  - ", text)
		}
	}
	if r.Spec != "" {
		fmt.Fprintf(out, "\nSuggested spec (--spec FILE writes it)\n\n%s", r.Spec)
	} else {
		line("")
		wrap(out, "", "No spec is suggested: "+clip(r.NoSpec, 400)+".")
	}
	return out.Flush()
}

// row is a line of the table. All cells except the last are padded.
func row(name, kind, missing, distinct, bars, values string) string {
	return strings.Join([]string{
		pad(name, nameWidth), pad(kind, kindWidth), pad(missing, countWidth), pad(distinct, countWidth), pad(bars, barWidth), values,
	}, " ")
}

func pad(s string, width int) string { return runewidth.FillRight(fit(s, width), width) }

func right(s string) string { return runewidth.FillLeft(s, countWidth) }

// write prints the lines of a column.
func (o *Column) write(line func(string), rows int64, label *Label) {
	missing, distinct := "-", humanize.Comma(o.Distinct)
	if o.Missing > 0 {
		missing = percent(o.Missing, rows)
	}
	if o.Estimated {
		distinct = "~" + short(float64(o.Distinct))
		if o.Distinct >= 1e6 {
			distinct = fmt.Sprintf("~%.1f M", float64(o.Distinct)/1e6)
		}
	}
	line(row(clip(o.Name, nameWidth), string(o.Kind), right(missing), right(distinct), o.bars(), o.values()))
	why := o.Why
	if label != nil && label.Column == o.Name {
		why = fmt.Sprintf("the label (%s); %s", label.Why, why)
	}
	if o.Training == leftOut {
		why += "; left out: " + o.Reason
	} else if o.Training != string(o.Kind) && o.Training != refused {
		why += "; training reads it as " + o.Training
	}
	line("    " + clip(why, 200))
	if n := o.Numbers; n != nil && n.Mean != nil && n.Std != nil && o.Kind == Number {
		sampled := ""
		if n.Sampled > 0 {
			sampled = fmt.Sprintf(" (of %d sampled)", n.Sampled)
		}
		line(fmt.Sprintf("    mean %s ± %s, quartiles %s · %s · %s%s", short(*n.Mean), short(*n.Std), short(n.Quantiles[2]), short(n.Quantiles[3]), short(n.Quantiles[4]), sampled))
	}
	for _, odd := range o.Odd {
		line(fmt.Sprintf("    %s: %s in %s", odd.What, clip(odd.Value, 40), odd.Place))
	}
}

// values sums up the values in a few words.
func (o *Column) values() string {
	switch {
	case o.Dates != nil:
		return o.Dates.First + " … " + o.Dates.Last
	case o.Numbers != nil && o.Kind != Boolean:
		return short(o.Numbers.Min) + " … " + short(o.Numbers.Max)
	case o.Kind == Identifier || o.Kind == Text || len(o.Top) == 0:
		return ""
	}
	var parts []string
	for _, v := range o.Top[:min(3, len(o.Top))] {
		parts = append(parts, clip(v.Value, 16)+" "+percent(v.Count, o.seen.filled))
	}
	return strings.Join(parts, ", ")
}

// bars draws the histogram in a line.
func (o *Column) bars() string {
	var counts []int64
	switch {
	case o.Dates != nil && o.Dates.Histogram != nil:
		counts = o.Dates.Histogram.Counts
	case o.Numbers != nil && o.Numbers.Histogram != nil:
		counts = o.Numbers.Histogram.Counts
	case o.Kind == Category || o.Kind == Boolean:
		for _, v := range o.Top {
			counts = append(counts, v.Count)
		}
	}
	return bars(counts)
}

// bars draws counts as blocks of eight heights.
func bars(counts []int64) string {
	blocks := []rune("▁▂▃▄▅▆▇█")
	most := int64(0)
	for _, n := range counts {
		most = max(most, n)
	}
	var b strings.Builder
	for _, n := range counts {
		if n == 0 {
			b.WriteByte(' ')
			continue
		}
		b.WriteRune(blocks[min(int64(len(blocks)-1), n*int64(len(blocks))/most)])
	}
	return b.String()
}

// short formats a number in few characters.
func short(x float64) string {
	switch a := math.Abs(x); {
	case a >= 1e15 || a > 0 && a < 1e-4:
		return strconv.FormatFloat(x, 'g', 4, 64)
	case x == math.Trunc(x):
		return humanize.Comma(int64(x))
	case a >= 1000:
		return humanize.Comma(int64(math.Round(x)))
	default:
		return strconv.FormatFloat(x, 'g', 4, 64)
	}
}

// clip returns a text in one line, without characters that a terminal would obey, and with at
// most so many characters.
func clip(s string, most int) string {
	var b strings.Builder
	n := 0
	for _, c := range s {
		if n++; n > most {
			return b.String()[:cut(b.String())] + "…"
		}
		if c == '\t' || c == '\n' || c == '\r' {
			c = ' '
		}
		if !unicode.IsPrint(c) {
			c = '\ufffd'
		}
		b.WriteRune(c)
	}
	return b.String()
}

// cut returns the length of a text without its last character.
func cut(s string) int {
	last := 0
	for i := range s {
		last = i
	}
	return last
}

// fit cuts a text to a width on the terminal.
func fit(s string, width int) string { return runewidth.Truncate(s, width, "…") }

// wrap prints a text in lines, the first with a prefix and the others indented as far.
func wrap(out io.Writer, prefix, text string) {
	indent := strings.Repeat(" ", runewidth.StringWidth(prefix))
	line := prefix
	empty := true
	for word := range strings.FieldsSeq(text) {
		if !empty && runewidth.StringWidth(line)+1+runewidth.StringWidth(word) > lineWidth {
			fmt.Fprintln(out, line)
			line, empty = indent, true
		}
		if !empty {
			line += " "
		}
		line += fit(word, lineWidth-len(indent))
		empty = false
	}
	fmt.Fprintln(out, line)
}
