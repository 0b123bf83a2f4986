// Package chart draws measurements as SVG: lines through points on linear or logarithmic
// axes, and bars with a whisker from the least to the greatest value.
//
// It owns how the benchmarks' pictures look. What they show it leaves to its callers.
package chart

import (
	"bytes"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// palette has colours that people with any colour vision can distinguish (Okabe and Ito,
// "Color universal design", 2008).
var palette = []color.Color{
	color.RGBA{R: 0, G: 114, B: 178, A: 255},
	color.RGBA{R: 213, G: 94, B: 0, A: 255},
	color.RGBA{R: 0, G: 140, B: 100, A: 255},
	color.RGBA{R: 204, G: 121, B: 167, A: 255},
	color.RGBA{R: 120, G: 120, B: 120, A: 255},
}

var (
	textColor = color.RGBA{R: 40, G: 40, B: 40, A: 255}
	axisColor = color.RGBA{R: 120, G: 120, B: 120, A: 255}
	gridColor = color.RGBA{R: 228, G: 228, B: 228, A: 255}
)

const (
	panelWidth = 17 * vg.Centimeter
	margin     = vg.Length(10)
)

// newPlot returns an empty plot in the benchmarks' style.
func newPlot(title, x, y string) *plot.Plot {
	p := plot.New()
	sans := func(f *font.Font, size font.Length) { f.Typeface, f.Variant, f.Size = "Liberation", "Sans", size }
	p.Title.Text, p.Title.Padding = title, 6
	sans(&p.Title.TextStyle.Font, 12)
	sans(&p.Legend.TextStyle.Font, 9)
	p.Title.TextStyle.Color, p.Legend.TextStyle.Color = textColor, textColor
	p.Legend.ThumbnailWidth, p.Legend.Padding = 20, 2
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		sans(&a.Label.TextStyle.Font, 10)
		sans(&a.Tick.Label.Font, 9)
		a.Label.TextStyle.Color, a.Tick.Label.Color = textColor, textColor
		a.Label.Padding, a.Tick.Length, a.Padding = 4, 4, 0
		a.Color, a.Tick.Color = axisColor, axisColor
	}
	p.X.Label.Text, p.Y.Label.Text = x, y
	return p
}

func grid(p *plot.Plot, vertical, horizontal bool) {
	g := plotter.NewGrid()
	line := draw.LineStyle{Color: gridColor, Width: vg.Points(0.6)}
	g.Vertical, g.Horizontal = draw.LineStyle{}, draw.LineStyle{}
	if vertical {
		g.Vertical = line
	}
	if horizontal {
		g.Horizontal = line
	}
	p.Add(g)
}

// Panel is Lines or Bars: one part of a picture, and a table of the same numbers.
type Panel interface {
	Table() string // in Markdown
	plot() *plot.Plot
	height() vg.Length
}

// Write draws panels below each other into one SVG file.
func Write[P Panel](file string, ps ...P) error {
	var total vg.Length
	panels, heights := make([]*plot.Plot, len(ps)), make([]vg.Length, len(ps))
	for i, p := range ps {
		panels[i], heights[i] = p.plot(), p.height()
		total += heights[i]
	}
	svg := vgsvg.New(panelWidth, total)
	c := draw.New(svg)
	c.SetColor(color.White)
	c.Fill(c.Rectangle.Path())
	left := vg.Length(0)
	for _, p := range panels {
		left = max(left, p.DataCanvas(c).Min.X-c.Min.X)
	}
	top := vg.Length(0)
	for i, p := range panels {
		tile := draw.Crop(c, margin, -margin, total-top-heights[i]+margin/2, -top-margin/2)
		// The data areas of all panels begin at the same x, whatever the width of their
		// labels.
		own := p.DataCanvas(tile).Min.X - tile.Min.X
		p.Draw(draw.Crop(tile, left-own, 0, 0, 0))
		top += heights[i]
	}
	var out bytes.Buffer
	if _, err := svg.WriteTo(&out); err != nil {
		return err
	}
	// Arial and Helvetica have letters of the same width as the font that was used to
	// measure.
	data := bytes.ReplaceAll(out.Bytes(), []byte("font-family:Liberation Sans;"), []byte("font-family:Liberation Sans,Arial,Helvetica,sans-serif;"))
	if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
		return err
	}
	return os.WriteFile(file, data, 0o600)
}

// short writes 1200000 as "1.2 M".
func short(x float64) string {
	for _, u := range []struct {
		of   float64
		name string
	}{{1e9, " G"}, {1e6, " M"}, {1e3, " k"}} {
		if math.Abs(x) >= u.of {
			return strconv.FormatFloat(x/u.of, 'g', 3, 64) + u.name
		}
	}
	return strconv.FormatFloat(x, 'g', 3, 64)
}
