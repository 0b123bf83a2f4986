package chart

import (
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Point is a measurement.
type Point struct{ X, Y float64 }

// Line is a series of measurements.
type Line struct {
	Name   string
	Points []Point
}

// Lines is one panel of lines. On a logarithmic axis, points that are not above zero are
// left out.
type Lines struct {
	Title, X, Y string // the axis titles contain the units
	LogX, LogY  bool
	Lines       []Line
}

const lineHeight = 7.5 * vg.Centimeter

// glyphs distinguish lines in print.
var glyphs = []draw.GlyphDrawer{draw.CircleGlyph{}, draw.BoxGlyph{}, draw.PyramidGlyph{}, draw.CrossGlyph{}, draw.RingGlyph{}}

func (Lines) height() vg.Length { return lineHeight }

func (l Lines) plot() *plot.Plot {
	p := newPlot(l.Title, l.X, l.Y)
	grid(p, true, true)
	p.Y.Min = math.Inf(1)
	for i, line := range l.Lines {
		xys := make(plotter.XYs, 0, len(line.Points))
		for _, pt := range line.Points {
			if l.LogX && pt.X <= 0 || l.LogY && pt.Y <= 0 {
				continue
			}
			xys = append(xys, plotter.XY{X: pt.X, Y: pt.Y})
		}
		if len(xys) == 0 {
			continue
		}
		c := palette[i%len(palette)]
		path := &plotter.Line{XYs: xys, LineStyle: draw.LineStyle{Color: c, Width: vg.Points(1.3)}}
		marks := &plotter.Scatter{XYs: xys, GlyphStyle: draw.GlyphStyle{Color: c, Radius: vg.Points(2.6), Shape: glyphs[i%len(glyphs)]}}
		p.Add(path, marks)
		if line.Name != "" {
			p.Legend.Add(line.Name, path, marks)
		}
	}
	axis(&p.X, l.LogX, 0.05)
	axis(&p.Y, l.LogY, l.headroom())
	p.Legend.Top, p.Legend.Left, p.Legend.XOffs, p.Legend.YOffs = true, true, 6, -10
	return p
}

// The approximate height of the data, and of a line of the legend.
const (
	dataHeight = 150
	legendLine = 14
)

// headroom returns the fraction of the data's height that the legend takes.
func (l Lines) headroom() float64 {
	named := 0
	for _, line := range l.Lines {
		if line.Name != "" {
			named++
		}
	}
	return float64(legendLine*(named+1)) / dataHeight
}

// axis widens an axis around its data, so that the fraction free at its end stays empty.
// It starts from zero; a logarithmic axis is widened by a factor.
func axis(a *plot.Axis, logarithmic bool, free float64) {
	if !logarithmic {
		a.Min, a.Max = 0, a.Max/(1-free)
		a.Tick.Marker = ticks{}
		return
	}
	a.Scale, a.Tick.Marker = plot.LogScale{}, decades{}
	if a.Min > a.Max { // no data
		a.Min, a.Max = 1, 10
	}
	room := math.Max(1.3, math.Pow(a.Max/a.Min, 0.08))
	a.Min, a.Max = a.Min/room, a.Max*room
	a.Max *= math.Pow(a.Max/a.Min, free/(1-free))
}

// decades marks a logarithmic axis at powers of ten. Where there is room, it also labels
// their doubles and fives.
type decades struct{}

// Ticks implements plot.Ticker; low is positive.
func (decades) Ticks(low, high float64) []plot.Tick {
	var out []plot.Tick
	span := math.Log10(high / low)
	for k := math.Floor(math.Log10(low)); k <= math.Log10(high); k++ {
		for m := 1.0; m < 10; m++ {
			x := m * math.Pow(10, k)
			if x < low || x > high {
				continue
			}
			t := plot.Tick{Value: x}
			if m == 1 || span < 3 && (m == 2 || m == 5) {
				t.Label = short(x)
			}
			out = append(out, t)
		}
	}
	return out
}
