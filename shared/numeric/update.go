package numeric

import "tributary/shared/numeric/internal/vector"

// Descent holds the constants of stochastic gradient descent as float32, as PyTorch uses
// them (torch.optim.SGD, dampening 0).
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
	kernels.Descend(vector.Descent(c), p, m, grad, divisor)
}

// Moments holds the constants of one step of Adam (Kingma & Ba, 2015, algorithm 1).
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
	kernels.Adam(vector.Moments(c), p, m, v, grad, divisor)
}
