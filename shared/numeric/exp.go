package numeric

// Exp computes y = eʸ. Each element is computed in float64 and rounded once: within 0.50003
// units of the last place over all float32, as measured.
func Exp(y []float32) { functions.Exp.Apply(y, y) }

// Rsqrt computes y = 1/√y. Each element is computed in float64 and rounded once: within
// 0.50001 units of the last place over all float32, as measured.
func Rsqrt(y []float32) { functions.Rsqrt.Apply(y, y) }
