package main

import (
	"image/color"
	"os"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// gauge is one line of the picture. slack is how much it may grow without counting as a
// leak.
type gauge struct {
	name  string
	panel int
	of    func(sample) float64
	slack float64
}

const mib = 1 << 20

var gauges = []gauge{
	{"keys in Redis", 0, func(s sample) float64 { return s.redisKeys }, 30},
	{"MiB in Redis", 1, func(s sample) float64 { return s.redisBytes / mib }, 16},
	{"JetStream streams", 2, func(s sample) float64 { return s.streams }, 0},
	{"JetStream consumers", 2, func(s sample) float64 { return s.consumers }, 10},
	{"MiB resident, coordinator", 3, func(s sample) float64 { return s.coordinatorBytes / mib }, 64},
	{"MiB resident, worker", 3, func(s sample) float64 { return s.workerBytes / mib }, 64},
	{"goroutines, coordinator", 4, func(s sample) float64 { return s.coordinatorRoutines }, 40},
	{"goroutines, worker", 4, func(s sample) float64 { return s.workerRoutines }, 40},
}

const panels = 5

// Two colours that people with any colour vision can distinguish (Okabe and Ito, 2008).
var colors = []color.Color{color.RGBA{R: 0, G: 114, B: 178, A: 255}, color.RGBA{R: 213, G: 94, B: 0, A: 255}}

// paint draws the gauges over time in minutes as SVG, one panel below the other.
func paint(file string, samples []sample) error {
	plots := make([][]*plot.Plot, panels)
	lines := make([]int, panels)
	for i := range plots {
		p := plot.New()
		p.Y.Min, p.Legend.Top, p.Legend.Left = 0, false, true
		p.Legend.XOffs, p.Legend.YOffs = 8, 6
		p.Add(plotter.NewGrid())
		plots[i] = []*plot.Plot{p}
	}
	plots[0][0].Title.Text = "What is held while workers and coordinators are killed"
	plots[panels-1][0].X.Label.Text = "minutes"
	for _, g := range gauges {
		xys := make(plotter.XYs, len(samples))
		for i, s := range samples {
			xys[i] = plotter.XY{X: s.at.Minutes(), Y: g.of(s)}
		}
		line, err := plotter.NewLine(xys)
		if err != nil {
			return err
		}
		line.Color, line.Width = colors[lines[g.panel]], vg.Points(1.3)
		lines[g.panel]++
		p := plots[g.panel][0]
		p.Add(line)
		p.Legend.Add(g.name, line)
		p.Y.Min, p.Y.Max = 0, p.Y.Max*1.15
	}
	canvas := vgsvg.New(18*vg.Centimeter, 24*vg.Centimeter)
	tiles := draw.Tiles{Rows: panels, Cols: 1, PadY: vg.Points(4), PadX: vg.Points(4), PadTop: vg.Points(4), PadRight: vg.Points(8)}
	for i, c := range plot.Align(plots, tiles, draw.New(canvas)) {
		plots[i][0].Draw(c[0])
	}
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	if _, err := canvas.WriteTo(f); err != nil {
		_ = f.Close() // report the first error
		return err
	}
	return f.Close()
}
