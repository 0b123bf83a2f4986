package numeric

import "math"

// epsilon is the distance from 1 to the next float64, 2⁻⁵².
const epsilon = 0x1p-52

// Constant reports whether n numbers are equal except for rounding. This is the case if
// their variance, computed in two passes of float64, is at most its own rounding error:
//
//	n·ε·variance + (n·ε·mean)², ε = 2⁻⁵²
//
// Every product and the sum are rounded. This is scikit-learn's rule (_is_constant_feature;
// Chan, Golub & LeVeque, "Algorithms for computing the sample variance", 1983). If the
// variance is not finite, it is unknown, and Constant returns false.
func Constant(variance, mean float64, n int64) bool {
	slack := float64(float64(n) * epsilon)
	off := float64(slack * mean)
	return variance <= math.MaxFloat64 && variance <= float64(slack*variance)+float64(off*off)
}

// ConstantRange reports whether numbers from low to high are equal except for rounding:
// high − low ≤ 10·ε·max(|low|, |high|). Every operation is rounded.
func ConstantRange(low, high float64) bool {
	return high-low <= float64(float64(10*epsilon)*max(math.Abs(low), math.Abs(high)))
}
