package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"

	"tributary/shared/job"
	"tributary/shared/monitor"
)

// falling is an invented run of n steps with noise and an evaluation after every that
// many steps.
func falling(n, every int) Curves {
	c := Curves{Spec: job.Spec{
		Name: "digits", Loss: job.SoftmaxCrossEntropy, Batch: 256, Metrics: []job.Metric{job.Accuracy},
	}}
	noise := uint32(1)
	for i := 1; i <= n; i++ {
		noise = noise*1664525 + 1013904223
		at := float64(i) / float64(n)
		mean := 2.3*math.Exp(-6*at) + 0.04
		c.Losses = append(c.Losses, Point{int64(i), mean * (0.7 + 0.6*float64(noise>>8)/(1<<24))})
		if every > 0 && i%every == 0 {
			c.Evaluations = append(c.Evaluations, monitor.Evaluation{Step: int64(i), Split: job.Validation, Metrics: map[string]float64{
				"loss": mean*1.05 + 0.03*at, "accuracy": 0.975 - 0.8*math.Exp(-8*at),
			}})
		}
	}
	c.Evaluations = append(c.Evaluations, monitor.Evaluation{Step: int64(n), Split: job.Test, Metrics: map[string]float64{"loss": 0.08, "accuracy": 0.968}})
	return c
}

func TestMetricsJSONL(t *testing.T) {
	c := Curves{
		Losses: []Point{{1, 2.5}, {2, math.NaN()}, {3, 1e-9}},
		Evaluations: []monitor.Evaluation{
			{Step: 2, Split: job.Validation, Metrics: map[string]float64{"loss": 0.5, "auc": math.Inf(1)}},
			{Step: 3, Split: job.Train, Metrics: map[string]float64{"loss": 0.25}},
			{Step: 3, Split: job.Test, Metrics: map[string]float64{}, Undefined: map[string]string{"auc": "there are no rows"}, Confusion: &job.Confusion{Matrix: [][]int64{{1, 0}, {2, 3}}}},
		},
	}
	require.Equal(t, `{"step":1,"loss":2.5}
{"step":2,"loss":null}
{"step":2,"split":"validation","metrics":{"loss":0.5},"undefined":{"auc":"it comes to +Inf, which is not a finite number: outputs, labels or their errors are too large"}}
{"step":3,"loss":1e-9}
{"step":3,"split":"train","metrics":{"loss":0.25}}
{"step":3,"split":"test","metrics":{},"undefined":{"auc":"there are no rows"},"confusion":{"matrix":[[1,0],[2,3]],"classes":null}}
`, string(MetricsJSONL(c)))
	require.Empty(t, MetricsJSONL(Curves{}))
	c = Curves{Losses: []Point{{1, 2}, {2, 1}}, Rate: func(step int64) float64 { return 0.5 / float64(step+1) }, Epoch: func(step int64) int64 { return 7 + step }}
	require.Equal(t, "{\"step\":1,\"epoch\":7,\"loss\":2,\"learning_rate\":0.5}\n{\"step\":2,\"epoch\":8,\"loss\":1,\"learning_rate\":0.25}\n", string(MetricsJSONL(c)))
}

func TestPlotIsDeterministic(t *testing.T) {
	svg, image, err := Plot(falling(500, 25))
	require.NoError(t, err)
	again, sameImage, err := Plot(falling(500, 25))
	require.NoError(t, err)
	require.Equal(t, svg, again)
	require.Equal(t, image, sameImage)
	_, err = png.Decode(bytes.NewReader(image))
	require.NoError(t, err)
	require.True(t, bytes.HasSuffix(bytes.TrimSpace(svg), []byte("</svg>")))
}

