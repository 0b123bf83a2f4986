package vector

import (
	"math"

	"tributary/shared/numeric/fma"
)

// RMSprop holds the constants of a step of RMSprop; see package numeric.
type RMSprop struct {
	Alpha, Rest float32
	Rate        float32
	Epsilon     float32
	Momentum    float32
	Decay       float32
	Clip        float32
}

// RMSprop folds grad/divisor into p, q and, unless they are nil, m and a. All vectors have
// the length of grad.
func (k *Kernels) RMSprop(c RMSprop, p, q, m, a, grad []float32, divisor float32) {
	p, q = p[:len(grad)], q[:len(grad)]
	if m != nil {
		m = m[:len(grad)]
	}
	if a != nil {
		a = a[:len(grad)]
	}
	n := whole(k.rmsprop != nil, len(grad))
	switch {
	case n == 0:
	case m == nil && a == nil:
		k.rmsprop(n, &p[0], &q[0], &grad[0], divisor, c.Clip, c.Decay, c.Alpha, c.Rest, c.Rate, c.Epsilon)
	case a == nil:
		k.rmspropMomentum(n, &p[0], &q[0], &m[0], &grad[0], divisor, c.Clip, c.Decay, c.Alpha, c.Rest, c.Rate, c.Epsilon, c.Momentum)
	case m == nil:
		k.rmspropCentered(n, &p[0], &q[0], &a[0], &grad[0], divisor, c.Clip, c.Decay, c.Alpha, c.Rest, c.Rate, c.Epsilon)
	default:
		k.rmspropBoth(n, &p[0], &q[0], &m[0], &a[0], &grad[0], divisor, c.Clip, c.Decay, c.Alpha, c.Rest, c.Rate, c.Epsilon, c.Momentum)
	}
	for i := n; i < len(grad); i++ {
		g := decayed(grad[i], divisor, c.Clip, c.Decay, p[i])
		v := float32(c.Alpha*q[i]) + float32(c.Rest*float32(g*g))
		q[i] = fma.Canonical(v)
		if a != nil {
			mean := float32(c.Alpha*a[i]) + float32(c.Rest*g)
			a[i] = fma.Canonical(mean)
			if v -= float32(mean * mean); v <= 0 {
				v = 0
			}
		}
		u := g / (float32(math.Sqrt(float64(v))) + c.Epsilon)
		if m != nil {
			u += float32(c.Momentum * m[i])
			m[i] = fma.Canonical(u)
		}
		p[i] = fma.Canonical(p[i] - float32(c.Rate*u))
	}
}

// decayed returns (g/divisor)·clip + decay·w, also if decay is 0.
func decayed(g, divisor, clip, decay, w float32) float32 {
	return float32(g/divisor*clip) + float32(decay*w)
}

// Adagrad holds the constants of a step of Adagrad; see package numeric.
type Adagrad struct {
	Rate    float32
	Initial float32
	Epsilon float32
	Decay   float32
	Clip    float32
}

// Adagrad folds grad/divisor into p and s. All vectors have the length of grad.
func (k *Kernels) Adagrad(c Adagrad, p, s, grad []float32, divisor float32) {
	p, s = p[:len(grad)], s[:len(grad)]
	n := whole(k.adagrad != nil, len(grad))
	if n > 0 {
		k.adagrad(n, &p[0], &s[0], &grad[0], divisor, c.Clip, c.Decay, c.Rate, c.Initial, c.Epsilon)
	}
	for i := n; i < len(grad); i++ {
		g := decayed(grad[i], divisor, c.Clip, c.Decay, p[i])
		sum := s[i] + float32(g*g)
		s[i] = fma.Canonical(sum)
		root := float32(math.Sqrt(float64(sum + c.Initial)))
		p[i] = fma.Canonical(p[i] - float32(c.Rate*(g/(root+c.Epsilon))))
	}
}

// Lion holds the constants of a step of Lion; see package numeric.
type Lion struct {
	Beta1, Beta2 float32
	Rest1, Rest2 float32
	Rate         float32
	Shrink       float32
	Clip         float32
}

// Lion folds grad/divisor into p and m. All vectors have the length of grad.
func (k *Kernels) Lion(c Lion, p, m, grad []float32, divisor float32) {
	p, m = p[:len(grad)], m[:len(grad)]
	n := whole(k.lion != nil, len(grad))
	if n > 0 {
		k.lion(n, &p[0], &m[0], &grad[0], divisor, c.Clip, c.Beta1, c.Rest1, c.Beta2, c.Rest2, c.Rate, c.Shrink)
	}
	for i := n; i < len(grad); i++ {
		g := float32(grad[i] / divisor * c.Clip)
		sum := float32(c.Beta1*m[i]) + float32(c.Rest1*g)
		m[i] = fma.Canonical(float32(c.Beta2*m[i]) + float32(c.Rest2*g))
		p[i] = fma.Canonical(float32(p[i]*c.Shrink) - float32(c.Rate*direction(sum)))
	}
}

// direction returns the sign of x, as 1, −1 or ±0. If x is infinite or NaN, it returns NaN.
func direction(x float32) float32 {
	sign := float32(0)
	if x > 0 {
		sign = 1
	} else if x < 0 {
		sign = -1
	}
	return sign + float32(0*x)
}

// Clamp sets dst to grad/divisor, with its elements cut off at ±limit. A NaN stays a NaN.
// The vectors have the same length, and dst may be grad.
func (k *Kernels) Clamp(dst, grad []float32, divisor, limit float32) {
	dst = dst[:len(grad)]
	n := whole(k.clamp != nil, len(grad))
	if n > 0 {
		k.clamp(n, &dst[0], &grad[0], divisor, limit, -limit)
	}
	for i := n; i < len(grad); i++ {
		q := grad[i] / divisor
		if limit < q {
			q = limit
		}
		if q < -limit {
			q = -limit
		}
		dst[i] = fma.Canonical(q)
	}
}
