package optim_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tributary/shared/job"
	"tributary/shared/numeric"
	"tributary/shared/optim"
)

func adam(rate, decay float64) *job.Adam {
	return &job.Adam{LearningRate: rate, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, Common: decays(decay)}
}

func decays(decay float64) job.Common { return job.Common{WeightDecay: decay} }

func rmsprop(momentum float64, centered bool) *job.RMSprop {
	return &job.RMSprop{LearningRate: 0.01, Alpha: 0.9, Epsilon: 0.01, Momentum: momentum, Centered: centered, Common: decays(0.01)}
}

var optimizers = map[string]job.Optimizer{
	"plain":                 {SGD: &job.SGD{LearningRate: 0.1}},
	"decay":                 {SGD: &job.SGD{LearningRate: 0.1, Common: decays(0.01)}},
	"momentum":              {SGD: &job.SGD{LearningRate: 0.1, Momentum: 0.9}},
	"nesterov":              {SGD: &job.SGD{LearningRate: 0.1, Momentum: 0.9, Nesterov: true, Common: decays(0.01)}},
	"adam":                  {Adam: adam(0.01, 0.01)},
	"adamw":                 {AdamW: adam(0.01, 0.1)},
	"rmsprop":               {RMSprop: rmsprop(0, false)},
	"centered":              {RMSprop: rmsprop(0, true)},
	"rms momentum":          {RMSprop: rmsprop(0.9, false)},
	"rms centered momentum": {RMSprop: rmsprop(0.9, true)},
	"adagrad":               {Adagrad: &job.Adagrad{LearningRate: 0.1, LRDecay: 0.1, InitialAccumulatorValue: 0.5, Epsilon: 1e-10, Common: decays(0.01)}},
	"lion":                  {Lion: &job.Lion{LearningRate: 0.01, Beta1: 0.9, Beta2: 0.99, Common: decays(0.1)}},
}

func compile(t require.TestingT, o job.Optimizer) (*optim.Fold, [][]float32) {
	f, err := optim.New(o)
	require.NoError(t, err)
	return f, make([][]float32, f.Vectors())
}

// reference is the documented algorithm of torch.optim, for one parameter, in float64.
func reference(o job.Optimizer, p float64, grads []float64) float64 {
	switch {
	case o.RMSprop != nil:
		return rmsReference(o.RMSprop, p, grads)
	case o.Adagrad != nil:
		return adagradReference(o.Adagrad, p, grads)
	case o.Lion != nil:
		return lionReference(o.Lion, p, grads)
	}
	var m, v float64
	for i, g := range grads {
		t := float64(i + 1)
		if s := o.SGD; s != nil {
			g += s.WeightDecay * p
			if i == 0 {
				m = g
			} else {
				m = s.Momentum*m + g
			}
			if s.Nesterov {
				g += s.Momentum * m
			} else {
				g = m
			}
			p -= s.LearningRate * g
			continue
		}
		a := o.Adam
		if a == nil {
			a = o.AdamW
			p -= a.LearningRate * a.WeightDecay * p
		} else {
			g += a.WeightDecay * p
		}
		m = a.Beta1*m + (1-a.Beta1)*g
		v = a.Beta2*v + (1-a.Beta2)*g*g
		mhat, vhat := m/(1-math.Pow(a.Beta1, t)), v/(1-math.Pow(a.Beta2, t))
		p -= a.LearningRate * mhat / (math.Sqrt(vhat) + a.Epsilon)
	}
	return p
}

func TestAgainstReference(t *testing.T) {
	for name, o := range optimizers {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				f, state := compile(t, o)
				for i := range state {
					state[i] = make([]float32, 1)
				}
				start := rapid.Float32Range(-2, 2).Draw(t, "p")
				divisor := float32(rapid.IntRange(1, 64).Draw(t, "divisor"))
				p, grads := []float32{start}, make([]float64, rapid.IntRange(1, 30).Draw(t, "steps"))
				for i := range grads {
					g := rapid.Float32Range(0.1, 3).Draw(t, "g")
					grads[i] = float64(g / divisor)
					f.Apply(p, state, int64(i), []float32{g}, divisor)
				}
				require.InDelta(t, reference(o, float64(start), grads), p[0], 2e-5)
			})
		})
	}
}

// clipped are the optimizers with a limit on the gradient's norm.
func clipped(limit float64) map[string]job.Optimizer {
	out := map[string]job.Optimizer{}
	for name, o := range optimizers {
		o = changed(o, func(c *job.Common) { c.ClipNorm = limit })
		out[name] = o
	}
	return out
}

// The whole gradient is scaled to the limit, in float64 as in float32.
func TestClippedAgainstReference(t *testing.T) {
	const n, limit = 5, 0.7
	for name, o := range clipped(limit) {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				f, state := compile(t, o)
				for i := range state {
					state[i] = make([]float32, n)
				}
				start := rapid.SliceOfN(rapid.Float32Range(-2, 2), n, n).Draw(t, "p")
				divisor := float32(rapid.IntRange(1, 64).Draw(t, "divisor"))
				p, grads := append([]float32(nil), start...), [n][]float64{}
				for step := range int64(rapid.IntRange(1, 10).Draw(t, "steps")) {
					g := rapid.SliceOfN(rapid.Float32Range(0.1, 30), n, n).Draw(t, "g")
					square := 0.0
					for _, x := range g {
						square += float64(x/divisor) * float64(x/divisor)
					}
					scale := min(1, limit/(math.Sqrt(square)+1e-6))
					for i, x := range g {
						grads[i] = append(grads[i], scale*float64(x/divisor))
					}
					f.Apply(p, state, step, g, divisor)
				}
				for i := range p {
					require.InDelta(t, reference(o, float64(start[i]), grads[i]), p[i], 2e-5)
				}
			})
		})
	}
}

