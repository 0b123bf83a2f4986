package executor_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/executor"
	"tributary/shared/job"
	"tributary/shared/numeric"
)

func layer(units int, a job.Activation) job.Layer {
	return job.Layer{Dense: &job.Dense{Units: units, Activation: a}}
}

func unbiased(units int, a job.Activation) job.Layer {
	no := false
	return job.Layer{Dense: &job.Dense{Units: units, Activation: a, Bias: &no}}
}

func random(n int, index uint64, scale float32) []float32 {
	r, v := numeric.NewRand(5, numeric.ForSynthetic, index, 0), make([]float32, n)
	for i := range v {
		v[i] = (2*r.Float32() - 1) * scale
	}
	return v
}

// twin computes the same network and loss in float64, one row and one number at a time,
// with the functions of the standard library.
type twin struct {
	layers []job.Layer
	loss   job.Loss
}

func (n twin) row(params []float64, x, y []float32) float64 {
	h := make([]float64, len(x))
	for i, v := range x {
		h[i] = float64(v)
	}
	for _, l := range n.layers {
		out, in := l.Dense.Units, len(h)
		z := make([]float64, out)
		for o := range z {
			for i, v := range h {
				z[o] += v * params[o*in+i]
			}
		}
		params = params[out*in:]
		if l.Dense.Bias == nil || *l.Dense.Bias {
			for o := range z {
				z[o] += params[o]
			}
			params = params[out:]
		}
		for o, v := range z {
			z[o] = activation64(l.Dense.Activation, v)
		}
		h = z
	}
	return loss64(n.loss, h, y)
}

func activation64(a job.Activation, v float64) float64 {
	switch a {
	case job.ReLU:
		return math.Max(v, 0)
	case job.Tanh:
		return math.Tanh(v)
	case job.Sigmoid:
		return 1 / (1 + math.Exp(-v))
	case job.GELU:
		return v * (1 + math.Erf(v/math.Sqrt2)) / 2
	default:
		return more64(a, v)
	}
}

func more64(a job.Activation, v float64) float64 {
	const scale, alpha = 1.0507009873554805, 1.6732632423543772
	exponent := math.Expm1(math.Min(v, 0))
	switch a {
	case job.GELUTanh:
		return v * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(v+0.044715*v*v*v))) / 2
	case job.SiLU:
		return v / (1 + math.Exp(-v))
	case job.Mish:
		return v * math.Tanh(math.Log1p(math.Exp(v)))
	case job.Softplus:
		return math.Log1p(math.Exp(v))
	case job.LeakyReLU:
		return math.Max(v, 0.01*v)
	case job.ReLU6:
		return math.Min(math.Max(v, 0), 6)
	case job.ELU:
		return math.Max(v, 0) + exponent
	case job.SELU:
		return scale * (math.Max(v, 0) + alpha*exponent)
	case job.Softsign:
		return v / (1 + math.Abs(v))
	case job.HardSigmoid:
		return math.Min(math.Max(v+3, 0), 6) / 6
	case job.HardSwish:
		return v * math.Min(math.Max(v+3, 0), 6) / 6
	default:
		return v
	}
}

func loss64(l job.Loss, z []float64, y []float32) float64 {
	s := 0.0
	switch l {
	case job.SoftmaxCrossEntropy:
		for _, v := range z {
			s += math.Exp(v - z[int(y[0])])
		}
		return math.Log(s)
	case job.SigmoidCrossEntropy:
		p := 1 / (1 + math.Exp(-z[0]))
		if y[0] == 1 {
			return -math.Log(p)
		}
		return -math.Log(1 - p)
	case job.HalfSquaredError:
		for i, v := range z {
			s += (v - float64(y[i])) * (v - float64(y[i]))
		}
		return s / 2
	default:
		for i, v := range z {
			s += number64(l, v, float64(y[i]))
		}
		return s / float64(len(z))
	}
}

// number64 returns the loss of one output, with the default parameters.
func number64(l job.Loss, z, y float64) float64 {
	r := z - y
	switch l {
	case job.AbsoluteError:
		return math.Abs(r)
	case job.Huber:
		if math.Abs(r) > 1 {
			return math.Abs(r) - 0.5
		}
		return r * r / 2
	case job.Quantile:
		return math.Abs(r) / 2
	case job.Poisson:
		return math.Exp(z) - y*z
	default:
		return r * r
	}
}