// For any losses, the vector picture has only finite coordinates.
func TestPlotOfOddLosses(t *testing.T) {
	for name, c := range map[string]Curves{
		"one step": {Losses: []Point{{1, 3}}},
		"constant": {Losses: []Point{{1, 3}, {2, 3}}, Evaluations: []monitor.Evaluation{{Step: 1, Split: job.Validation, Metrics: map[string]float64{"loss": 3, "r2": 1}}, {Step: 2, Split: job.Validation, Metrics: map[string]float64{"loss": 3, "r2": 1}}}},
		"zero":     {Losses: []Point{{1, 0}, {2, 0}}},
		"negative": {Losses: []Point{{1, -5}, {2, 1e5}}},
		"extreme":  {Losses: []Point{{1, 1e300}, {2, 1e99}, {3, 1e-99}, {4, math.NaN()}, {5, 5e-324}}},
		"late":     {Losses: []Point{{1 << 40, 1}, {1<<40 + 1, 2}}},
	} {
		t.Run(name, func(t *testing.T) {
			svg, err := c.vector()
			require.NoError(t, err)
			require.NotContains(t, string(svg), "NaN")
			require.NotContains(t, string(svg), "Inf")
		})
	}
}

func TestPlotNamesAxesUnitsAndLines(t *testing.T) {
	svg, err := falling(500, 25).vector()
	require.NoError(t, err)
	for _, want := range []string{
		">digits<", ">cross-entropy (nats per row)<", ">steps (batches of 256 rows)<", ">accuracy (fraction of rows)<",
		">training, each step<", ">training, running mean<", ">validation<", ">test<", ">100<", ">0.1<",
	} {
		require.Contains(t, string(svg), want)
	}
}

// A name is a user's text and must not become markup.
func TestPlotEscapesTheName(t *testing.T) {
	c := falling(10, 0)
	c.Spec.Name = `a<script>&"`
	svg, err := c.vector()
	require.NoError(t, err)
	require.NotContains(t, string(svg), "<script")
	d := xml.NewDecoder(bytes.NewReader(svg))
	for {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		require.NoError(t, err)
	}
}

func TestFiles(t *testing.T) {
	files, err := Files(falling(10, 5))
	require.NoError(t, err)
	require.Len(t, files, 3)
	files, err = Files(Curves{Losses: []Point{{1, math.NaN()}}})
	require.NoError(t, err)
	require.Len(t, files, 1)
	_, _, err = Plot(Curves{})
	require.ErrorIs(t, err, job.ErrInvalid)
}

func TestLongRunsStaySmall(t *testing.T) {
	svg, err := falling(200_000, 100).vector()
	require.NoError(t, err)
	require.Less(t, len(svg), 300<<10)
}

// Thinned points keep their order, their lowest and highest values, and are original
// points.
func TestThin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ys := rapid.SliceOfN(rapid.Float64Range(-9, 9), 1, 300).Draw(t, "ys")
		xys := make(plotter.XYs, len(ys))
		for i, y := range ys {
			xys[i] = plotter.XY{X: float64(i), Y: y}
		}
		limit := rapid.IntRange(2, 50).Draw(t, "limit")
		got := thin(xys, limit)
		require.LessOrEqual(t, len(got), limit)
		last := -1.0
		for _, p := range got {
			require.Greater(t, p.X, last)
			require.Equal(t, xys[int(p.X)], p)
			last = p.X
		}
		gotLow, gotHigh := math.Inf(1), math.Inf(-1)
		for _, p := range got {
			gotLow, gotHigh = min(gotLow, p.Y), max(gotHigh, p.Y)
		}
		for _, y := range ys {
			require.True(t, gotLow <= y && y <= gotHigh)
		}
	})
}

func TestSmoothIsTheCentredMean(t *testing.T) {
	n := 400
	xys := make(plotter.XYs, n)
	for i := range xys {
		xys[i] = plotter.XY{X: float64(i), Y: math.Sin(float64(i))}
	}
	half := n / (2 * smoothParts)
	for i, p := range smooth(xys) {
		if i < half || i > n-1-half {
			continue
		}
		sum := 0.0
		for j := i - half; j <= i+half; j++ {
			sum += xys[j].Y
		}
		require.InDelta(t, sum/float64(2*half+1), p.Y, 1e-12)
		require.Equal(t, xys[i].X, p.X)
	}
}

