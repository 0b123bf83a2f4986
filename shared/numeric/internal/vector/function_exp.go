package vector

import "math"

// Exp returns eˣ. Beyond ±128, where a float32 result is only +Inf or 0, x is replaced by
// ±128.
func Exp(x float32) float32 {
	return narrow(exp64(atMost(atLeast(float64(x), -128), 128)))
}

// Sigmoid returns 1/(1+e⁻ˣ) as eˣ/(1+eˣ).
func Sigmoid(x float32) float32 { return narrow(sigmoid64(float64(x))) }

func sigmoid64(x float64) float64 {
	e := exp64(atMost(atLeast(x, -128), 128))
	return e / (1 + e)
}

// SigmoidBackward returns d·y·(1 − y), where y is the sigmoid.
func SigmoidBackward(d, y float32) float32 {
	s := float64(y)
	return narrow(float64(float64(float64(d)*s) * (1 - s)))
}

// Tanh returns m/(m+2) with m = e^{2|x|} − 1, and the sign of x. This form has no
// cancellation for any x. From |x| = 16 on the result is 1.
func Tanh(x float32) float32 {
	v := float64(x)
	a := atMost(math.Abs(v), 16)
	s, p := exponential(a + a)
	m := math.FMA(s, p, s-1)
	return narrow(math.Copysign(m/(m+2), v))
}

// TanhBackward returns d·(1 − y²), where y is the hyperbolic tangent.
func TanhBackward(d, y float32) float32 {
	t := float64(y)
	return narrow(float64(float64(d) * (1 - float64(t*t))))
}
