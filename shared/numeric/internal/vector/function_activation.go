package vector

import "math"

// Activations that have no kernels: the portable Go is what every CPU computes. Each is
// computed in float64 and rounded once. x is the input, also of a backward function.

// Map writes f(x) to dst. dst may be x.
func Map(dst, x []float32, f func(x float32) float32) {
	dst = dst[:len(x)]
	for i, v := range x {
		dst[i] = f(v)
	}
}

// Scale multiplies d by f(x), in float64, and rounds.
func Scale(d, x []float32, f func(x float64) float64) {
	d = d[:len(x)]
	for i, v := range x {
		d[i] = narrow(float64(float64(d[i]) * f(float64(v))))
	}
}

// SiLU returns x·σ(x). Below −128, x counts as −128: the result is −0.
func SiLU(x float32) float32 {
	v := float64(x)
	return narrow(float64(atLeast(v, -128) * sigmoid64(v)))
}

// SiLUSlope returns s·(1 + x·(1 − s)), s = σ(x), with 1 − s = σ(−x).
func SiLUSlope(v float64) float64 {
	a := atMost(atLeast(v, -128), 128)
	return float64(sigmoid64(a) * (1 + float64(a*sigmoid64(-a))))
}

// mish returns n = e·(e + 2) with e = eˣ, for x within ±64: tanh(ln(1+e)) is n/(n+2).
func mish(v float64) (e, n float64) {
	e = exp64(atMost(atLeast(v, -64), 64))
	return e, float64(e * (e + 2))
}

// Mish returns x·tanh(ln(1+eˣ)). Below −128, x counts as −128.
func Mish(x float32) float32 {
	v := float64(x)
	_, n := mish(atMost(v, 64))
	if v < -64 {
		n = float64(2 * exp64(atLeast(v, -128)))
	}
	return narrow(float64(atLeast(v, -128) * (n / (n + 2))))
}

// MishSlope returns t + x·4e(e+1)/(n+2)², t = n/(n+2).
func MishSlope(v float64) float64 {
	a := atMost(atLeast(v, -64), 64)
	e, n := mish(a)
	t := float64(float64(4*e)*(e+1)) / float64((n+2)*(n+2))
	return n/(n+2) + float64(a*t)
}

// ELU returns x where 0 < x, else eˣ − 1, without cancellation.
func ELU(x float32) float32 { return narrow(elu(float64(x))) }

func elu(v float64) float64 {
	if 0 < v {
		return v
	}
	s, p := exponential(atLeast(v, -128))
	return math.FMA(s, p, s-1)
}

// ELUSlope returns 1 where 0 < x, else eˣ.
func ELUSlope(v float64) float64 {
	if 0 < v {
		return 1
	}
	return exp64(atLeast(v, -128))
}

// The constants of SELU.
const (
	seluScale = 1.0507009873554804934193349852946
	seluAlpha = 1.6732632423543772848170429916717
)

// SELU returns λ·x where 0 < x, else λα·(eˣ − 1).
func SELU(x float32) float32 {
	v := float64(x)
	factor := seluScale
	if !(0 < v) {
		factor = seluScale * seluAlpha
	}
	return narrow(float64(factor * elu(v)))
}

// SELUSlope returns λ where 0 < x, else λα·eˣ.
func SELUSlope(v float64) float64 {
	if 0 < v {
		return seluScale
	}
	return float64(seluScale * seluAlpha * ELUSlope(v))
}

// HardSigmoid returns x + 3 limited to 0 … 6, divided by 6.
func HardSigmoid(x float32) float32 { return narrow(hardSigmoid(float64(x))) }

func hardSigmoid(v float64) float64 { return atMost(atLeast(v+3, 0), 6) / 6 }

// HardSigmoidSlope returns 1/6 where −3 < x < 3, 0 elsewhere, and a NaN for one.
func HardSigmoidSlope(v float64) float64 {
	switch {
	case v <= -3 || v >= 3:
		return 0
	case v != v:
		return v
	default:
		return 1.0 / 6
	}
}

// HardSwish returns x times the hard sigmoid. −∞ gives −0.
func HardSwish(x float32) float32 {
	v := float64(x)
	return narrow(float64(atLeast(v, -4) * hardSigmoid(v)))
}

// HardSwishSlope returns 0 up to −3, 1 from 3 on, and x/3 + ½ between.
func HardSwishSlope(v float64) float64 {
	switch {
	case v <= -3:
		return 0
	case v >= 3:
		return 1
	default:
		return v/3 + 0.5
	}
}

// Softsign returns x/(1+|x|). ±∞ gives ±1.
func Softsign(x float32) float32 {
	v := float64(x)
	a := atMost(math.Abs(v), 0x1p128)
	return narrow(math.Copysign(a/(1+a), v))
}

// SoftsignSlope returns 1/(1+|x|)².
func SoftsignSlope(v float64) float64 {
	a := 1 + math.Abs(v)
	return 1 / float64(a*a)
}

// The constants of the tanh form of GELU: 2√(2/π) and the factor of x³.
const (
	geluTwice = 1.5957691216057307117597842397375
	geluCube  = 0.044715
)

// geluLogit returns 2√(2/π)·(x + 0.044715x³): ½(1 + tanh(u)) is σ(2u).
func geluLogit(v float64) float64 {
	return float64(geluTwice * float64(v*(1+float64(geluCube*float64(v*v)))))
}

// GELUTanh returns ½x·(1 + tanh(√(2/π)(x + 0.044715x³))). Below −16, x counts as −16.
func GELUTanh(x float32) float32 {
	v := float64(x)
	a := atMost(atLeast(v, -16), 16)
	return narrow(float64(atLeast(v, -16) * sigmoid64(geluLogit(a))))
}

// GELUTanhSlope returns s + x·s(1−s)·2u', s = σ(2u), with 1 − s = σ(−2u).
func GELUTanhSlope(v float64) float64 {
	a := atMost(atLeast(v, -16), 16)
	z := geluLogit(a)
	s := sigmoid64(z)
	slope := float64(geluTwice * (1 + float64(3*geluCube*float64(a*a))))
	return float64(s * (1 + float64(float64(a*sigmoid64(-z))*slope)))
}
