package numeric

import (
	"tributary/shared/numeric/internal/vector"
	"tributary/shared/numeric/isa"
)

// functions are those of the instruction set of this process.
var functions = vector.FunctionsOf(isa.Chosen())

// Each activation works in place on its inputs y, and its backward turns
// d, the gradient with respect to the outputs, into that with respect to the
// inputs. But for ReLU's, elements are computed in float64 and rounded once to
// float32, and any NaN that comes of it is the canonical one. The errors stated are
// the greatest over all float32, in units of the last place, as measured.

// ReLU is y = max(y, 0): +0 where y ≤ 0, else y.
func ReLU(y []float32) { kernels.ReLU(y, y) }

// ReLUBackward is d = d·[y > 0], y the outputs: +0 where y ≤ 0, else d.
func ReLUBackward(d, y []float32) { kernels.ReLUBackward(d, d, y) }

// Tanh is y = tanh y, within 0.50008 units.
func Tanh(y []float32) { functions.Tanh.Apply(y, y) }

// TanhBackward is d = d·(1 − y²), y the outputs.
func TanhBackward(d, y []float32) { functions.TanhBackward.Apply(d, d, y) }

// Sigmoid is y = 1/(1+e⁻ʸ), within 0.50002 units.
func Sigmoid(y []float32) { functions.Sigmoid.Apply(y, y) }

// SigmoidBackward is d = d·y·(1 − y), y the outputs.
func SigmoidBackward(d, y []float32) { functions.SigmoidBackward.Apply(d, d, y) }

// GELU is y = x Φ(x) (Hendrycks & Gimpel, "Gaussian error linear units", 2016,
// the exact form), within 0.50012 units. y may be x.
func GELU(y, x []float32) { functions.GELU.Apply(y, x) }

// GELUBackward is d = d·(Φ(x) + x φ(x)), x the inputs. The second factor has a zero
// at x = −0.7517916; beside it its error is up to 2⁻³⁹, not in proportion to it.
func GELUBackward(d, x []float32) { functions.GELUBackward.Apply(d, d, x) }

// Softplus is y = ln(1+eʸ), within 0.50005 units.
func Softplus(y []float32) { functions.Softplus.Apply(y, y) }

// SoftplusBackward is d = d/(1+e⁻ˣ), x the inputs.
func SoftplusBackward(d, x []float32) { functions.SoftplusBackward.Apply(d, d, x) }
