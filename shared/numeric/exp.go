package numeric

// Exp is y = eʸ, each element computed in float64 and rounded once.
func Exp(y []float32) { functions.Exp.Apply(y, y) }

// Rsqrt is y = 1/√y, each element computed in float64 and rounded once.
func Rsqrt(y []float32) { functions.Rsqrt.Apply(y, y) }
