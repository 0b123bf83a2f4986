package vector

import "tributary/shared/numeric/isa"

// Kernels is the loops of one instruction set that are no functions of package
// vector's [Functions]: sums of vectors, reductions, updates of parameters and
// conversions. A kernel takes n elements, n a positive multiple of 16, and is nil for
// none; what it leaves, the Go function beside the method does.
//
// Any NaN among the results is the canonical one.
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
}

// Of returns the kernels of s, those in Go for a set that this GOARCH has not.
func Of(s isa.Set) *Kernels {
	if k := nativeKernels[s]; k != nil {
		return k
	}
	return portableKernels
}

var portableKernels = new(Kernels)
