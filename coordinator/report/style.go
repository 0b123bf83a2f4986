package report

import (
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Colours that people with any colour vision can distinguish (Okabe and Ito, "Color
// universal design", 2008). The faint one is the first, lightened.
var (
	trainColor      = color.RGBA{R: 0, G: 114, B: 178, A: 255}
	faintColor      = color.RGBA{R: 168, G: 207, B: 230, A: 255}
	validationColor = color.RGBA{R: 213, G: 94, B: 0, A: 255}
	testColor       = color.RGBA{R: 0, G: 140, B: 100, A: 255}
	textColor       = color.RGBA{R: 40, G: 40, B: 40, A: 255}
	axisColor       = color.RGBA{R: 120, G: 120, B: 120, A: 255}
	gridColor       = color.RGBA{R: 228, G: 228, B: 228, A: 255}
)

// markers bounds the evaluations with a marker each; more markers would merge.
const markers = 60

// panel is a plot that draws the title of its vertical axis itself. With a long title,
// gonum would make the plot lower.
type panel struct {
	*plot.Plot
	title text.Style
	y     string
}

// newPanel returns an empty plot in the report's style.
func newPanel(x, y string) panel {
	p := panel{Plot: plot.New(), y: y}
	sans := func(f *font.Font, size font.Length) {
		f.Typeface, f.Variant, f.Size = "Liberation", "Sans", size
	}
	p.BackgroundColor = nil // uses the page's background
	sans(&p.Title.TextStyle.Font, 14)
	p.Title.TextStyle.Color = textColor
	p.Title.Padding = 8
	sans(&p.Legend.TextStyle.Font, 10)
	p.Legend.TextStyle.Color = textColor
	p.Legend.ThumbnailWidth = 22
	p.Legend.Padding = 3
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		sans(&a.Label.TextStyle.Font, 11)
		sans(&a.Tick.Label.Font, 10)
		a.Label.TextStyle.Color, a.Tick.Label.Color = textColor, textColor
		a.Label.Padding = 6
		a.Color, a.Tick.Color = axisColor, axisColor
		a.Tick.Length = 4
		a.Padding = 0
	}
	p.X.Label.Text, p.X.Tick.Marker = x, steps{}
	p.Y.Tick.Marker = values{}
	p.title = p.Y.Label.TextStyle
	p.title.Rotation = math.Pi / 2
	p.title.XAlign, p.title.YAlign = draw.XCenter, draw.YTop
	grid := plotter.NewGrid()
	for _, l := range []*draw.LineStyle{&grid.Vertical, &grid.Horizontal} {
		l.Color, l.Width = gridColor, vg.Points(0.6)
	}
	p.Add(grid)
	return p
}

// titleWidth is the space for the title of the vertical axis.
const titleWidth = vg.Length(18)

// legendOnTop puts the legend into the upper or the lower right corner.
func (p panel) legendOnTop(top bool) {
	p.Legend.Top = top
	p.Legend.Left, p.Legend.YOffs = true, 8
	if top {
		p.Legend.YOffs = -4
	}
}

// axis returns the distance from the left of c to the data.
func (p panel) axis(c draw.Canvas) vg.Length {
	return p.DataCanvas(c).Min.X - c.Min.X
}

// draw draws the panel on c. The data begin at titleWidth + axis from the left, or
// further right if the labels need more space.
func (p panel) draw(c draw.Canvas, axis vg.Length) {
	body := draw.Crop(c, titleWidth+max(0, axis-p.axis(c)), 0, 0, 0)
	data := p.DataCanvas(body)
	// The text follows the lines' samples, so that a wider font of a viewer does not
	// overlap them; the legend is still at the right end of the plot.
	p.Legend.XOffs = data.Max.X - data.Min.X - p.Legend.Rectangle(data).Size().X - 12
	p.Draw(body)
	c.FillText(p.title, vg.Point{X: c.Min.X, Y: (data.Min.Y + data.Max.Y) / 2}, p.y)
}

// addLine draws a line; a single point is marked.
func addLine(p *plot.Plot, name string, xys plotter.XYs, c color.Color, points float64) {
	if len(xys) < 2 {
		addMarked(p, name, xys, c, draw.CircleGlyph{})
		return
	}
	line := &plotter.Line{XYs: xys, LineStyle: draw.LineStyle{Color: c, Width: vg.Points(points)}}
	p.Add(line)
	p.Legend.Add(name, line)
}

// addMarked draws a line through markers.
func addMarked(p *plot.Plot, name string, xys plotter.XYs, c color.Color, shape draw.GlyphDrawer) {
	if len(xys) == 0 {
		return
	}
	line := &plotter.Line{XYs: xys, LineStyle: draw.LineStyle{Color: c, Width: vg.Points(1.3)}}
	marks := &plotter.Scatter{XYs: xys, GlyphStyle: draw.GlyphStyle{Color: c, Radius: vg.Points(2.6), Shape: shape}}
	var thumbs []plot.Thumbnailer
	if len(xys) > 1 {
		p.Add(line)
		thumbs = append(thumbs, line)
	}
	if len(xys) <= markers {
		p.Add(marks)
		thumbs = append(thumbs, marks)
	}
	p.Legend.Add(name, thumbs...)
}

// addPoint adds one point with a ring around it, if there is one.
func addPoint(p *plot.Plot, name string, xys plotter.XYs) {
	if len(xys) == 0 {
		return
	}
	mark := &plotter.Scatter{XYs: xys, GlyphStyle: draw.GlyphStyle{Color: textColor, Radius: vg.Points(5), Shape: draw.RingGlyph{}}}
	p.Add(mark)
	p.Legend.Add(name, mark)
}

// widen adds space above and below the data, in the axis' scale.
func widen(a *plot.Axis) {
	if _, log := a.Scale.(plot.LogScale); log {
		room := math.Pow(a.Max/a.Min, 0.05)
		a.Min, a.Max = a.Min/room, a.Max*room
		return
	}
	room := (a.Max - a.Min) * 0.05
	if !(room > 0) {
		room = math.Max(math.Abs(a.Max)*0.05, 1e-9)
	}
	// The axis of a quantity that is never negative stays at zero or above.
	if low := a.Min - room; low < 0 && a.Min >= 0 {
		a.Min = 0
	} else {
		a.Min = low
	}
	a.Max += room
}
