package vector

import "tributary/shared/numeric/isa"

// Kernels contains the loops of one instruction set that are not in [Functions]: sums of
// vectors, reductions, updates of parameters and conversions. A kernel computes n elements;
// n is a positive multiple of 16. A kernel is nil if there is none. The Go function beside
// the method computes the remaining elements.
//
// Any NaN result is the canonical NaN.
type Kernels struct {
	add          func(n int, dst, a, b *float32)
	addRows      func(n int, dst, a, b, c, d *float32)
	scale        func(n int, dst, x *float32, alpha float32)
	axpy         func(n int, y, x *float32, alpha float32)
	relu         func(n int, dst, x *float32)
	reluBackward func(n int, dst, d, y *float32)

	sum, absSum, squares func(n int, lanes *Lanes, x *float32)
	deviations           func(n int, lanes *Lanes, x *float32, mean float64)
	dot                  func(n int, lanes *Lanes, x, y *float32)
	max, absMax          func(n int, top *maxima, x *float32)

	toFloat16, toBfloat16     func(n int, dst *uint16, x *float32)
	fromFloat16, fromBfloat16 func(n int, dst *float32, x *uint16)
	toInt8                    func(n int, dst *int8, x *float32, scale float32)
	fromInt8                  func(n int, dst *float32, x *int8, scale float32)

	descend            func(n int, p, grad *float32, divisor, clip, rate float32)
	descendDecay       func(n int, p, grad *float32, divisor, clip, rate, decay float32)
	momentum, nesterov func(n int, p, m, grad *float32, divisor, clip, rate, momentum float32)
	momentumDecay      func(n int, p, m, grad *float32, divisor, clip, rate, momentum, decay float32)
	nesterovDecay      func(n int, p, m, grad *float32, divisor, clip, rate, momentum, decay float32)
	adam               func(n int, p, m, v, grad *float32, divisor, clip, beta1, rest1, beta2, rest2, rate, root2, epsilon, shrink float32)
	adamDecay          func(n int, p, m, v, grad *float32, divisor, clip, beta1, rest1, beta2, rest2, rate, root2, epsilon, shrink, decay float32)

	rmsprop         func(n int, p, q, grad *float32, divisor, clip, decay, alpha, rest, rate, epsilon float32)
	rmspropMomentum func(n int, p, q, m, grad *float32, divisor, clip, decay, alpha, rest, rate, epsilon, momentum float32)
	rmspropCentered func(n int, p, q, a, grad *float32, divisor, clip, decay, alpha, rest, rate, epsilon float32)
	rmspropBoth     func(n int, p, q, m, a, grad *float32, divisor, clip, decay, alpha, rest, rate, epsilon, momentum float32)
	adagrad         func(n int, p, s, grad *float32, divisor, clip, decay, rate, initial, epsilon float32)
	lion            func(n int, p, m, grad *float32, divisor, clip, beta1, rest1, beta2, rest2, rate, shrink float32)
	clamp           func(n int, dst, grad *float32, divisor, limit, least float32)
}

// Of returns the kernels of s. For a set that this GOARCH does not have, it returns the
// kernels in Go.
func Of(s isa.Set) *Kernels {
	if k := nativeKernels[s]; k != nil {
		return k
	}
	return portableKernels
}

var portableKernels = new(Kernels)
