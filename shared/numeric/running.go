package numeric

import (
	"math"

	"tributary/shared/numeric/fma"
	"tributary/shared/numeric/internal/vector"
)

// Running moves running statistics r towards the mean sum/count of those of a batch, in
// float64, each operation rounded, the result rounded once more to float32:
//
//	r ← (1 − momentum)·r + momentum·(sum/count)
//
// A NaN is the canonical NaN.
func Running(r, sum []float32, count, momentum float64) {
	sum = sum[:len(r)]
	rest := 1 - momentum
	for i, v := range r {
		mean := float64(sum[i]) / count
		r[i] = fma.Canonical(float32(float64(rest*float64(v)) + float64(momentum*mean)))
	}
}

// RunningScale writes the factors 1/√(variance + epsilon) to scale, in float64, each
// operation rounded, the result rounded once more to float32.
func RunningScale(scale, variance []float32, epsilon float64) {
	for i, v := range variance {
		scale[i] = float32(vector.Canonical64(1 / math.Sqrt(float64(v)+epsilon)))
	}
}

// Standardize writes (x − mean)·scale to y, in float64, each operation rounded, the result
// rounded once more to float32. All slices have the same length. A NaN is the canonical NaN.
func Standardize(y, x, mean, scale []float32) {
	for i, v := range x {
		y[i] = fma.Canonical(float32(float64((float64(v) - float64(mean[i])) * float64(scale[i]))))
	}
}
