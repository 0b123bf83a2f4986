package numeric

import "tributary/shared/numeric/fma"

// Clip returns the factor that scales the gradient grad/divisor to a norm of at most limit
// (torch.nn.utils.clip_grad_norm_; Pascanu et al., "On the difficulty of training recurrent
// neural networks", 2013). grad must be the whole gradient:
//
//	min(1, limit/(‖grad‖/divisor + 10⁻⁶))
//
// It computes in float64 and rounds to float32 at the end. A gradient with a NaN gives a
// NaN. An infinite gradient gives 0, and 0·∞ is NaN. Clipping therefore hides neither.
func Clip(grad []float32, divisor float32, limit float64) float32 {
	norm := Norm(grad) / float64(divisor)
	return fma.Canonical(float32(min(1, limit/(norm+1e-6))))
}

// ClipValue sets dst to grad/divisor, with elements below −limit or above limit set to it
// (torch.nn.utils.clip_grad_value_). As in PyTorch, an infinite element is cut off, and a
// NaN is kept. The vectors have the same length, and dst may be grad. limit is above 0.
func ClipValue(dst, grad []float32, divisor, limit float32) {
	kernels.Clamp(dst, grad, divisor, limit)
}
