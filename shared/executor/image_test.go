package executor_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tributary/shared/executor"
	"tributary/shared/job"
	"tributary/shared/model"
	"tributary/shared/numeric/team"
	"tributary/shared/objective"
)

// image is an image in float64, [height, width, channels].
type image struct {
	height, width, channels int
	v                       []float64
}

func (m image) at(y, x, c int) float64 { return m.v[(y*m.width+x)*m.channels+c] }

// pictures is a network over images, with a twin in float64: a list of functions that each
// compute a layer by its definition, one number at a time.
type pictures struct {
	network
	height, width, channels int
	twin                    []func(p []float64, x image) image
}

// visit calls visit for each tap of a window, with the place of the tap, and whether it is
// inside of the image.
func visit(w job.Window, x image, oy, ox int, visit func(tap, y, x int, inside bool)) {
	for ky := range w.Size[0] {
		for kx := range w.Size[1] {
			py, px := oy*w.Strides.Or(0, 1)-w.Padding.Each[0]+ky*w.Dilation.Or(0, 1), ox*w.Strides.Or(1, 1)-w.Padding.Each[1]+kx*w.Dilation.Or(1, 1)
			visit(ky*w.Size[1]+kx, py, px, py >= 0 && py < x.height && px >= 0 && px < x.width)
		}
	}
}

// output returns an image of zeros with the size of the output of a window.
func output(w job.Window, x image, channels int) image {
	side := func(i, n int) int {
		return (n+2*w.Padding.Each[i]-(w.Size[i]-1)*w.Dilation.Or(i, 1)-1)/w.Strides.Or(i, 1) + 1
	}
	out := image{height: side(0, x.height), width: side(1, x.width), channels: channels}
	out.v = make([]float64, out.height*out.width*channels)
	return out
}

// newPictures makes a network of two convolutions, two poolings and a dense layer. With
// global, the last pooling covers the image.
func newPictures(t require.TestingT, height, width, channels int, first, pool, second job.Window, global bool) pictures {
	n := pictures{height: height, width: width, channels: channels}
	g := model.NewGraph("", model.Table(height*width*channels))
	v, err := model.AddReshape(g, "reshape", height, width, channels, 0)
	require.NoError(t, err)
	at := 0 // parameters so far
	convolve := func(w job.Window, filters int, relu bool) {
		in, from := g.Shape(v).Units, at
		a := job.Activation("")
		if relu {
			a = job.ReLU
		}
		v, err = model.AddConvolution(g, "conv2d", "conv", w, job.Dense{Units: filters, Activation: a}, v)
		require.NoError(t, err)
		taps := w.Size[0] * w.Size[1]
		at += filters*taps*in + filters
		n.twin = append(n.twin, func(p []float64, x image) image {
			weights, biases := p[from:], p[from+filters*taps*in:]
			y := output(w, x, filters)
			for i := range y.v {
				o := i % filters
				sum := biases[o]
				visit(w, x, i/filters/y.width, i/filters%y.width, func(tap, py, px int, inside bool) {
					for c := 0; inside && c < in; c++ {
						sum += weights[(o*taps+tap)*in+c] * x.at(py, px, c)
					}
				})
				if y.v[i] = sum; relu {
					y.v[i] = max(sum, 0)
				}
			}
			return y
		})
	}
	convolve(first, 3, true)
	v, err = model.AddPooling(g, "max_pooling2d", pool, true, v)
	require.NoError(t, err)
	n.twin = append(n.twin, func(_ []float64, x image) image {
		y := output(pool, x, x.channels)
		for i := range y.v {
			y.v[i] = math.Inf(-1)
			visit(pool, x, i/x.channels/y.width, i/x.channels%y.width, func(_, py, px int, inside bool) {
				if inside {
					y.v[i] = max(y.v[i], x.at(py, px, i%x.channels))
				}
			})
		}
		return y
	})
	convolve(second, 4, false)
	mean := job.Window{Size: job.Pair{2, 2}, Padding: job.Padding{Each: job.Pair{1, 0}}}
	if global {
		mean = job.Window{Size: job.Pair{g.Shape(v).Height, g.Shape(v).Width()}}
		v, err = model.AddGlobalPooling(g, "global_average_pooling2d", false, v)
	} else {
		v, err = model.AddPooling(g, "average_pooling2d", mean, false, v)
	}
	require.NoError(t, err)
	n.twin = append(n.twin, func(_ []float64, x image) image {
		y := output(mean, x, x.channels)
		for i := range y.v {
			visit(mean, x, i/x.channels/y.width, i/x.channels%y.width, func(_, py, px int, inside bool) {
				if inside {
					y.v[i] += x.at(py, px, i%x.channels) / float64(mean.Size[0]*mean.Size[1])
				}
			})
		}
		return y
	})
	if !global {
		v = model.AddFlatten(g, v)
	}
	inputs, from := g.Shape(v).Units, at
	d, err := model.NewDense(g.Registry(), "dense", "dense", job.Dense{Units: 2}, g.Shape(v))
	require.NoError(t, err)
	g.Add(d, v)
	n.twin = append(n.twin, func(p []float64, x image) image {
		y := image{1, 1, 2, []float64{p[from+2*inputs], p[from+2*inputs+1]}}
		for k := range inputs {
			c, at := k/(x.height*x.width), k%(x.height*x.width) // channel by channel
			for o := range y.v {
				y.v[o] += p[from+o*inputs+k] * x.v[at*x.channels+c]
			}
		}
		return y
	})
	net, err := g.Build()
	require.NoError(t, err)
	of, err := objective.Of(job.MSE)
	require.NoError(t, err)
	n.network = network{net, of}
	return n
}

