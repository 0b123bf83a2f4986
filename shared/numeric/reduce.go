package numeric

import (
	"math"

	"tributary/shared/numeric/internal/vector"
)

// A reduction is computed in float64 in 16 lanes. Element i is added to lane i mod 16. Each
// lane starts at +0 and adds its elements in increasing i. Then lane j + lane j+8 for j <
// 8, then +4, +2 and +1. A reduction is over the whole vector, whatever its length; it is
// not the sum of reductions over parts. A NaN result is the canonical NaN.

// Sum returns Σ v.
func Sum(v []float32) float64 { return kernels.Sum(v) }

// Dot returns Σ a·b. b has the length of a. The products are exact.
func Dot(a, b []float32) float64 { return kernels.Dot(a, b) }

// Norm returns √Σ v². The squares are exact.
func Norm(v []float32) float64 { return math.Sqrt(kernels.Squares(v)) }

// Mean returns Σ v divided by the number of elements; NaN for no elements.
func Mean(v []float32) float64 { return vector.Canonical64(kernels.Sum(v) / float64(len(v))) }

// Variance returns Σ (v − mean)² divided by the number of elements, with the mean from
// [Mean]; NaN for no elements. Difference and square are rounded.
func Variance(v []float32) float64 {
	return vector.Canonical64(kernels.Deviations(v, Mean(v)) / float64(len(v)))
}

// Max returns the greatest element of v, where +0 is greater than −0. It returns NaN if any
// element is NaN, and −Inf for no elements.
func Max(v []float32) float32 { return kernels.Max(v) }

// AbsMax returns the greatest |v|. It returns NaN if any element is NaN, and 0 for no
// elements.
func AbsMax(v []float32) float32 { return kernels.AbsMax(v) }
