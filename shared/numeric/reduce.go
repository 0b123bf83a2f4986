package numeric

import (
	"math"

	"tributary/shared/numeric/internal/vector"
)

// A reduction is computed in float64 in 16 lanes: element i is added to lane i mod
// 16, each lane starts at +0 and adds its elements in increasing i; then lane j + lane
// j+8 for j < 8, then +4, +2 and +1. It is one whatever the length of the vector,
// and not the sum of those over parts of it. A NaN is the canonical one.

// Sum returns Σ v.
func Sum(v []float32) float64 { return kernels.Sum(v) }

// Dot returns Σ a·b, b as long as a. The products are exact.
func Dot(a, b []float32) float64 { return kernels.Dot(a, b) }

// Norm returns √Σ v². The squares are exact.
func Norm(v []float32) float64 { return math.Sqrt(kernels.Squares(v)) }

// Mean returns Σ v divided by their number; NaN of none.
func Mean(v []float32) float64 { return vector.Canonical64(kernels.Sum(v) / float64(len(v))) }

// Variance returns Σ (v − mean)² divided by the number of elements, mean being
// [Mean]'s; NaN of none. Difference and square are rounded.
func Variance(v []float32) float64 {
	return vector.Canonical64(kernels.Deviations(v, Mean(v)) / float64(len(v)))
}

// Max returns the greatest element of v, +0 being greater than −0; NaN if any is
// NaN, and −Inf of none.
func Max(v []float32) float32 { return kernels.Max(v) }

// AbsMax returns the greatest |v|; NaN if any is NaN, and 0 of none.
func AbsMax(v []float32) float32 { return kernels.AbsMax(v) }