// outputs64 computes the outputs of one sample by the twin.
func (n pictures) outputs64(p []float64, x []float32) []float64 {
	m := image{n.height, n.width, n.channels, make([]float64, len(x))}
	for i, v := range x {
		m.v[i] = float64(v)
	}
	for _, layer := range n.twin {
		m = layer(p, m)
	}
	return m.v
}

// square is a window with the same numbers in both directions.
func square(size, stride, dilation, padding int) job.Window {
	return job.Window{Size: job.Pair{size, size}, Strides: job.Pair{stride, stride}, Dilation: job.Pair{dilation, dilation}, Padding: job.Padding{Each: job.Pair{padding, padding}}}
}

// drawn draws a window that fits an image.
func drawn(t *rapid.T, name string, height, width int) job.Window {
	var w job.Window
	for i, n := range []int{height, width} {
		w.Size[i] = rapid.IntRange(1, min(3, n)).Draw(t, name+" size")
		w.Strides[i] = rapid.IntRange(1, 3).Draw(t, name+" stride")
		w.Dilation[i] = 1
		if w.Size[i] > 1 {
			w.Dilation[i] = rapid.IntRange(1, (n-1)/(w.Size[i]-1)).Draw(t, name+" dilation")
		}
		w.Padding.Each[i] = rapid.IntRange(0, (w.Size[i]-1)*w.Dilation[i]).Draw(t, name+" padding")
	}
	return w
}

func drawnPictures(t *rapid.T) pictures {
	h, w := rapid.IntRange(1, 9).Draw(t, "height"), rapid.IntRange(1, 9).Draw(t, "width")
	x := image{height: h, width: w}
	first := drawn(t, "first", x.height, x.width)
	x = output(first, x, 1)
	pool := drawn(t, "pool", x.height, x.width)
	for i := range pool.Padding.Each { // so that each window has a tap inside
		pool.Padding.Each[i] = min(pool.Padding.Each[i], (pool.Size[i]-1)*pool.Dilation[i]/2)
		if pool.Dilation[i] > 1 {
			pool.Padding.Each[i] = 0
		}
	}
	x = output(pool, x, 1)
	second := drawn(t, "second", x.height, x.width)
	x = output(second, x, 1)
	return newPictures(t, h, w, rapid.IntRange(1, 5).Draw(t, "channels"), first, pool, second, x.width == 1 || rapid.Bool().Draw(t, "global"))
}

