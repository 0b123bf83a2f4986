package vector

import "tributary/shared/numeric/fma"

// Add writes a + b to dst. a, b and dst have the same length; dst may be a or b.
func (k *Kernels) Add(dst, a, b []float32) {
	a, b = a[:len(dst)], b[:len(dst)]
	n := whole(k.add != nil, len(dst))
	if n > 0 {
		k.add(n, &dst[0], &a[0], &b[0])
	}
	for i := n; i < len(dst); i++ {
		dst[i] = fma.Canonical(a[i] + b[i])
	}
}

// cached is the number of elements that fit in a cache. With more elements, memory is read
// in one stream, which CPUs prefetch better than four streams.
const cached = 2 << 20

// AddRows adds the rows of y [B, O] to dst [O], O > 0, one after the other.
func (k *Kernels) AddRows(dst, y []float32) {
	o := len(dst)
	n := whole(k.addRows != nil && len(y) <= cached, o)
	for ; n > 0 && len(y) >= 4*o; y = y[4*o:] {
		k.addRows(n, &dst[0], &y[0], &y[o], &y[2*o], &y[3*o])
		for i := n; i < o; i++ {
			dst[i] = fma.Canonical(dst[i] + y[i] + y[o+i] + y[2*o+i] + y[3*o+i])
		}
	}
	for ; len(y) > 0; y = y[o:] {
		k.Add(dst, dst, y[:o])
	}
}

// Scale writes alpha·x to dst. dst has the length of x and may be x.
func (k *Kernels) Scale(dst, x []float32, alpha float32) {
	dst = dst[:len(x)]
	n := whole(k.scale != nil, len(x))
	if n > 0 {
		k.scale(n, &dst[0], &x[0], alpha)
	}
	for i := n; i < len(x); i++ {
		dst[i] = fma.Canonical(float32(alpha * x[i]))
	}
}

// Axpy writes alpha·x + y, rounded once, to y. y has the length of x.
func (k *Kernels) Axpy(y, x []float32, alpha float32) {
	y = y[:len(x)]
	n := whole(k.axpy != nil, len(x))
	if n > 0 {
		k.axpy(n, &y[0], &x[0], alpha)
	}
	for i := n; i < len(x); i++ {
		y[i] = fma.Float32(alpha, x[i], y[i])
	}
}

// ReLU writes +0 to dst where x ≤ 0, else x. dst may be x.
func (k *Kernels) ReLU(dst, x []float32) {
	dst = dst[:len(x)]
	n := whole(k.relu != nil, len(x))
	if n > 0 {
		k.relu(n, &dst[0], &x[0])
	}
	for i := n; i < len(x); i++ {
		dst[i] = gate(x[i], x[i])
	}
}

// ReLUBackward writes +0 to dst where y ≤ 0, else d. dst may be d or y.
func (k *Kernels) ReLUBackward(dst, d, y []float32) {
	dst, d = dst[:len(y)], d[:len(y)]
	n := whole(k.reluBackward != nil, len(y))
	if n > 0 {
		k.reluBackward(n, &dst[0], &d[0], &y[0])
	}
	for i := n; i < len(y); i++ {
		dst[i] = gate(y[i], d[i])
	}
}

// gate returns +0 if y ≤ 0, else x.
func gate(y, x float32) float32 {
	if y <= 0 {
		return 0
	}
	return fma.Canonical(x)
}
