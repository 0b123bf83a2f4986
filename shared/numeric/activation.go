package numeric

import (
	"tributary/shared/numeric/internal/vector"
	"tributary/shared/numeric/isa"
)

// functions are the functions for the instruction set of this process.
var functions = vector.FunctionsOf(isa.Chosen())

// Each activation works in place on its inputs y. Its backward turns d from the gradient of
// the outputs into the gradient of the inputs. Except for ReLU, elements are computed in
// float64 and rounded once to float32, and a NaN result is the canonical NaN. The stated
// errors are the largest over all float32, as measured, in units of the last place.

// ReLU computes y = max(y, 0): +0 where y ≤ 0, else y.
func ReLU(y []float32) { kernels.ReLU(y, y) }

// ReLUBackward computes d = d·[y > 0] from the outputs y: +0 where y ≤ 0, else d.
func ReLUBackward(d, y []float32) { kernels.ReLUBackward(d, d, y) }

// Tanh computes y = tanh y, within 0.50008 units.
func Tanh(y []float32) { functions.Tanh.Apply(y, y) }

// TanhBackward computes d = d·(1 − y²) from the outputs y.
func TanhBackward(d, y []float32) { functions.TanhBackward.Apply(d, d, y) }

// Sigmoid computes y = 1/(1+e⁻ʸ), within 0.50002 units.
func Sigmoid(y []float32) { functions.Sigmoid.Apply(y, y) }

// SigmoidBackward computes d = d·y·(1 − y) from the outputs y.
func SigmoidBackward(d, y []float32) { functions.SigmoidBackward.Apply(d, d, y) }

// GELU computes y = x Φ(x) (Hendrycks & Gimpel, "Gaussian error linear units", 2016, the
// exact form), within 0.50012 units. y may be x.
func GELU(y, x []float32) { functions.GELU.Apply(y, x) }

// GELUBackward computes d = d·(Φ(x) + x φ(x)) from the inputs x. The second factor is zero
// at x = −0.7517916. Near this x its absolute error is up to 2⁻³⁹; the relative error is
// not bounded there.
func GELUBackward(d, x []float32) { functions.GELUBackward.Apply(d, d, x) }

// Softplus computes y = ln(1+eʸ), within 0.50005 units.
func Softplus(y []float32) { functions.Softplus.Apply(y, y) }

// SoftplusBackward computes d = d/(1+e⁻ˣ) from the inputs x.
func SoftplusBackward(d, x []float32) { functions.SoftplusBackward.Apply(d, d, x) }
