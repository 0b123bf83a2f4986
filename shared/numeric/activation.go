package numeric

// Each activation works in place on its inputs y, and its backward turns
// d, the gradient with respect to the outputs, into that with respect to the
// inputs. Elements are computed in float64 and rounded once. NaN stays NaN.

// ReLU is y = max(y, 0).
func ReLU(y []float32) {
	for i, v := range y {
		if v <= 0 {
			y[i] = 0
		}
	}
}

// ReLUBackward is d = d·[y > 0], y the outputs.
func ReLUBackward(d, y []float32) {
	d = d[:len(y)]
	for i, v := range y {
		if v <= 0 {
			d[i] = 0
		}
	}
}

// Tanh is y = tanh y.
func Tanh(y []float32) {
	for i, v := range y {
		y[i] = float32(tanh(float64(v)))
	}
}

// TanhBackward is d = d·(1 − y²), y the outputs.
func TanhBackward(d, y []float32) {
	d = d[:len(y)]
	for i, v := range y {
		t := float64(v)
		d[i] = float32(float64(d[i]) * (1 - float64(t*t)))
	}
}

// Sigmoid is y = 1/(1+e⁻ʸ).
func Sigmoid(y []float32) {
	for i, v := range y {
		y[i] = float32(sigmoid(float64(v)))
	}
}

// SigmoidBackward is d = d·y·(1 − y), y the outputs.
func SigmoidBackward(d, y []float32) {
	d = d[:len(y)]
	for i, v := range y {
		s := float64(v)
		d[i] = float32(float64(d[i]) * s * (1 - s))
	}
}

// GELU is y = x Φ(x) (Hendrycks & Gimpel, "Gaussian error linear units", 2016,
// the exact form). y may be x.
func GELU(y, x []float32) {
	y = y[:len(x)]
	for i, v := range x {
		cdf, _ := normal(v)
		y[i] = float32(float64(v) * cdf)
	}
}

// GELUBackward is d = d·(Φ(x) + x φ(x)), x the inputs.
func GELUBackward(d, x []float32) {
	d = d[:len(x)]
	for i, v := range x {
		cdf, pdf := normal(v)
		d[i] = float32(float64(d[i]) * (cdf + float64(float64(v)*pdf)))
	}
}
