package vector

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	plainRMS = iota
	momentumRMS
	centeredRMS
	bothRMS
)

var rmsprops = map[string]int{
	"rmsprop": plainRMS, "rmsprop, momentum": momentumRMS, "rmsprop, centered": centeredRMS, "rmsprop, both": bothRMS,
}

var (
	rmsConstants     = RMSprop{Alpha: 0.99, Rest: 0.01, Rate: 0.03, Epsilon: 1e-8, Momentum: 0.9, Decay: 0.01}
	adagradConstants = Adagrad{Rate: 0.03, Initial: 0.5, Epsilon: 1e-10, Decay: 0.01}
	lionConstants    = Lion{Beta1: 0.9, Rest1: 0.1, Beta2: 0.99, Rest2: 0.01, Rate: 0.03, Shrink: 0.99}
)

// rmsState returns the state of RMSprop: its squares, and the momentum and the mean, which
// may be nil.
func rmsState(kind int, in inputs) (q, m, a []float32) {
	q = slices.Clone(in.c)
	if kind == momentumRMS || kind == bothRMS {
		m = slices.Clone(in.b)
	}
	if kind == centeredRMS || kind == bothRMS {
		a = slices.Clone(in.a)
	}
	return q, m, a
}

func adaptiveKernels(t *testing.T) map[string]func(k *Kernels, in inputs) outcome {
	all := map[string]func(k *Kernels, in inputs) outcome{
		"adagrad": func(k *Kernels, in inputs) outcome {
			c, p, s := adagradConstants, slices.Clone(in.a), slices.Clone(in.c)
			c.Clip = in.alpha
			k.Adagrad(c, p, s, in.d, 7)
			return outcome{}.floats(p...).floats(s...)
		},
		"lion": func(k *Kernels, in inputs) outcome {
			c, p, m := lionConstants, slices.Clone(in.a), slices.Clone(in.b)
			c.Clip = in.alpha
			k.Lion(c, p, m, in.d, 7)
			return outcome{}.floats(p...).floats(m...)
		},
		"clamp": func(k *Kernels, in inputs) outcome {
			a, limit := slices.Clone(in.a), max(in.alpha, -in.alpha)
			if limit != limit {
				limit = 1 // a limit is a number
			}
			k.Clamp(a, a, 3, 0.1)
			return outcome{}.floats(into(t, len(a), func(dst []float32) { k.Clamp(dst, in.a, 7, limit) })...).floats(a...)
		},
	}
	for name, kind := range rmsprops {
		all[name] = func(k *Kernels, in inputs) outcome {
			c, p := rmsConstants, slices.Clone(in.a)
			c.Clip = in.alpha
			q, m, a := rmsState(kind, in)
			k.RMSprop(c, p, q, m, a, in.d, 7)
			return outcome{}.floats(p...).floats(q...).floats(m...).floats(a...)
		}
	}
	return all
}

var adaptiveReferences = map[string]func(in inputs) outcome{
	"rmsprop":           func(in inputs) outcome { return rmsReference(plainRMS, in) },
	"rmsprop, momentum": func(in inputs) outcome { return rmsReference(momentumRMS, in) },
	"rmsprop, centered": func(in inputs) outcome { return rmsReference(centeredRMS, in) },
	"rmsprop, both":     func(in inputs) outcome { return rmsReference(bothRMS, in) },
	"adagrad": func(in inputs) outcome {
		c, p, s := adagradConstants, slices.Clone(in.a), slices.Clone(in.c)
		for i := range p {
			g := plus(times(over(in.d[i], 7), in.alpha), times(c.Decay, p[i]))
			s[i] = plus(s[i], times(g, g))
			root := once(math.Sqrt(float64(plus(s[i], c.Initial))))
			p[i] = minus(p[i], times(c.Rate, over(g, plus(root, c.Epsilon))))
		}
		return outcome{}.floats(p...).floats(s...)
	},
	"lion": func(in inputs) outcome {
		c, p, m := lionConstants, slices.Clone(in.a), slices.Clone(in.b)
		for i := range p {
			g := times(over(in.d[i], 7), in.alpha)
			sum := float64(plus(times(c.Beta1, m[i]), times(c.Rest1, g)))
			m[i] = plus(times(c.Beta2, m[i]), times(c.Rest2, g))
			sign := float32(0) // +0 for +0; −0 + +0 is +0 too
			switch {
			case math.IsNaN(sum) || math.IsInf(sum, 0):
				sign = once(math.NaN())
			case sum != 0:
				sign = float32(math.Copysign(1, sum))
			}
			p[i] = minus(times(p[i], c.Shrink), times(c.Rate, sign))
		}
		return outcome{}.floats(p...).floats(m...)
	},
	"clamp": func(in inputs) outcome {
		cut := func(divisor, limit float32) (o outcome) {
			for _, x := range in.a {
				q := over(x, divisor)
				if q == q {
					q = once(math.Min(math.Max(float64(q), -float64(limit)), float64(limit)))
				}
				o = o.floats(q)
			}
			return o
		}
		limit := once(math.Abs(float64(in.alpha)))
		if limit != limit {
			limit = 1
		}
		return slices.Concat(cut(7, limit), cut(3, 0.1))
	},
}

func rmsReference(kind int, in inputs) outcome {
	c, p := rmsConstants, slices.Clone(in.a)
	q, m, a := rmsState(kind, in)
	for i := range p {
		g := plus(times(over(in.d[i], 7), in.alpha), times(c.Decay, p[i]))
		q[i] = plus(times(c.Alpha, q[i]), times(c.Rest, times(g, g)))
		v := q[i]
		if a != nil {
			a[i] = plus(times(c.Alpha, a[i]), times(c.Rest, g))
			v = once(math.Max(float64(minus(v, times(a[i], a[i]))), 0))
		}
		u := over(g, plus(once(math.Sqrt(float64(v))), c.Epsilon))
		if m != nil {
			m[i] = plus(times(c.Momentum, m[i]), u)
			u = m[i]
		}
		p[i] = minus(p[i], times(c.Rate, u))
	}
	return outcome{}.floats(p...).floats(q...).floats(m...).floats(a...)
}

func TestDirectionHandValues(t *testing.T) {
	inf := float32(math.Inf(1))
	for x, want := range map[float32]float32{3e38: 1, 1e-45: 1, -1e-45: -1, -2: -1, 0: 0} {
		require.Equal(t, want, direction(x))
	}
	require.True(t, math.IsNaN(float64(direction(inf))) && math.IsNaN(float64(direction(-inf))) && math.IsNaN(float64(direction(inf-inf))))
}
