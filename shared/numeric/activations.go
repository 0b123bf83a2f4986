package numeric

import (
	"tributary/shared/numeric/fma"
	"tributary/shared/numeric/internal/vector"
)

// More activations, with the definitions and default parameters of torch.nn. They have no
// kernels. Each writes f(x) to y, which may be x; its backward turns d into d·f'(x), from the
// inputs x. Elements are computed in float64 and rounded once.

// SiLU computes y = x·σ(x), within 0.50005 units (Elfwing, Uchibe & Doya, "Sigmoid-weighted
// linear units for neural network function approximation in reinforcement learning", 2018;
// swish in Keras).
func SiLU(y, x []float32) { vector.Map(y, x, vector.SiLU) }

// SiLUBackward computes d = d·s(1 + x(1 − s)), s = σ(x).
func SiLUBackward(d, x []float32) { vector.Scale(d, x, vector.SiLUSlope) }

// Mish computes y = x·tanh(ln(1+eˣ)), within 0.50005 units (Misra, "Mish: a self regularized
// non-monotonic activation function", 2019).
func Mish(y, x []float32) { vector.Map(y, x, vector.Mish) }

// MishBackward computes d = d·(t + x·(1 − t²)·σ(x)), t = tanh(ln(1+eˣ)).
func MishBackward(d, x []float32) { vector.Scale(d, x, vector.MishSlope) }

// ELU computes y = x where 0 < x, else eˣ − 1, within 0.50008 units (Clevert, Unterthiner &
// Hochreiter, "Fast and accurate deep network learning by exponential linear units", 2016).
func ELU(y, x []float32) { vector.Map(y, x, vector.ELU) }

// ELUBackward computes d where 0 < x, else d·eˣ.
func ELUBackward(d, x []float32) { vector.Scale(d, x, vector.ELUSlope) }

// SELU computes y = λx where 0 < x, else λα(eˣ − 1), within 0.50008 units (Klambauer et al.,
// "Self-normalizing neural networks", 2017).
func SELU(y, x []float32) { vector.Map(y, x, vector.SELU) }

// SELUBackward computes d·λ where 0 < x, else d·λα·eˣ.
func SELUBackward(d, x []float32) { vector.Scale(d, x, vector.SELUSlope) }

// HardSigmoid computes y = x + 3 limited to 0 … 6, divided by 6 (Courbariaux et al.,
// "BinaryConnect", 2015, in PyTorch's form).
func HardSigmoid(y, x []float32) { vector.Map(y, x, vector.HardSigmoid) }

// HardSigmoidBackward computes d/6 where −3 < x < 3, else 0.
func HardSigmoidBackward(d, x []float32) { vector.Scale(d, x, vector.HardSigmoidSlope) }

// HardSwish computes y = x times the hard sigmoid of x (Howard et al., "Searching for
// MobileNetV3", 2019).
func HardSwish(y, x []float32) { vector.Map(y, x, vector.HardSwish) }

// HardSwishBackward computes 0 up to x = −3, d from 3 on, and d·(x/3 + ½) between.
func HardSwishBackward(d, x []float32) { vector.Scale(d, x, vector.HardSwishSlope) }

// Softsign computes y = x/(1+|x|).
func Softsign(y, x []float32) { vector.Map(y, x, vector.Softsign) }

// SoftsignBackward computes d/(1+|x|)².
func SoftsignBackward(d, x []float32) { vector.Scale(d, x, vector.SoftsignSlope) }

// GELUTanh computes y = ½x·(1 + tanh(√(2/π)(x + 0.044715x³))), within 0.50005 units: the
// approximation of GELU that GPT-2 has.
func GELUTanh(y, x []float32) { vector.Map(y, x, vector.GELUTanh) }

// GELUTanhBackward computes d times the derivative of GELUTanh.
func GELUTanhBackward(d, x []float32) { vector.Scale(d, x, vector.GELUTanhSlope) }

// leak is the slope of LeakyReLU below 0.
const leak = 0.01

// LeakyReLU computes y = y where 0 < y, else 0.01·y, in float32 (Maas, Hannun & Ng,
// "Rectifier nonlinearities improve neural network acoustic models", 2013).
func LeakyReLU(y []float32) { LeakyReLUBackward(y, y) }

// LeakyReLUBackward computes d = d where 0 < y, else 0.01·d, from the outputs y.
func LeakyReLUBackward(d, y []float32) {
	for i, v := range y {
		if !(v > 0) {
			d[i] = fma.Canonical(float32(leak * d[i]))
		}
	}
}

// ReLU6 computes y = y limited to 0 … 6; a NaN stays (Krizhevsky, "Convolutional deep belief
// networks on CIFAR-10", 2010).
func ReLU6(y []float32) {
	for i, v := range y {
		switch {
		case v <= 0:
			y[i] = 0
		case v > 6:
			y[i] = 6
		default:
			y[i] = fma.Canonical(v)
		}
	}
}

// ReLU6Backward computes d = d where 0 < y < 6, else +0, from the outputs y.
func ReLU6Backward(d, y []float32) {
	for i, v := range y {
		if v <= 0 || v >= 6 {
			d[i] = 0
		}
	}
}
