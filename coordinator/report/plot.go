package report

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"

	"tributary/shared/job"
)

// The size of the picture and the resolution of the PNG.
const (
	width       = 8 * vg.Inch
	lossHeight  = 4.2 * vg.Inch
	extraHeight = 2.8 * vg.Inch // of the metric's panel
	dotsPerInch = 144
	panelGap    = vg.Length(14)
)

// Plot draws the training loss of every step, with the running mean in front if there are
// many steps. It adds the loss of the other splits where they were evaluated and, below,
// the first metric over time. If the learning rate changes, it is drawn at the bottom. It
// returns the picture as SVG and as PNG. It fails with
// job.ErrInvalid if no step had a finite loss.
func Plot(c Curves) (svg, raster []byte, err error) {
	if !c.drawable() {
		return nil, nil, fmt.Errorf("plot: no step has a finite loss: %w", job.ErrInvalid)
	}
	if svg, err = c.vector(); err != nil {
		return nil, nil, fmt.Errorf("plot: svg: %w", err)
	}
	if raster, err = c.pixels(); err != nil {
		return nil, nil, fmt.Errorf("plot: png: %w", err)
	}
	return svg, raster, nil
}

// vector returns the picture as SVG.
func (c Curves) vector() ([]byte, error) {
	panels, height := c.panels()
	canvas := vgsvg.New(width, height)
	page := draw.New(canvas)
	page.SetColor(color.White)
	page.Fill(page.Rectangle.Path())
	render(page, panels)
	var out bytes.Buffer
	if _, err := canvas.WriteTo(&out); err != nil {
		return nil, err
	}
	return withFonts(out.Bytes()), nil
}

// encoder writes PNG at its best speed, because the job waits for its picture before it
// is reported as succeeded.
var encoder = png.Encoder{CompressionLevel: png.BestSpeed}

// pixels returns the picture as PNG.
func (c Curves) pixels() ([]byte, error) {
	panels, height := c.panels()
	canvas := vgimg.NewWith(vgimg.UseWH(width, height), vgimg.UseDPI(dotsPerInch)) // white
	render(draw.New(canvas), panels)
	var out bytes.Buffer
	err := encoder.Encode(&out, indexed(canvas.Image().(*image.RGBA)))
	return out.Bytes(), err
}

// panels returns the plots from top to bottom, and their total height.
func (c Curves) panels() ([]panel, vg.Length) {
	panels, height := []panel{c.lossPanel()}, lossHeight
	if m := c.metric(); m != "" {
		panels = append(panels, c.metricPanel(m))
	}
	if c.rateChanges() {
		panels = append(panels, c.ratePanel())
	}
	for _, p := range panels[:len(panels)-1] {
		p.X.Label.Text = ""
		height += extraHeight
	}
	shareAxis(panels)
	return panels, height
}

// shareAxis sets one horizontal axis for all panels.
func shareAxis(panels []panel) {
	low, high := panels[0].X.Min, panels[0].X.Max
	for _, p := range panels {
		low, high = min(low, p.X.Min), max(high, p.X.Max)
	}
	if low == high {
		low, high = low-1, high+1
	}
	for _, p := range panels {
		p.X.Min, p.X.Max = low, high
	}
}

// render draws the panels one below the other; the first is taller.
func render(c draw.Canvas, panels []panel) {
	c = draw.Crop(c, 12, -18, 10, -12)
	if len(panels) == 1 {
		panels[0].draw(c, 0)
		return
	}
	below := vg.Length(len(panels) - 1)
	total := c.Max.Y - c.Min.Y
	cut := total * extraHeight / (lossHeight + below*extraHeight)
	tiles, axis, bottom := make([]draw.Canvas, len(panels)), vg.Length(0), vg.Length(0)
	for i := len(panels) - 1; i >= 0; i-- {
		top := bottom + cut
		if i == 0 {
			top = total
		}
		tiles[i] = draw.Crop(c, 0, 0, bottom, top-total)
		if i < len(panels)-1 {
			tiles[i].Min.Y += panelGap / 2
		}
		if i > 0 {
			tiles[i].Max.Y -= panelGap / 2
		}
		// All data areas begin at the same position, whatever the width of their labels.
		axis = max(axis, panels[i].axis(tiles[i]))
		bottom = top
	}
	for i, p := range panels {
		p.draw(tiles[i], axis)
	}
}

// lossPanel draws the loss of every split.
func (c Curves) lossPanel() panel {
	p := newPanel(c.stepTitle(), c.lossTitle())
	p.Title.Text = c.Spec.Name
	p.legendOnTop(true)

	raw := c.losses()
	validation := c.evaluations(job.Validation, "loss")
	test := c.evaluations(job.Test, "loss")
	if logarithmic(raw, validation, test) {
		p.Y.Scale = plot.LogScale{}
		p.Y.Tick.Marker = decades{}
	}
	if len(raw) < smoothFrom {
		addLine(p.Plot, "training, each step", raw, trainColor, 1.5)
	} else {
		addLine(p.Plot, "training, each step", thin(raw, maxPoints), faintColor, 0.6)
		addLine(p.Plot, "training, running mean", thin(smooth(raw), maxPoints), trainColor, 1.6)
	}
	addMarked(p.Plot, "validation", thin(validation, maxPoints), validationColor, draw.CircleGlyph{})
	addMarked(p.Plot, "test", thin(test, maxPoints), testColor, draw.PyramidGlyph{})
	addPoint(p.Plot, "the model's parameters", at(validation, c.Best))
	widen(&p.Y)
	return p
}

// metricPanel draws one metric of the splits that have it.
func (c Curves) metricPanel(metric string) panel {
	p := newPanel(c.stepTitle(), metricTitle(metric))
	p.legendOnTop(job.LowerIsBetter(metric))
	lines := []plotter.XYs{c.evaluations(job.Train, metric), c.evaluations(job.Validation, metric), c.evaluations(job.Test, metric)}
	if job.LowerIsBetter(metric) && logarithmic(lines...) {
		p.Y.Scale = plot.LogScale{}
		p.Y.Tick.Marker = decades{}
	}
	addMarked(p.Plot, "training", thin(lines[0], maxPoints), trainColor, draw.BoxGlyph{})
	addMarked(p.Plot, "validation", thin(lines[1], maxPoints), validationColor, draw.CircleGlyph{})
	addMarked(p.Plot, "test", thin(lines[2], maxPoints), testColor, draw.PyramidGlyph{})
	addPoint(p.Plot, "the model's parameters", at(lines[1], c.Best))
	widen(&p.Y)
	return p
}

// rateChanges reports whether the steps have different learning rates.
func (c Curves) rateChanges() bool {
	return c.Rate != nil && slices.ContainsFunc(c.Losses, func(p Point) bool { return c.Rate(p.Step-1) != c.Rate(c.Losses[0].Step-1) })
}

// ratePanel draws the learning rate of every step.
func (c Curves) ratePanel() panel {
	p := newPanel(c.stepTitle(), "learning rate")
	p.legendOnTop(true)
	rates := make(plotter.XYs, 0, len(c.Losses))
	for _, l := range c.Losses {
		rates = append(rates, plotter.XY{X: float64(l.Step), Y: c.Rate(l.Step - 1)})
	}
	addLine(p.Plot, "each step", thin(rates, maxPoints), trainColor, 1.5)
	widen(&p.Y)
	return p
}
