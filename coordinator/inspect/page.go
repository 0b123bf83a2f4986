package inspect

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

//go:embed page.html
var pageText string

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"comma":   humanize.Comma,
	"comma64": func(n int) string { return humanize.Comma(int64(n)) },
	"short":   short,
	"shortp":  func(x *float64) string { return short(*x) },
	"percent": percent,
	"picture": picture,
}).Parse(pageText))

// WriteHTML writes the report as a page that needs no other file.
func (r *Report) WriteHTML(w io.Writer) error { return page.Execute(w, r) }

// IsLabel reports whether a column is the label; the page calls it.
func (r *Report) IsLabel(name string) bool { return r.Label != nil && r.Label.Column == name }

// Sizes of a picture, in units of its view box.
const (
	pictureWidth  = 320
	pictureHeight = 96
	barHeight     = 17
)

// picture draws a column: a histogram, or a bar for each of the most frequent values.
func picture(c Column) template.HTML {
	switch {
	case c.Dates != nil && c.Dates.Histogram != nil:
		return histogramPicture(c.Name, c.Dates.Histogram, func(x float64) string { return time.Unix(int64(x), 0).UTC().Format(time.DateOnly) })
	case c.Numbers != nil && c.Numbers.Histogram != nil:
		return histogramPicture(c.Name, c.Numbers.Histogram, short)
	case c.Kind == Identifier || len(c.Top) == 0:
		return ""
	default:
		return topPicture(c)
	}
}

// histogramPicture draws a histogram with the values at its ends.
func histogramPicture(name string, h *Histogram, label func(float64) string) template.HTML {
	most := int64(1)
	for _, n := range h.Counts {
		most = max(most, n)
	}
	var b strings.Builder
	begin(&b, "histogram of "+name, pictureHeight)
	const foot = 16
	width := float64(pictureWidth) / float64(len(h.Counts))
	for i, n := range h.Counts {
		height := float64(n) / float64(most) * (pictureHeight - foot - 2)
		if n > 0 {
			height = max(height, 1)
		}
		fmt.Fprintf(&b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f"><title>%s to %s: %s</title></rect>`,
			float64(i)*width+0.5, pictureHeight-foot-height, max(width-1, 0.5), height,
			escaped(label(h.Edges[i])), escaped(label(h.Edges[i+1])), humanize.Comma(n))
	}
	fmt.Fprintf(&b, `<line x1="0" x2="%d" y1="%d" y2="%[2]d"/>`, pictureWidth, pictureHeight-foot)
	low, high := h.Edges[0], h.Edges[len(h.Edges)-1]
	if low != math.Trunc(low) && h.Edges[1]-low == 1 { // a bin for each integer
		low, high = low+0.5, high-0.5
	}
	fmt.Fprintf(&b, `<text x="0" y="%d">%s</text><text x="%d" y="%d" text-anchor="end">%s</text></svg>`,
		pictureHeight-3, escaped(label(low)), pictureWidth, pictureHeight-3, escaped(label(high)))
	return template.HTML(b.String()) //nolint:gosec // all texts in it are escaped
}

// topPicture draws a bar for each of the most frequent values.
func topPicture(c Column) template.HTML {
	var b strings.Builder
	begin(&b, "most frequent values of "+c.Name, barHeight*len(c.Top))
	const left, gap, right = 120, 6, 60
	most := max(c.Top[0].Count, 1)
	for i, v := range c.Top {
		y := i * barHeight
		width := max(1, float64(v.Count)/float64(most)*(pictureWidth-left-gap-right))
		least := ""
		if v.AtLeast {
			least = "≥ "
		}
		text := v.Value
		if strings.TrimSpace(text) == "" {
			text = fmt.Sprintf("%q", text)
		}
		fmt.Fprintf(&b, `<text class="value" x="%d" y="%d" text-anchor="end">%s<title>%s</title></text>`, left, y+12, escaped(clip(text, 18)), escaped(clip(text, 200)))
		fmt.Fprintf(&b, `<rect x="%d" y="%d" width="%.1f" height="%d"/><text x="%.1f" y="%d">%s%s</text>`,
			left+gap, y+2, width, barHeight-4, float64(left+gap)+width+4, y+12, least, humanize.Comma(v.Count))
	}
	b.WriteString("</svg>")
	return template.HTML(b.String()) //nolint:gosec // all texts in it are escaped
}

// begin writes the head of a picture.
func begin(b *strings.Builder, title string, height int) {
	fmt.Fprintf(b, `<svg viewBox="0 0 %d %d" role="img" aria-label="%s">`, pictureWidth, height, escaped(title))
}

func escaped(s string) string { return template.HTMLEscapeString(clip(s, 300)) }
