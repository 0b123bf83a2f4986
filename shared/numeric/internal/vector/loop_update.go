package vector

import (
	"math"

	"tributary/shared/numeric/fma"
)

// Descent holds the constants of gradient descent; see package numeric.
type Descent struct {
	Rate, Momentum, Decay float32
	Nesterov              bool
	Clip                  float32
}

// Descend folds grad/divisor into p and, unless m is nil, into m. All vectors have the
// length of grad.
func (k *Kernels) Descend(c Descent, p, m, grad []float32, divisor float32) {
	n := len(grad) &^ 15
	p = p[:len(grad)]
	if m != nil {
		m = m[:len(grad)]
	}
	switch {
	case k.descend == nil:
		n = 0
	case n == 0:
	case m == nil && c.Decay == 0:
		k.descend(n, &p[0], &grad[0], divisor, c.Clip, c.Rate)
	case m == nil:
		k.descendDecay(n, &p[0], &grad[0], divisor, c.Clip, c.Rate, c.Decay)
	case c.Nesterov && c.Decay == 0:
		k.nesterov(n, &p[0], &m[0], &grad[0], divisor, c.Clip, c.Rate, c.Momentum)
	case c.Nesterov:
		k.nesterovDecay(n, &p[0], &m[0], &grad[0], divisor, c.Clip, c.Rate, c.Momentum, c.Decay)
	case c.Decay == 0:
		k.momentum(n, &p[0], &m[0], &grad[0], divisor, c.Clip, c.Rate, c.Momentum)
	default:
		k.momentumDecay(n, &p[0], &m[0], &grad[0], divisor, c.Clip, c.Rate, c.Momentum, c.Decay)
	}
	for i := n; i < len(grad); i++ {
		g := gradient(grad[i], divisor, c.Clip, c.Decay, p[i])
		if m != nil {
			v := fma.Canonical(float32(c.Momentum*m[i]) + g)
			m[i] = v
			if c.Nesterov {
				g += float32(c.Momentum * v)
			} else {
				g = v
			}
		}
		p[i] = fma.Canonical(p[i] - float32(c.Rate*g))
	}
}

// gradient returns (g/divisor)·clip + decay·w. If decay is 0, it does not compute the sum.
func gradient(g, divisor, clip, decay, w float32) float32 {
	g = float32(g / divisor * clip)
	if decay != 0 {
		g += float32(decay * w)
	}
	return g
}

// Moments holds the constants of a step of Adam; see package numeric.
type Moments struct {
	Beta1, Beta2 float32
	Rest1, Rest2 float32
	Rate         float32
	Root2        float32
	Epsilon      float32
	Decay        float32
	Shrink       float32
	Clip         float32
}

// Adam folds grad/divisor into p, m and v. All vectors have the length of grad.
func (k *Kernels) Adam(c Moments, p, m, v, grad []float32, divisor float32) {
	p, m, v = p[:len(grad)], m[:len(grad)], v[:len(grad)]
	n := whole(k.adam != nil, len(grad))
	switch {
	case n == 0:
	case c.Decay == 0:
		k.adam(n, &p[0], &m[0], &v[0], &grad[0], divisor, c.Clip, c.Beta1, c.Rest1, c.Beta2, c.Rest2, c.Rate, c.Root2, c.Epsilon, c.Shrink)
	default:
		k.adamDecay(n, &p[0], &m[0], &v[0], &grad[0], divisor, c.Clip, c.Beta1, c.Rest1, c.Beta2, c.Rest2, c.Rate, c.Root2, c.Epsilon, c.Shrink, c.Decay)
	}
	for i := n; i < len(grad); i++ {
		g := gradient(grad[i], divisor, c.Clip, c.Decay, p[i])
		w := float32(p[i] * c.Shrink)
		mi := float32(c.Beta1*m[i]) + float32(c.Rest1*g)
		vi := float32(c.Beta2*v[i]) + float32(c.Rest2*float32(g*g))
		m[i], v[i] = fma.Canonical(mi), fma.Canonical(vi)
		root := float32(math.Sqrt(float64(vi)))
		p[i] = fma.Canonical(w - float32(c.Rate*mi)/(root/c.Root2+c.Epsilon))
	}
}
