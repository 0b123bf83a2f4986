package vector

import "math"

// Circle returns cos 2πu and sin 2πu for 0 ≤ u < 1. The split 4u = q + f with |f| ≤ ½ is
// exact. The polynomials are in f², and q is the number of quarter turns.
func Circle(u float64) (cos, sin float64) {
	q := math.RoundToEven(4 * u)
	f := float64(4*u) - q
	z := float64(f * f)
	a := &cosinePolynomial
	c := math.FMA(a[5], z, a[4])
	c = math.FMA(c, z, a[3])
	c = math.FMA(c, z, a[2])
	c = math.FMA(c, z, a[1])
	c = math.FMA(c, z, a[0])
	b := &sinePolynomial
	s := math.FMA(b[4], z, b[3])
	s = math.FMA(s, z, b[2])
	s = math.FMA(s, z, b[1])
	s = math.FMA(s, z, b[0])
	s = float64(s * f)
	switch q {
	case 1:
		return -s, c
	case 2:
		return -c, -s
	case 3:
		return s, -c
	}
	return c, s
}