// A limit that no gradient reaches changes no bit.
func TestAWideLimitChangesNothing(t *testing.T) {
	for name, o := range clipped(1e6) {
		wide, a := compile(t, o)
		none, b := compile(t, optimizers[name])
		p, q := []float32{1, -2, 3}, []float32{1, -2, 3}
		for i := range a {
			a[i], b[i] = make([]float32, 3), make([]float32, 3)
		}
		for step := range int64(3) {
			g := []float32{0.3, -float32(step), 1e-30}
			wide.Apply(p, a, step, g, 7)
			none.Apply(q, b, step, g, 7)
		}
		require.Equal(t, q, p, name)
		require.Equal(t, b, a, name)
	}
}

func TestVectors(t *testing.T) {
	for name, want := range map[string]int{
		"plain": 0, "decay": 0, "momentum": 1, "nesterov": 1, "adam": 2, "adamw": 2,
		"rmsprop": 1, "centered": 2, "rms momentum": 2, "rms centered momentum": 3, "adagrad": 1, "lion": 1,
	} {
		f, _ := compile(t, optimizers[name])
		require.Equal(t, want, f.Vectors(), name)
	}
}

// Chunks of the vectors may be folded separately, in any order, with the same bits.
func TestFoldIsElementwise(t *testing.T) {
	for name, o := range optimizers {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				const n = 23
				f, whole := compile(t, o)
				r := numeric.NewRand(rapid.Uint64().Draw(t, "seed"), numeric.ForSynthetic, 0, 0)
				p := make([]float32, n)
				for i := range p {
					p[i] = r.Float32()
				}
				parts, q := make([][]float32, len(whole)), append([]float32(nil), p...)
				for i := range whole {
					whole[i], parts[i] = make([]float32, n), make([]float32, n)
				}
				for step := range int64(4) {
					grad := make([]float32, n)
					for i := range grad {
						grad[i] = r.Float32() - 0.5
					}
					f.Apply(p, whole, step, grad, 3)
					cut := rapid.IntRange(0, n).Draw(t, "cut")
					for _, c := range [][2]int{{cut, n}, {0, cut}} {
						views := make([][]float32, len(parts))
						for i := range parts {
							views[i] = parts[i][c[0]:c[1]]
						}
						f.Apply(q[c[0]:c[1]], views, step, grad[c[0]:c[1]], 3)
					}
				}
				require.Equal(t, p, q)
				require.Equal(t, whole, parts)
			})
		})
	}
}

func TestNaNIsNotHidden(t *testing.T) {
	for name, o := range optimizers {
		f, state := compile(t, o)
		for i := range state {
			state[i] = make([]float32, 1)
		}
		p := []float32{1}
		f.Apply(p, state, 0, []float32{float32(math.NaN())}, 2)
		require.False(t, numeric.AllFinite(p), name)
	}
	for name, o := range clipped(1) {
		for _, bad := range []float64{math.NaN(), math.Inf(1)} {
			f, state := compile(t, o)
			for i := range state {
				state[i] = make([]float32, 2)
			}
			p := []float32{1, 1}
			f.Apply(p, state, 0, []float32{1, float32(bad)}, 2)
			require.False(t, numeric.AllFinite(p), name)
		}
	}
}

// A job may have very many steps: the bias corrections go to 1, and nothing overflows.
func TestFarSteps(t *testing.T) {
	f, _ := compile(t, optimizers["adam"])
	for _, step := range []int64{1e6, 1e12, math.MaxInt64 - 1} {
		p := []float32{1}
		f.Apply(p, [][]float32{{0.5}, {0.25}}, step, []float32{0.5}, 1)
		require.InDelta(t, 0.99, p[0], 2e-4)
	}
}

// New refuses what the spec refuses, with the same error.
func TestNewRefuses(t *testing.T) {
	for _, o := range []job.Optimizer{
		{},
		{SGD: &job.SGD{LearningRate: 1}, Adam: adam(1, 0)},
		{SGD: &job.SGD{}},
		{Adam: adam(-1, 0)},
		{AdamW: &job.Adam{}},
		{RMSprop: &job.RMSprop{}},
		{Adagrad: &job.Adagrad{}},
		{Lion: &job.Lion{}},
	} {
		f, err := optim.New(o)
		require.Nil(t, f)
		require.ErrorIs(t, err, job.ErrInvalid)
		require.EqualError(t, err, o.Validate().Error())
	}
}

func TestNoAllocation(t *testing.T) {
	for name, o := range clipped(1) {
		f, state := compile(t, o)
		for i := range state {
			state[i] = make([]float32, 100)
		}
		p, g := make([]float32, 100), make([]float32, 100)
		require.Zero(t, testing.AllocsPerRun(10, func() { f.Apply(p, state, 3, g, 2) }), name)
	}
}

func BenchmarkApply(b *testing.B) {
	const n = 1 << 18
	for _, name := range []string{"plain", "momentum", "nesterov", "adam", "adamw", "rmsprop", "rms centered momentum", "adagrad", "lion"} {
		b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
			f, state := compile(b, optimizers[name])
			for i := range state {
				state[i] = make([]float32, n)
			}
			p, g := make([]float32, n), make([]float32, n)
			for i := range g {
				g[i] = float32(i%7) - 3
			}
			b.SetBytes(4 * n)
			b.ReportAllocs()
			for b.Loop() {
				f.Apply(p, state, 5, g, 64)
			}
		})
	}
}
