package chart

import (
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Bar is one bar: its length, and the whisker from Low to High.
type Bar struct {
	Name              string
	Low, Middle, High float64
	Kind              int // bars of the same kind have the same colour
}

// Bars is one panel of horizontal bars, the first one on top.
type Bars struct {
	Title, Unit string
	Bars        []Bar
}

const (
	barHeight = vg.Length(18)
	barFrame  = vg.Length(66) // title, axis and its label
	// room keeps the text away from the bars when a viewer has a wider font.
	room = "       "
)

func (b Bars) height() vg.Length { return barFrame + barHeight*vg.Length(len(b.Bars)) }

func (b Bars) plot() *plot.Plot {
	p := newPlot(b.Title, b.Unit, "")
	grid(p, true, false)
	p.Add(b)
	n := len(b.Bars)
	names := make([]plot.Tick, n)
	for i, bar := range b.Bars {
		names[i] = plot.Tick{Value: float64(n - 1 - i), Label: bar.Name + room}
		p.X.Max = max(p.X.Max, bar.High)
	}
	p.X.Min, p.X.Max = 0, p.X.Max*1.15
	p.Y.Min, p.Y.Max = -0.6, float64(n)-0.4
	p.Y.Tick.Marker = plot.ConstantTicks(names)
	p.Y.Tick.Length, p.Y.Padding = 0, 2
	p.X.Tick.Marker = ticks{}
	return p
}

// Plot implements plot.Plotter.
func (b Bars) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	style := p.X.Tick.Label
	style.XAlign, style.YAlign = draw.XLeft, draw.YCenter
	for i, bar := range b.Bars {
		at := y(float64(len(b.Bars) - 1 - i))
		half := barHeight * 0.36
		c.FillPolygon(palette[bar.Kind%len(palette)], []vg.Point{
			{X: x(0), Y: at - half},
			{X: x(bar.Middle), Y: at - half},
			{X: x(bar.Middle), Y: at + half},
			{X: x(0), Y: at + half},
		})
		whisker := draw.LineStyle{Color: color.Black, Width: vg.Points(0.8)}
		c.StrokeLine2(whisker, x(bar.Low), at, x(bar.High), at)
		for _, end := range []float64{bar.Low, bar.High} {
			c.StrokeLine2(whisker, x(end), at-half/2, x(end), at+half/2)
		}
		c.FillText(style, vg.Point{X: x(bar.High) + 5, Y: at}, short(bar.Middle))
	}
}

// DataRange implements plot.DataRanger.
func (b Bars) DataRange() (xmin, xmax, ymin, ymax float64) {
	for _, bar := range b.Bars {
		xmax = max(xmax, bar.High)
	}
	return 0, xmax, -0.5, float64(len(b.Bars)) - 0.5
}

// ticks marks a linear axis at multiples of 1, 2 or 5 × 10ᵏ.
type ticks struct{}

// Ticks implements plot.Ticker.
func (ticks) Ticks(low, high float64) []plot.Tick {
	every := math.Pow(10, math.Floor(math.Log10((high-low)/5)))
	for _, m := range []float64{5, 2} {
		if (high-low)/(every*m) >= 4 {
			every *= m
			break
		}
	}
	var out []plot.Tick
	for i := math.Ceil(low / every); i*every <= high; i++ {
		out = append(out, plot.Tick{Value: i * every, Label: short(i * every)})
	}
	return out
}

var _ plot.DataRanger = Bars{}
