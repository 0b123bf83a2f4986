package numeric

import "tributary/shared/numeric/internal/vector"

// RMSprop holds the constants of a step of RMSprop (Tieleman & Hinton, lecture 6.5 of
// "Neural networks for machine learning", 2012) as float32, as PyTorch uses them.
type RMSprop struct {
	Alpha, Rest float32 // α, and 1−α rounded from float64
	Rate        float32
	Epsilon     float32
	Momentum    float32
	Decay       float32 // L2: added to the gradient as decay·p
	Clip        float32 // factor of the gradient, see [Clip]; 1 for none
}

// Update folds grad/divisor into p, the mean square q, the momentum buffer m and the mean
// a:
//
//	g ← clip·(grad/divisor) + decay·p
//	q ← α·q + (1−α)·g²;  a ← α·a + (1−α)·g
//	m ← momentum·m + g / (√(q − a²) + ε);  p ← p − rate·m
//
// m is nil without momentum: then p ← p − rate·g/(√(q − a²) + ε). a is nil unless the
// optimizer is centered (Graves, "Generating sequences with recurrent neural networks",
// 2013): then q stands for q − a². If rounding makes q − a² negative, it is 0; PyTorch has a
// NaN there.
func (c RMSprop) Update(p, q, m, a, grad []float32, divisor float32) {
	kernels.RMSprop(vector.RMSprop(c), p, q, m, a, grad, divisor)
}

// Adagrad holds the constants of a step of Adagrad (Duchi et al., "Adaptive subgradient
// methods for online learning and stochastic optimization", 2011).
type Adagrad struct {
	Rate    float32 // learning rate / (1 + t·decay of the rate)
	Initial float32 // value of the sum of squares before the first step
	Epsilon float32
	Decay   float32 // L2: added to the gradient as decay·p
	Clip    float32 // factor of the gradient, see [Clip]; 1 for none
}

// Update folds grad/divisor into p and the sum of squares s, which does not include its
// initial value:
//
//	g ← clip·(grad/divisor) + decay·p;  s ← s + g²
//	p ← p − rate·g / (√(s + initial) + ε)
func (c Adagrad) Update(p, s, grad []float32, divisor float32) {
	kernels.Adagrad(vector.Adagrad(c), p, s, grad, divisor)
}

// Lion holds the constants of a step of Lion (Chen et al., "Symbolic discovery of
// optimization algorithms", 2023, algorithm 2).
type Lion struct {
	Beta1, Beta2 float32
	Rest1, Rest2 float32 // 1−β₁, 1−β₂, rounded from float64
	Rate         float32
	Shrink       float32 // p is first multiplied by 1 − rate·decay; 1 for none
	Clip         float32 // factor of the gradient, see [Clip]; 1 for none
}

// Update folds grad/divisor into p and the mean m:
//
//	g ← clip·(grad/divisor);  c ← β₁m + (1−β₁)g
//	p ← shrink·p − rate·sign(c);  m ← β₂m + (1−β₂)g
//
// The sign of 0 is 0. That of an infinite number is NaN: a step of Lion has one length, so
// it would hide the infinity otherwise.
func (c Lion) Update(p, m, grad []float32, divisor float32) {
	kernels.Lion(vector.Lion(c), p, m, grad, divisor)
}
