package numeric

import "tributary/shared/numeric/internal/vector"

// Cosine returns cos 2πu for 0 ≤ u < 1, to 2⁻³⁷.
func Cosine(u float64) float64 {
	cos, _ := vector.Circle(u)
	return cos
}
