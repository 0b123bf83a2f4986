package vector

import "math"

const (
	density0    = 0x1.9884533d43651p-02 // 1/√(2π), the normal density at 0
	millsCenter = 4.625
	millsEnd    = 20 // beyond it, the tail is replaced by its value here, which is below 2⁻²⁹⁰
)

// tail returns a = |v|, at most 20, e = e^{−a²/2} and t = (1 − Φ(a))/e, where Φ is the
// standard normal distribution. a²/2 is exact, because v is a float32.
func tail(v float64) (a, e, t float64) {
	a = atMost(math.Abs(v), millsEnd)
	e = exp64(float64(float64(-0.5*a) * a))
	x := (a - millsCenter) / (a + millsCenter)
	c := &millsPolynomial
	t = math.FMA(c[13], x, c[12])
	t = math.FMA(t, x, c[11])
	t = math.FMA(t, x, c[10])
	t = math.FMA(t, x, c[9])
	t = math.FMA(t, x, c[8])
	t = math.FMA(t, x, c[7])
	t = math.FMA(t, x, c[6])
	t = math.FMA(t, x, c[5])
	t = math.FMA(t, x, c[4])
	t = math.FMA(t, x, c[3])
	t = math.FMA(t, x, c[2])
	t = math.FMA(t, x, c[1])
	t = math.FMA(t, x, c[0])
	return a, e, t
}

// GELU returns x Φ(x) as max(x, 0) − |x|·(1 − Φ(|x|)).
func GELU(x float32) float32 {
	v := float64(x)
	a, e, t := tail(v)
	return narrow(math.FMA(-a, float64(e*t), positive(v)))
}

// GELUBackward returns d·(Φ(x) + x φ(x)), where x is the input. With a = |x| and w = 1 −
// Φ(a) − a φ(a), the second factor is w if x < 0, else 1 − w.
func GELUBackward(d, x float32) float32 {
	v := float64(x)
	a, e, t := tail(v)
	w := float64(e * math.FMA(-density0, a, t))
	slope := 1 - w
	if v < 0 {
		slope = w
	}
	return narrow(float64(float64(d) * slope))
}
