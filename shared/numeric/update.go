package numeric

import "math"

// Descent is stochastic gradient descent's constants as float32, as PyTorch
// applies them (torch.optim.SGD, dampening 0).
type Descent struct {
	Rate, Momentum, Decay float32
	Nesterov              bool
	Clip                  float32 // factor of the gradient, see [Clip]; 1 for none
}

// Update folds grad/divisor into p and the momentum buffer m (Sutskever et al.,
// "On the importance of initialization and momentum", 2013, in PyTorch's form):
//
//	g ← clip·(grad/divisor) + decay·p;  m ← momentum·m + g;  p ← p − rate·m
//
// or p ← p − rate·(g + momentum·m) with Nesterov. m is nil without momentum.
func (c Descent) Update(p, m, grad []float32, divisor float32) {
	p = p[:len(grad)]
	for i, g := range grad {
		g = float32(g / divisor * c.Clip)
		if c.Decay != 0 {
			g += float32(c.Decay * p[i])
		}
		if m != nil {
			v := float32(c.Momentum*m[i]) + g
			m[i] = v
			if c.Nesterov {
				g += float32(c.Momentum * v)
			} else {
				g = v
			}
		}
		p[i] -= float32(c.Rate * g)
	}
}

// Moments is one step of Adam's constants (Kingma & Ba, 2015, algorithm 1).
type Moments struct {
	Beta1, Beta2 float32
	Rest1, Rest2 float32 // 1−β₁, 1−β₂, rounded from float64
	Rate         float32 // learning rate / (1−β₁ᵗ)
	Root2        float32 // √(1−β₂ᵗ)
	Epsilon      float32
	Decay        float32 // L2: added to the gradient as decay·p
	Shrink       float32 // decoupled: p is first multiplied by 1 − rate·decay; 1 for none
	Clip         float32 // factor of the gradient, see [Clip]; 1 for none
}

// Update folds grad/divisor into p and the moments m and v:
//
//	g ← clip·(grad/divisor) + decay·p;  p ← shrink·p
//	m ← β₁m + (1−β₁)g;  v ← β₂v + (1−β₂)g²
//	p ← p − rate·m / (√v/root2 + ε)
func (c Moments) Update(p, m, v, grad []float32, divisor float32) {
	p, m, v = p[:len(grad)], m[:len(grad)], v[:len(grad)]
	for i, g := range grad {
		g = float32(g / divisor * c.Clip)
		w := p[i]
		if c.Decay != 0 {
			g += float32(c.Decay * w)
		}
		w = float32(w * c.Shrink)
		mi := float32(c.Beta1*m[i]) + float32(c.Rest1*g)
		vi := float32(c.Beta2*v[i]) + float32(c.Rest2*float32(g*g))
		m[i], v[i] = mi, vi
		root := float32(math.Sqrt(float64(vi)))
		p[i] = w - float32(c.Rate*mi)/(root/c.Root2+c.Epsilon)
	}
}