// The outputs of a network over images are those of the definitions.
func TestImagesByDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := drawnPictures(t)
		samples := rapid.IntRange(1, 20).Draw(t, "samples")
		params, x := random(n.Params(), 1, 0.5), random(samples*n.Features(), 2, 1)
		p := make([]float64, len(params))
		for i, v := range params {
			p[i] = float64(v)
		}
		z := n.forward(t, executor.New(nil), params, x, samples)
		for s := range samples {
			for o, want := range n.outputs64(p, x[s*n.Features():][:n.Features()]) {
				require.InDelta(t, want, z[2*s+o], 1e-5*(1+math.Abs(want)))
			}
		}
	})
}

// Each element of the gradient of a network over images equals the central difference of its
// twin.
func TestGradientOfImages(t *testing.T) {
	const samples, eps = 3, 1e-6
	for name, n := range map[string]pictures{
		"plain":   newPictures(t, 6, 7, 2, square(3, 1, 1, 1), square(2, 2, 1, 0), square(3, 1, 1, 1), false),
		"strides": newPictures(t, 9, 8, 3, square(3, 2, 1, 1), square(3, 1, 1, 1), square(2, 1, 2, 1), true),
		"taps":    newPictures(t, 5, 5, 1, square(1, 1, 1, 0), square(2, 1, 2, 0), square(1, 2, 1, 0), false),
	} {
		t.Run(name, func(t *testing.T) {
			params, x, y := random(n.Params(), 1, 0.8), random(samples*n.Features(), 2, 1), random(samples*2, 3, 1)
			grad := make([]float32, n.Params())
			loss := n.gradient(t, grad, executor.New(nil), params, x, y, samples)
			p := make([]float64, len(params))
			for i, v := range params {
				p[i] = float64(v)
			}
			total := func() (sum float64) {
				for s := range samples {
					sum += loss64(job.MSE, n.outputs64(p, x[s*n.Features():][:n.Features()]), y[2*s:2*s+2])
				}
				return sum
			}
			require.InEpsilon(t, total(), loss, 1e-5)
			for i, v := range p {
				p[i] = v + eps
				up := total()
				p[i] = v - eps
				want := (up - total()) / (2 * eps)
				p[i] = v
				require.InDelta(t, want, grad[i], 1e-4*(1+math.Abs(want)), "parameter %d", i)
			}
		})
	}
}

// A batch of images is the sum of its micro-batches along the tree, with any number of threads
// and any budget.
func TestABatchOfImagesIsTheSumOfItsMicrobatches(t *testing.T) {
	threads := team.New(3)
	defer threads.Close()
	passes := []*executor.Executor{executor.New(nil), executor.New(nil), executor.New(threads), executor.New(threads)}
	passes[1].Limit(1)
	rapid.Check(t, func(t *rapid.T) {
		n := drawnPictures(t)
		bounds := []int{0}
		for _, rows := range rapid.SliceOfN(rapid.IntRange(0, 30), 1, 6).Draw(t, "rows") {
			bounds = append(bounds, bounds[len(bounds)-1]+rows)
		}
		samples, leaves := bounds[len(bounds)-1], len(bounds)-1
		params, x, y := random(n.Params(), 1, 1), rowsOf(random(samples*n.Features(), 2, 1), samples, n.Features()), random(samples*2, 3, 1)
		want, w, m := make([]float64, leaves), executor.New(nil), n.under(params)
		sum := sumOfLeaves(leaves, func(i int) []float32 {
			g := make([]float32, n.Params())
			leaf := executor.Batch{X: x, Y: y, First: bounds[i], Bounds: []int{0, bounds[i+1] - bounds[i]}}
			require.NoError(t, w.Gradient(g, want[i:i+1], m, leaf, executor.Hooks{}))
			return g
		})
		passes[3].Limit(rapid.IntRange(1, 40000).Draw(t, "limit"))
		for i, p := range passes {
			got, losses := random(n.Params(), 9, 1), make([]float64, leaves)
			require.NoError(t, p.Gradient(got, losses, m, executor.Batch{X: x, Y: y, Bounds: bounds}, executor.Hooks{}))
			require.Equal(t, bits(sum), bits(got), "pass %d", i)
			require.Equal(t, want, losses, "pass %d", i)
		}
	})
}
