package vector

import "math"

// shifted returns e^{z−top}, where top is the greatest element of z's row. A difference
// below −128 is replaced by −128.
func shifted(z, top float32) float64 {
	return exp64(atLeast(float64(z)-float64(top), -128))
}

// expSum adds e^{z−top} to lanes.
func expSum(lanes *Lanes, z []float32, top float32) {
	for i, v := range z {
		lanes[i%16] += shifted(v, top)
	}
}

// softmax writes e^{z−top}/sum to dst.
func softmax(dst, z []float32, top float32, sum float64) {
	dst = dst[:len(z)]
	for i, v := range z {
		dst[i] = narrow(shifted(v, top) / sum)
	}
}

// SoftmaxGradient returns e^{z−top}/sum − 1, rounded once: the gradient at the row's own
// class.
func SoftmaxGradient(z, top float32, sum float64) float32 { return narrow(shifted(z, top)/sum - 1) }

// sigmoidLoss adds the terms of elements to lanes.
func sigmoidLoss(lanes *Lanes, z, y []float32) {
	y = y[:len(z)]
	for i := range z {
		lanes[i%16] += sigmoidTerm(z[i], y[i])
	}
}

// sigmoidTerm returns max(z, 0) − z·y + ln(1+e^{−|z|}), or a NaN if y is neither 0 nor 1.
func sigmoidTerm(z, y float32) float64 {
	v, t := float64(z), float64(y)
	l := softplus64(v, positive(v)-float64(v*t))
	if 0 < math.Abs(t*(1-t)) {
		l = math.NaN()
	}
	return l
}

// SigmoidGradient returns σ(z) − y.
func SigmoidGradient(z, y float32) float32 { return narrow(sigmoid64(float64(z)) - float64(y)) }

// squaredError adds (z − y)² to lanes.
func squaredError(lanes *Lanes, z, y []float32) {
	y = y[:len(z)]
	for i := range z {
		r := float64(z[i]) - float64(y[i])
		lanes[i%16] += float64(r * r)
	}
}

// residual writes scale·(z − y) to d.
func residual(d, z, y []float32, scale float64) {
	d, y = d[:len(z)], y[:len(z)]
	for i := range z {
		d[i] = narrow(float64(scale * (float64(z[i]) - float64(y[i]))))
	}
}
