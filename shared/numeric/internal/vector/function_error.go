package vector

import "math"

// Losses over numbers that have no kernels: the portable Go is what every CPU computes. r is
// the error z − y in float64. Where the code has an if, it selects between values.

// slope returns below if r < 0, above if 0 < r, else r, which is ±0 or NaN.
func slope(r, below, above float64) float64 {
	switch {
	case r < 0:
		return below
	case 0 < r:
		return above
	default:
		return r
	}
}

// SlopedError adds slope·r to the lanes.
func SlopedError(lanes *Lanes, z, y []float32, below, above float64) {
	y = y[:len(z)]
	for i := range z {
		r := float64(z[i]) - float64(y[i])
		lanes[i%16] += float64(slope(r, below, above) * r)
	}
}

// Slope writes scale·slope to d, rounded once; d may be z or y.
func Slope(d, z, y []float32, below, above, scale float64) {
	d, y = d[:len(z)], y[:len(z)]
	for i := range z {
		r := float64(z[i]) - float64(y[i])
		d[i] = narrow(float64(scale * slope(r, below, above)))
	}
}

// HuberError adds c·(r − ½c) to the lanes, where c is r limited to ±delta. This is ½r² up to
// delta, and delta·(|r| − ½delta) beyond.
func HuberError(lanes *Lanes, z, y []float32, delta float64) {
	y = y[:len(z)]
	for i := range z {
		r := float64(z[i]) - float64(y[i])
		c := atMost(atLeast(r, -delta), delta)
		lanes[i%16] += float64(c * (r - float64(0.5*c)))
	}
}

// HuberSlope writes scale·c to d, rounded once, where c is r limited to ±delta; d may be z or
// y.
func HuberSlope(d, z, y []float32, delta, scale float64) {
	d, y = d[:len(z)], y[:len(z)]
	for i := range z {
		r := float64(z[i]) - float64(y[i])
		d[i] = narrow(float64(scale * atMost(atLeast(r, -delta), delta)))
	}
}

// rate returns e^z. Beyond 128, which is no rate of a float32, it returns +Inf; below −128 it
// returns e^−128.
func rate(z float64) float64 {
	if 128 < z {
		return math.Inf(1)
	}
	return exp64(atLeast(z, -128))
}

// PoissonError adds e^z − y·z to the lanes, or a NaN if y is negative.
func PoissonError(lanes *Lanes, z, y []float32) {
	y = y[:len(z)]
	for i := range z {
		v, t := float64(z[i]), float64(y[i])
		l := rate(v) - float64(t*v)
		if t < 0 {
			l = math.NaN()
		}
		lanes[i%16] += l
	}
}

// PoissonSlope writes scale·(e^z − y) to d, rounded once; d may be z or y.
func PoissonSlope(d, z, y []float32, scale float64) {
	d, y = d[:len(z)], y[:len(z)]
	for i := range z {
		d[i] = narrow(float64(scale * (rate(float64(z[i])) - float64(y[i]))))
	}
}

// BelowSum returns Σ (z − top) in 16 lanes.
func BelowSum(z []float32, top float32) float64 {
	var lanes Lanes
	for i, v := range z {
		lanes[i%16] += float64(v) - float64(top)
	}
	return lanes.Sum()
}

// SmoothedGradient returns e^{z−top}/sum − target, rounded once.
func SmoothedGradient(z, top float32, sum, target float64) float32 {
	return narrow(shifted(z, top)/sum - target)
}

// Lower subtracts v from each element of d, in float64, and rounds.
func Lower(d []float32, v float64) {
	for i, x := range d {
		d[i] = narrow(float64(x) - v)
	}
}

// SigmoidSlope writes scale·(σ(z) − y) to d, rounded once; d may be z or y.
func SigmoidSlope(d, z, y []float32, scale float64) {
	d, y = d[:len(z)], y[:len(z)]
	for i := range z {
		d[i] = narrow(float64(scale * (sigmoid64(float64(z[i])) - float64(y[i]))))
	}
}
