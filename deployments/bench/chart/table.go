package chart

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Table returns the panel's numbers in Markdown: a row per x, a column per line.
func (l Lines) Table() string {
	var xs []float64
	for _, line := range l.Lines {
		for _, p := range line.Points {
			xs = append(xs, p.X)
		}
	}
	slices.Sort(xs)
	xs = slices.Compact(xs)
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n\n| %s |", l.Title, l.Y, l.X)
	for _, line := range l.Lines {
		name := line.Name
		if name == "" {
			name = l.Y
		}
		fmt.Fprintf(&b, " %s |", name)
	}
	b.WriteString("\n| ---: |" + strings.Repeat(" ---: |", len(l.Lines)) + "\n")
	for _, x := range xs {
		fmt.Fprintf(&b, "| %s |", grouped(x))
		for _, line := range l.Lines {
			cell := "–"
			for _, p := range line.Points {
				if p.X == x {
					cell = digits(p.Y)
				}
			}
			fmt.Fprintf(&b, " %s |", cell)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// Table returns the panel's numbers in Markdown: a row per bar.
func (b Bars) Table() string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s\n\n| | %s |\n| --- | ---: |\n", b.Title, b.Unit)
	for _, bar := range b.Bars {
		fmt.Fprintf(&out, "| %s | %s (%s–%s) |\n", bar.Name, digits(bar.Middle), digits(bar.Low), digits(bar.High))
	}
	return out.String()
}

// digits formats a measurement with at least three digits.
func digits(y float64) string {
	switch {
	case y >= 100:
		return grouped(y)
	case y >= 1:
		return strconv.FormatFloat(y, 'f', 2, 64)
	default:
		return strconv.FormatFloat(y, 'g', 3, 64)
	}
}

// grouped formats 12345.6 as "12,346".
func grouped(x float64) string {
	s := strconv.FormatFloat(x, 'f', 0, 64)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
