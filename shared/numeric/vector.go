package numeric

import "math"

// Add writes a + b to dst; all have dst's length. dst may be a or b.
func Add(dst, a, b []float32) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = a[i] + b[i]
	}
}

// Sum returns the sum of v, in float64, from the first element to the last.
func Sum(v []float32) float64 {
	s := 0.0
	for _, x := range v {
		s += float64(x)
	}
	return s
}

// AllFinite reports whether v holds neither a NaN nor an infinity.
func AllFinite(v []float32) bool {
	const exponent = 0xff << 23
	for _, x := range v {
		if math.Float32bits(x)&exponent == exponent {
			return false
		}
	}
	return true
}

// AddBias adds b [O] to each row of y [B, O].
func AddBias(y, b []float32) {
	for n := len(b); len(y) > 0; y = y[n:] {
		Add(y[:n], y[:n], b)
	}
}

// ColumnSums writes the sum over the rows of y [B, O] to dst [O], adding row
// after row.
func ColumnSums(dst, y []float32) {
	clear(dst)
	for n := len(dst); len(y) > 0; y = y[n:] {
		Add(dst, dst, y[:n])
	}
}
