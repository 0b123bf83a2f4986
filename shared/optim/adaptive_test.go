package optim_test

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tributary/shared/job"
	"tributary/shared/numeric/team"
	"tributary/shared/optim"
)

// The documented algorithms of torch.optim.RMSprop and Adagrad, and algorithm 2 of the
// paper on Lion, for one parameter, in float64.

func rmsReference(r *job.RMSprop, p float64, grads []float64) float64 {
	var square, mean, buffer float64
	for _, g := range grads {
		g += r.WeightDecay * p
		square = r.Alpha*square + (1-r.Alpha)*g*g
		v := square
		if r.Centered {
			mean = r.Alpha*mean + (1-r.Alpha)*g
			v -= mean * mean
		}
		u := g / (math.Sqrt(v) + r.Epsilon)
		if r.Momentum > 0 {
			buffer = r.Momentum*buffer + u
			u = buffer
		}
		p -= r.LearningRate * u
	}
	return p
}

func adagradReference(a *job.Adagrad, p float64, grads []float64) float64 {
	sum := a.InitialAccumulatorValue
	for i, g := range grads {
		g += a.WeightDecay * p
		sum += g * g
		p -= a.LearningRate / (1 + float64(i)*a.LRDecay) * g / (math.Sqrt(sum) + a.Epsilon)
	}
	return p
}

func lionReference(l *job.Lion, p float64, grads []float64) float64 {
	m := 0.0
	for _, g := range grads {
		c := l.Beta1*m + (1-l.Beta1)*g
		update := l.WeightDecay * p
		if c != 0 {
			update += math.Copysign(1, c)
		}
		p -= l.LearningRate * update
		m = l.Beta2*m + (1-l.Beta2)*g
	}
	return p
}

// changed returns a copy of the optimizer with other common options.
func changed(o job.Optimizer, change func(*job.Common)) job.Optimizer {
	switch {
	case o.SGD != nil:
		o.SGD = copied(o.SGD)
	case o.Adam != nil:
		o.Adam = copied(o.Adam)
	case o.AdamW != nil:
		o.AdamW = copied(o.AdamW)
	case o.RMSprop != nil:
		o.RMSprop = copied(o.RMSprop)
	case o.Adagrad != nil:
		o.Adagrad = copied(o.Adagrad)
	default:
		o.Lion = copied(o.Lion)
	}
	change(o.Common())
	return o
}

func copied[T any](v *T) *T {
	c := *v
	return &c
}

// state returns the zero state of an optimizer for n parameters.
func state(f *optim.Fold, n int) [][]float32 {
	s := make([][]float32, f.Vectors())
	for i := range s {
		s[i] = make([]float32, n)
	}
	return s
}

// With clip_value, the bits are those of folding a gradient whose elements were cut off
// before, and are divided by 1.
func TestClipValueCutsElements(t *testing.T) {
	const limit = 0.25
	for name, o := range optimizers {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				clipped, _ := compile(t, changed(o, func(c *job.Common) { c.ClipValue = limit }))
				plain, _ := compile(t, o)
				n := rapid.SampledFrom([]int{1, 5, 40, 1<<12 + 3}).Draw(t, "n")
				a, b := state(clipped, n), state(plain, n)
				p, q := vectors(1, n)[0], vectors(1, n)[0]
				for step := range int64(3) {
					grad := vectors(4, n)[step]
					divisor := float32(rapid.IntRange(1, 5).Draw(t, "divisor"))
					cut := make([]float32, n)
					for i, g := range grad {
						cut[i] = max(min(g/divisor, limit), -limit)
					}
					clipped.Apply(p, a, step, grad, divisor)
					plain.Apply(q, b, step, cut, 1)
				}
				require.Equal(t, q, p)
				require.Equal(t, b, a)
			})
		})
	}
}

// With decay_bias: false, the bits of the biases are those of an optimizer without weight
// decay, and all others those of one with it.
func TestBiasesAreSparedOfDecay(t *testing.T) {
	no := false
	for name, o := range optimizers {
		if o.Common().WeightDecay == 0 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				n := rapid.SampledFrom([]int{1, 7, 40}).Draw(t, "n")
				cuts := rapid.SliceOfNDistinct(rapid.IntRange(0, n), 0, min(6, n+1), rapid.ID).Draw(t, "cuts")
				biases, isBias := ranges(cuts)
				spared, err := optim.New(changed(o, func(c *job.Common) { c.DecayBias = &no }), biases...)
				require.NoError(t, err)
				decayed, _ := compile(t, o)
				plain, _ := compile(t, changed(o, func(c *job.Common) { c.WeightDecay = 0 }))
				want := folded(decayed, n, 1)
				for v, vector := range folded(plain, n, 1) {
					for i := range vector {
						if isBias(i) {
							want[v][i] = vector[i]
						}
					}
				}
				require.Equal(t, want, folded(spared, n, 1))
				yes, err := optim.New(o, biases...)
				require.NoError(t, err)
				require.Equal(t, folded(decayed, n, 1), folded(yes, n, 1), "biases decay by default")
			})
		})
	}
}

// ranges returns every other range between the cuts, and whether an index is in one.
func ranges(cuts []int) (biases []optim.Range, in func(i int) bool) {
	slices.Sort(cuts)
	for pair := range slices.Chunk(cuts, 2) {
		if len(pair) == 2 {
			biases = append(biases, optim.Range{Lo: pair[0], Hi: pair[1]})
		}
	}
	return biases, func(i int) bool {
		return slices.ContainsFunc(biases, func(r optim.Range) bool { return r.Lo <= i && i < r.Hi })
	}
}

// folded returns n parameters and the state after three steps in some threads.
func folded(f *optim.Fold, n, threads int) [][]float32 {
	m := team.New(threads)
	defer m.Close()
	all := append(vectors(1, n), state(f, n)...)
	for step := range int64(3) {
		f.ApplyBy(m, all[0], all[1:], step, vectors(4, n)[step], 3)
	}
	return all
}

// The centered form divides by 0 + ε where rounding makes the variance negative, and a
// gradient that is too small to be squared changes nothing much.
func TestCenteredWithoutVariance(t *testing.T) {
	f, _ := compile(t, job.Optimizer{RMSprop: &job.RMSprop{LearningRate: 0.01, Alpha: 0.99, Epsilon: 1e-8, Centered: true}})
	for _, g := range []float32{0, 1e-20, 3e-23, 1e-30} {
		p, s := []float32{1}, state(f, 1)
		for step := range int64(200) {
			f.Apply(p, s, step, []float32{g}, 1)
		}
		require.InDelta(t, 1, p[0], 1e-6)
	}
}
