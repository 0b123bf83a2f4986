package sweep

import (
	"bytes"
	"fmt"
	"image/color"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"

	"tributary/shared/trial"
)

// The size of the picture and the resolution of the PNG.
const (
	axisWidth   = 1.6 * vg.Inch
	height      = 4.5 * vg.Inch
	dotsPerInch = 144
)

// axis is one vertical axis of the picture: it maps the values of a parameter to 0 … 1.
type axis struct {
	name  string
	place func(*trial.Trial) float64
	marks []mark
}

type mark struct {
	at   float64
	text string
}

// plot draws the trials as parallel coordinates: an axis per parameter and one for the
// figure, and a line per trial. The best trial is drawn last and bold. It returns the
// picture as SVG and as PNG.
func (r *runner) plot(ranked []*trial.Trial) (svg, png []byte, err error) {
	p := plot.New()
	p.Title.Text = r.Name
	p.Title.TextStyle.Font.Size, p.Title.TextStyle.Font.Variant = vg.Points(13), "Sans"
	p.Title.Padding = vg.Points(8)
	p.HideAxes()
	axes := r.axes(ranked)
	for i, t := range slices.Backward(ranked) {
		line := &plotter.Line{LineStyle: draw.LineStyle{Color: shade(i, len(ranked)), Width: vg.Points(1)}}
		if i == 0 {
			line.Color, line.Width = color.RGBA{R: 0xd5, G: 0x5e, A: 255}, vg.Points(2.5)
		}
		for k, a := range axes {
			line.XYs = append(line.XYs, plotter.XY{X: float64(k), Y: a.place(t)})
		}
		p.Add(line)
	}
	for k, a := range axes {
		if err := addAxis(p, float64(k), a); err != nil {
			return nil, nil, err
		}
	}
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = -0.35, float64(len(axes))-0.35, -0.12, 1.12
	width := axisWidth*vg.Length(len(axes)) + vg.Inch
	vector := vgsvg.New(width, height)
	p.Draw(draw.Crop(draw.New(vector), 10, -10, 10, -10))
	var out bytes.Buffer
	if _, err := vector.WriteTo(&out); err != nil {
		return nil, nil, fmt.Errorf("svg: %w", err)
	}
	pixels := vgimg.NewWith(vgimg.UseWH(width, height), vgimg.UseDPI(dotsPerInch))
	p.Draw(draw.Crop(draw.New(pixels), 10, -10, 10, -10))
	var raster bytes.Buffer
	if _, err := (vgimg.PngCanvas{Canvas: pixels}).WriteTo(&raster); err != nil {
		return nil, nil, fmt.Errorf("png: %w", err)
	}
	return out.Bytes(), raster.Bytes(), nil
}

// shade returns the colour of the trial of a rank: from blue to light grey.
func shade(rank, of int) color.Color {
	x := float64(rank) / float64(max(1, of-1))
	mix := func(a, b float64) uint8 { return uint8(a + (b-a)*math.Sqrt(x)) }
	return color.RGBA{R: mix(0x00, 0xdd), G: mix(0x72, 0xdd), B: mix(0xb2, 0xdd), A: 255}
}

// addAxis draws an axis with its name and marks.
func addAxis(p *plot.Plot, x float64, a axis) error {
	p.Add(&plotter.Line{XYs: plotter.XYs{{X: x, Y: 0}, {X: x, Y: 1}}, LineStyle: draw.LineStyle{Color: color.Gray{0x55}, Width: vg.Points(1)}})
	var xys plotter.XYs
	var texts []string
	for _, m := range a.marks {
		xys, texts = append(xys, plotter.XY{X: x, Y: m.at}), append(texts, m.text)
	}
	labels, err := plotter.NewLabels(plotter.XYLabels{XYs: xys, Labels: texts})
	if err != nil {
		return err
	}
	labels.Offset = vg.Point{X: vg.Points(4), Y: vg.Points(-3)}
	name, err := plotter.NewLabels(plotter.XYLabels{XYs: plotter.XYs{{X: x, Y: 1.06}}, Labels: []string{short(a.name)}})
	if err != nil {
		return err
	}
	for _, l := range []*plotter.Labels{labels, name} {
		for i := range l.TextStyle {
			l.TextStyle[i].Font.Size, l.TextStyle[i].Font.Variant = vg.Points(9), "Sans"
		}
	}
	name.TextStyle[0].XAlign = -0.5
	p.Add(labels, name)
	return nil
}

// short returns the last two parts of a path, which say most.
func short(path string) string {
	parts := strings.Split(path, ".")
	return strings.Join(parts[max(0, len(parts)-2):], ".")
}

// axes returns the axes of the parameters, and last that of the figure.
func (r *runner) axes(ranked []*trial.Trial) []axis {
	var axes []axis
	for _, path := range r.Paths() {
		axes = append(axes, parameterAxis(path, r.Parameters[path], ranked))
	}
	low, high := math.Inf(1), math.Inf(-1)
	for _, t := range ranked {
		low, high = min(low, *t.Value), max(high, *t.Value)
	}
	return append(axes, numberAxis("validation "+r.Monitor, low, high, false, func(t *trial.Trial) float64 { return *t.Value }))
}

// parameterAxis returns the axis of a parameter: a scale for a range, and places at equal
// distances for a list.
func parameterAxis(path string, v trial.Values, ranked []*trial.Trial) axis {
	if v.List == nil {
		return numberAxis(path, v.A, v.B, v.Kind == "log_uniform", func(t *trial.Trial) float64 {
			x, _ := t.Values[path].(float64)
			return x
		})
	}
	places := map[string]float64{}
	a := axis{name: path}
	for i, value := range v.List {
		at := float64(i) / float64(max(1, len(v.List)-1))
		places[trial.Text(value)] = at
		if every := (len(v.List) + 11) / 12; i%every == 0 {
			a.marks = append(a.marks, mark{at, trial.Text(value)})
		}
	}
	a.place = func(t *trial.Trial) float64 { return places[trial.Text(t.Values[path])] }
	return a
}

// numberAxis returns an axis from low to high, linear or logarithmic.
func numberAxis(name string, low, high float64, log bool, value func(*trial.Trial) float64) axis {
	scale, back := func(x float64) float64 { return x }, func(x float64) float64 { return x }
	if log {
		scale, back = math.Log, math.Exp
	}
	span := scale(high) - scale(low)
	if span == 0 {
		span = 1
	}
	a := axis{name: name, place: func(t *trial.Trial) float64 { return (scale(value(t)) - scale(low)) / span }}
	const marks = 5
	for i := range marks {
		at := float64(i) / (marks - 1)
		a.marks = append(a.marks, mark{at, trial.Text(trial.Digits(back(scale(low) + at*span)))})
	}
	return a
}