func TestTicks(t *testing.T) {
	for _, c := range []struct {
		low, high float64
		ticker    plot.Ticker
		want      string
	}{
		{1, 590, steps{}, "100 200 300 400 500"},
		{1, 4, steps{}, "1 2 3 4"},
		{0, 120_000, steps{}, "0 20,000 40,000 60,000 80,000 100,000 120,000"},
		{0.91, 0.98, values{}, "0.92 0.94 0.96 0.98"},
		{-3, 3, values{}, "-3 -2 -1 0 1 2 3"},
		{0, 250_000, values{}, "0 50,000 100,000 150,000 200,000 250,000"},
		{0.03, 4, decades{}, "0.05 0.1 0.2 0.5 1 2"},
		{1e-9, 1e3, decades{}, "1e-09 1e-07 1e-05 0.001 0.1 10 1e+03"},
	} {
		var labels []string
		for _, tick := range c.ticker.Ticks(c.low, c.high) {
			if tick.Label != "" {
				labels = append(labels, tick.Label)
			}
		}
		require.Equal(t, c.want, strings.Join(labels, " "))
	}
}

// The losses of a job that fits its rows perfectly fall by 16 decades and more.
func TestPlotOfLossesOverManyDecades(t *testing.T) {
	for _, decades := range []float64{16, 40, 90, 300} {
		c := Curves{Spec: job.Spec{Name: "line", Loss: job.MSE}}
		const n = 500
		for i := range n {
			c.Losses = append(c.Losses, Point{Step: int64(i + 1), Loss: math.Pow(10, -decades*float64(i)/n)})
		}
		files, err := Files(c)
		require.NoError(t, err)
		require.Contains(t, files, PNGFile)
	}
}

func TestAMeanOfPositiveValuesIsBetweenThem(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 400).Draw(t, "n")
		xys := make(plotter.XYs, n)
		for i := range xys {
			xys[i] = plotter.XY{X: float64(i), Y: math.Pow(10, rapid.Float64Range(-99, 99).Draw(t, "exponent"))}
		}
		half := max(4, n/(2*smoothParts))
		for i, p := range smooth(xys) {
			h := max(min(half, i), half/4)
			low, high := math.Inf(1), 0.0
			for _, q := range xys[max(0, i-h):min(n, i+h+1)] {
				low, high = min(low, q.Y), max(high, q.Y)
			}
			require.GreaterOrEqual(t, p.Y, low*(1-1e-12))
			require.LessOrEqual(t, p.Y, high*(1+1e-12))
		}
	})
}

// The end of the running mean is also a mean, not the last step's noise.
func TestSmoothEndsInAMean(t *testing.T) {
	xys := make(plotter.XYs, 180)
	for i := range xys {
		xys[i] = plotter.XY{X: float64(i), Y: 1}
	}
	xys[179].Y = 2
	smoothed := smooth(xys)
	require.InDelta(t, 1.2, smoothed[179].Y, 1e-12, "of the last five")
	require.Equal(t, xys[0], smoothed[0])
}

// A job of 400 steps with an evaluation every 50.
func BenchmarkFiles(b *testing.B) {
	c := falling(400, 50)
	for b.Loop() {
		_, err := Files(c)
		require.NoError(b, err)
	}
}

func TestPaletteHasEveryInk(t *testing.T) {
	require.LessOrEqual(t, len(palette), 256)
	white := color.RGBA{R: 255, G: 255, B: 255, A: 255}
	for _, ink := range []color.RGBA{white, trainColor, faintColor, validationColor, testColor, textColor, axisColor, gridColor} {
		picture := image.NewRGBA(image.Rect(0, 0, 2, 1))
		picture.SetRGBA(1, 0, ink)
		picture.SetRGBA(0, 0, white)
		got := indexed(picture)
		require.Equal(t, ink, got.At(1, 0))
		require.Equal(t, white, got.At(0, 0))
	}
}
