package numeric

import (
	"tributary/shared/numeric/internal/vector"
	"tributary/shared/numeric/isa"
)

// kernels are the kernels for the instruction set of this process.
var kernels = vector.Of(isa.Chosen())

// Add writes a + b to dst. a, b and dst have the same length; dst may be a or b. A NaN
// result is the canonical NaN.
func Add(dst, a, b []float32) { kernels.Add(dst, a, b) }

// AllFinite reports whether v has no NaN and no infinity.
func AllFinite(v []float32) bool {
	top := kernels.AbsMax(v)
	return top-top == 0
}

// AddBias adds b [O] to each row of y [B, O].
func AddBias(y, b []float32) {
	for n := len(b); len(y) > 0; y = y[n:] {
		kernels.Add(y[:n], y[:n], b)
	}
}

// ColumnSums writes the sum over the rows of y [B, O] to dst [O]. It adds row after row in
// float32.
func ColumnSums(dst, y []float32) {
	clear(dst)
	kernels.AddRows(dst, y)
}
