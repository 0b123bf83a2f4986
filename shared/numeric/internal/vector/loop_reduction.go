package vector

import (
	"math"

	"tributary/shared/numeric/fma"
)

// reduce returns the sum of the terms of x in 16 lanes. Each term is computed in float64.
func reduce(kernel func(n int, lanes *Lanes, x *float32), x []float32, add func(lanes *Lanes, x []float32)) float64 {
	w := Borrow()
	defer w.Return()
	w.lanes = Lanes{}
	n := whole(kernel != nil, len(x))
	if n > 0 {
		kernel(n, &w.lanes, &x[0])
	}
	add(&w.lanes, x[n:])
	return w.lanes.Sum()
}

// Sum returns Σ x.
func (k *Kernels) Sum(x []float32) float64 { return reduce(k.sum, x, addTo) }

func addTo(lanes *Lanes, x []float32) {
	for i, v := range x {
		lanes[i%16] += float64(v)
	}
}

// AbsSum returns Σ |x|.
func (k *Kernels) AbsSum(x []float32) float64 { return reduce(k.absSum, x, addAbs) }

func addAbs(lanes *Lanes, x []float32) {
	for i, v := range x {
		lanes[i%16] += math.Abs(float64(v))
	}
}

// Squares returns Σ x². Each square is exact.
func (k *Kernels) Squares(x []float32) float64 { return reduce(k.squares, x, addSquares) }

func addSquares(lanes *Lanes, x []float32) {
	for i, v := range x {
		lanes[i%16] += float64(float64(v) * float64(v))
	}
}

// Deviations returns Σ (x − mean)². Difference and square are rounded.
func (k *Kernels) Deviations(x []float32, mean float64) float64 {
	w := Borrow()
	defer w.Return()
	w.lanes = Lanes{}
	n := whole(k.deviations != nil, len(x))
	if n > 0 {
		k.deviations(n, &w.lanes, &x[0], mean)
	}
	for i, v := range x[n:] {
		d := float64(v) - mean
		w.lanes[i%16] += float64(d * d)
	}
	return w.lanes.Sum()
}

// Dot returns Σ x·y. Each product is exact. y has the length of x.
func (k *Kernels) Dot(x, y []float32) float64 {
	y = y[:len(x)]
	w := Borrow()
	defer w.Return()
	w.lanes = Lanes{}
	n := whole(k.dot != nil, len(x))
	if n > 0 {
		k.dot(n, &w.lanes, &x[0], &y[0])
	}
	for i := n; i < len(x); i++ {
		w.lanes[i%16] += float64(float64(x[i]) * float64(y[i]))
	}
	return w.lanes.Sum()
}

// maxima holds the greatest rank of each of 16 parts of a vector.
type maxima [16]int32

func (m *maxima) greatest() int32 {
	top := m[0]
	for _, v := range m {
		top = max(top, v)
	}
	return top
}

// rank maps the bits of a float32 to an integer, such that integers are ordered like the
// numbers: −0 is below +0, and the canonical NaN is above all. It is its own inverse.
func rank(b int32) int32 { return b ^ int32(uint32(b>>31)>>1) }

// lowest is the rank of −Inf.
const lowest = -0x7f800001

// Max returns the greatest element of x, where +0 is greater than −0. It returns NaN if any
// element is NaN, and −Inf for no elements.
func (k *Kernels) Max(x []float32) float32 {
	top := int32(lowest)
	n := whole(k.max != nil, len(x))
	if n > 0 {
		w := Borrow()
		defer w.Return()
		for i := range w.maxima {
			w.maxima[i] = lowest
		}
		k.max(n, &w.maxima, &x[0])
		top = w.maxima.greatest()
	}
	for _, v := range x[n:] {
		top = max(top, rank(int32(math.Float32bits(fma.Canonical(v)))))
	}
	return math.Float32frombits(uint32(rank(top)))
}

// AbsMax returns the greatest |x|. It returns NaN if any element is NaN, and 0 for no
// elements.
func (k *Kernels) AbsMax(x []float32) float32 {
	top := int32(0)
	n := whole(k.absMax != nil, len(x))
	if n > 0 {
		w := Borrow()
		defer w.Return()
		w.maxima = maxima{}
		k.absMax(n, &w.maxima, &x[0])
		top = w.maxima.greatest()
	}
	for _, v := range x[n:] {
		top = max(top, int32(math.Float32bits(v)&math.MaxInt32))
	}
	return fma.Canonical(math.Float32frombits(uint32(top)))
}