// total returns the sum of the losses over the rows.
func (n twin) total(params []float64, x, y []float32, rows int) float64 {
	s := 0.0
	for r := range rows {
		s += n.row(params, x[r*len(x)/rows:(r+1)*len(x)/rows], y[r*len(y)/rows:(r+1)*len(y)/rows])
	}
	return s
}

// labels makes y for a loss: [rows] classes or [rows, outputs] targets.
func labels(l job.Loss, rows, outputs int) []float32 {
	if !l.Classifies() {
		y := random(rows*outputs, 3, 2)
		if l == job.Poisson {
			numeric.ReLU(y)
		}
		return y
	}
	y := make([]float32, rows)
	for i := range y {
		y[i] = float32(i % max(outputs, 2))
	}
	return y
}

// Every activation with every loss, with and without biases, in one, two and three layers:
// each element of the gradient equals the central difference of the twin.
func TestGradientIsCentralDifference(t *testing.T) {
	const rows, features, eps = 5, 4, 1e-5
	for _, word := range job.Loss("").Allowed() {
		loss, outputs := job.Loss(word), 3
		if loss == job.SigmoidCrossEntropy {
			outputs = 1
		}
		for _, name := range job.Activation("").Allowed() {
			a := job.Activation(name)
			for shape, layers := range map[string][]job.Layer{
				"one":          {layer(outputs, a)},
				"two":          {layer(6, a), layer(outputs, job.NoActivation)},
				"three":        {layer(6, a), layer(5, a), layer(outputs, a)},
				"without bias": {unbiased(6, a), unbiased(outputs, "")},
			} {
				t.Run(fmt.Sprintf("%s/%s/%s", loss, a, shape), func(t *testing.T) {
					n := compile(t, loss, features, layers...)
					params, x, y := random(n.Params(), 1, 0.8), random(rows*features, 2, 1.5), labels(loss, rows, outputs)
					grad, w := random(n.Params(), 4, 9), executor.New(nil)
					got := n.gradient(t, grad, w, params, x, y, rows)

					twin, p := twin{layers, loss}, make([]float64, len(params))
					for i, v := range params {
						p[i] = float64(v)
					}
					require.InEpsilon(t, twin.total(p, x, y, rows), got, 1e-6)
					require.Equal(t, got, n.loss(n.forward(t, w, params, x, rows), y))
					for i, v := range p {
						p[i] = v + eps
						up := twin.total(p, x, y, rows)
						p[i] = v - eps
						down := twin.total(p, x, y, rows)
						p[i] = v
						want := (up - down) / (2 * eps)
						require.InDelta(t, want, grad[i], 5e-6*(1+math.Abs(want)), "parameter %d", i)
					}
				})
			}
		}
	}
}

// ŷ = 2.5 … 11.5 and y = 3 … 12 under ½ Σ (y−ŷ)²: every residual is ½, so
// ½ · (0.25 + … ten times … + 0.25) = ½ · 2.5 = 1.25.
func TestLossExample(t *testing.T) {
	n := compile(t, job.HalfSquaredError, 1, layer(1, job.NoActivation))
	x, y := make([]float32, 10), make([]float32, 10)
	sum := 0.0
	for i := range x {
		x[i], y[i] = 2+float32(i), 3+float32(i)
		sum += 0.5 * 0.5
	}
	params, grad := []float32{1, 0.5}, make([]float32, 2) // ŷ = x + ½
	require.Equal(t, 1.25, sum/2)
	require.Equal(t, 1.25, n.gradient(t, grad, executor.New(nil), params, x, y, 10))
	// dw = Σ (ŷ−y)·x = −½·(2+…+11), db = Σ (ŷ−y) = −5
	require.Equal(t, []float32{-32.5, -5}, grad)
}

// line.json's first step, by hand: ŷ = 0, the loss is the mean of y².
func TestLineByHand(t *testing.T) {
	n := compile(t, job.MSE, 1, layer(1, ""))
	grad := make([]float32, 2)
	loss := n.gradient(t, grad, executor.New(nil), []float32{0, 0}, []float32{1, 2, 3, 4, 5}, []float32{2, 4, 5, 6, 8}, 5)
	require.Equal(t, 145.0, loss)                   // 4+16+25+36+64
	require.Equal(t, []float32{-2 * 89, -50}, grad) // −2 Σ x y, −2 Σ y
}
