package numeric

import (
	"math"

	"tributary/shared/numeric/fma"
	"tributary/shared/numeric/internal/vector"
)

// Columns is the most columns of a matrix that [Normalize] takes at a time.
const Columns = 64

// Normalize writes the columns of x [U, C] to y, each scaled to a mean square of 1. With
// centre it first subtracts the mean of the column, so that the variance is 1. scale [C]
// becomes the factors. For each column, in float64, each operation rounded:
//
//	mean = Σ x / U, or 0;  v = Σ (x − mean)² / U;  scale = 1/√(v + epsilon), rounded to float32
//	y = (x − mean)·scale, rounded once more to float32
//
// Sums go from the first row to the last. C is at most [Columns]. A NaN is the canonical NaN.
//
// Sources: Ba, Kiros & Hinton, "Layer normalization", 2016, equations 3 and 4; Zhang &
// Sennrich, "Root mean square layer normalization", 2019, equation 4.
func Normalize(y, scale, x []float32, epsilon float64, centre bool) {
	c := len(scale)
	var m moments
	m.of(x, c, centre)
	m.scale(scale, len(x)/c, epsilon)
	m.normalize(y, scale, x)
}

// NormalizeBatch is [Normalize] with centre, over the positions of a micro-batch: a row of
// x [N, C] is a position, and a column is a unit. It also writes what a micro-batch
// contributes to the running statistics: Σ x to mean [C], and Σ (x − mean)²·N/(N − 1) to
// variance [C], which is +0 for N = 1. Both are rounded to float32.
//
// Source: Ioffe & Szegedy, "Batch normalization", 2015, algorithm 1, with the unbiased
// variance of algorithm 2 for the statistics, as in PyTorch.
func NormalizeBatch(y, scale, mean, variance, x []float32, epsilon float64) {
	c := len(scale)
	n := len(x) / c
	var m moments
	m.of(x, c, true)
	m.scale(scale, n, epsilon)
	m.normalize(y, scale, x)
	for j := range scale {
		mean[j] = fma.Canonical(float32(float64(m.mean[j] * float64(n))))
		variance[j] = 0
		if n > 1 {
			variance[j] = fma.Canonical(float32(float64(m.square[j] * (float64(n) / float64(n-1)))))
		}
	}
}

// moments are the means and the sums of squares about them of up to [Columns] columns.
type moments struct{ mean, square [Columns]float64 }

// of computes the moments of the c columns of x; without centre, about 0.
func (m *moments) of(x []float32, c int, centre bool) {
	if centre {
		for row := x; len(row) > 0; row = row[c:] {
			for j, v := range row[:c] {
				m.mean[j] += float64(v)
			}
		}
		rows := float64(len(x) / c)
		for j := range m.mean {
			m.mean[j] /= rows
		}
	}
	for row := x; len(row) > 0; row = row[c:] {
		for j, v := range row[:c] {
			d := float64(v) - m.mean[j]
			m.square[j] += float64(d * d)
		}
	}
}

// scale writes the factors that make the variance of columns of so many rows 1.
func (m *moments) scale(scale []float32, rows int, epsilon float64) {
	for j := range scale {
		scale[j] = float32(vector.Canonical64(1 / math.Sqrt(m.square[j]/float64(rows)+epsilon)))
	}
}

// normalize writes the columns of x to y, less their means, times scale.
func (m *moments) normalize(y, scale, x []float32) {
	c := len(scale)
	for i := 0; i < len(x); i += c {
		for j, v := range x[i : i+c] {
			y[i+j] = fma.Canonical(float32(float64((float64(v) - m.mean[j]) * float64(scale[j]))))
		}
	}
}

// NormalizeBackward writes d loss / d x to dx [U, C], from d [U, C], the gradient of y, and
// from y and scale, which [Normalize] wrote. dx may be d. For each column, in float64, each
// operation rounded:
//
//	a = Σ d / U, or 0 without centre;  b = Σ d·y / U;  dx = ((d − a) − y·b)·scale
func NormalizeBackward(dx, d, y, scale []float32, centre bool) {
	c := len(scale)
	rows := float64(len(d) / c)
	var a, b [Columns]float64
	for i := 0; i < len(d); i += c {
		for j, v := range d[i : i+c] {
			if centre {
				a[j] += float64(v)
			}
			b[j] += float64(float64(v) * float64(y[i+j]))
		}
	}
	for j := range scale {
		a[j] /= rows
		b[j] /= rows
	}
	for i := 0; i < len(d); i += c {
		for j, v := range d[i : i+c] {
			t := (float64(v) - a[j]) - float64(float64(y[i+j])*b[j])
			dx[i+j] = fma.Canonical(float32(float64(t * float64(scale[j]))))
		}
	}
}

// Multiply writes a·b to dst. a, b and dst have the same length; dst may be a or b. A NaN is
// the canonical NaN.
func Multiply(dst, a, b []float32) {
	for i, v := range a {
		dst[i] = fma.Canonical(float32(v * b[i]))
	}
}
