package numeric

import "math"

// invSqrt2Pi is 1/√(2π).
const invSqrt2Pi = 0.39894228040143267794

// erfcx holds the Chebyshev coefficients of e^{z²} erfc(z) / t on t in (0, 1],
// t = 3.75/(3.75+z), z ≥ 0; the first that is left out is below 10⁻¹⁶.
var erfcx = [...]float64{
	0.42140586010904041498, 0.3774744436283200059, 0.14160448337558904556,
	0.044721364194923907479, 0.011795970671560798918, 0.0025349704447309526303,
	0.00041856598124647109618, 0.00004476430032449989264, 5.2578054118008905021e-7,
	-8.2319243217531286528e-7, -1.3165121851674721016e-7, 2.5425950577591975665e-9,
	3.6155375955980612626e-9, 2.8881129031517165752e-10, -7.7440490947128067303e-11,
	-1.4154099941115765461e-11, 1.5415320802918530645e-12, 5.3167608384418178601e-13,
	-3.1266208417670863139e-14, -1.9314059802186273436e-14, 7.6819446209901730323e-16,
	7.212640982187384006e-16,
}

// normal returns the standard normal distribution function Φ(x) and its
// density φ(x) = e^{−x²/2}/√(2π). x is a float32, so that x²/2 is exact.
func normal(x float32) (cdf, pdf float64) {
	v := float64(x)
	e := exp(-0.5 * float64(v*v))
	t := 3.75 / (3.75 + float64(math.Abs(v)*(1/math.Sqrt2)))
	upper := float64(float64(0.5*e) * float64(t*chebyshev(erfcx[:], float64(2*t)-1))) // ½ erfc(|x|/√2)
	if x > 0 {
		upper = 1 - upper
	}
	return upper, float64(e * invSqrt2Pi)
}

// chebyshev evaluates Σ c[i] Tᵢ(x) by Clenshaw's recurrence.
func chebyshev(c []float64, x float64) float64 {
	var b1, b2 float64
	for i := len(c) - 1; i > 0; i-- {
		b1, b2 = float64(float64(2*x)*b1)-b2+c[i], b1
	}
	return float64(x*b1) - b2 + c[0]
}
