package blas

import (
	"sync"
	"unsafe"

	"tributary/shared/numeric/internal/kernel"
)

// workspace is the buffers of one goroutine. What they hold between products
// enters no result.
type workspace struct {
	a, b, tile []float32
	x, y       []float32  // vectors with increments, made contiguous
	one        [1]float32 // 1
}

// widest is the most columns of any kernel's panel.
const widest = 32

var workspaces = sync.Pool{New: func() any {
	return &workspace{a: aligned(mc * kc), b: aligned(kc * widest), tile: aligned(mc * widest), one: [1]float32{1}}
}}

// aligned returns n zeros that begin on a cache line.
func aligned(n int) []float32 {
	b := make([]float32, n+15)
	skip := -(uintptr(unsafe.Pointer(&b[0])) / 4) % 16
	return b[skip : skip+uintptr(n)]
}

// packedA is a block of A as kernels take it: pointer and strides in bytes.
type packedA struct {
	p          *float32
	rs, cs, ps int
}

// packA copies scale·a [m, k], rows of kc, or of mc when columns are contiguous.
func (w *workspace) packA(s *kernel.Set, a matrix, m, k int) packedA {
	if a.cs == 1 {
		for i := range m {
			scaled(w.a[i*kc:i*kc+k], a.v[i*a.rs:i*a.rs+k], a.scale)
		}
		return packedA{&w.a[0], 4 * kc, 4, 4 * kc * s.MR}
	}
	for l := range k {
		scaled(w.a[l*mc:l*mc+m], a.v[l*a.cs:l*a.cs+m], a.scale)
	}
	return packedA{&w.a[0], 4, 4 * mc, 4 * s.MR}
}

// scaled is dst = scale·src.
func scaled(dst, src []float32, scale float32) {
	if scale == 1 {
		copy(dst, src)
		return
	}
	for i, v := range src {
		dst[i] = float32(scale * v)
	}
}

// packB copies b [k, width] into rows of NR columns, the rest of them zeros.
func (w *workspace) packB(s *kernel.Set, b matrix, k, width int) *float32 {
	dst := w.b[:k*s.NR]
	if b.cs == 1 {
		copyRows(dst, s.NR, b, k, width)
	} else {
		turn(s, dst, s.NR, b.v, b.cs, width, k)
		clearColumns(dst, s.NR, k, width)
	}
	if b.scale != 1 {
		scaled(dst, dst, b.scale)
	}
	return &dst[0]
}

func copyRows(dst []float32, ld int, b matrix, k, width int) {
	if width == ld && ld%16 == 0 {
		for l := range k {
			d, v := dst[l*ld:l*ld+ld], b.v[l*b.rs:l*b.rs+ld]
			for ; len(d) >= 16 && len(v) >= 16; d, v = d[16:], v[16:] {
				*(*[16]float32)(d) = [16]float32(v)
			}
		}
		return
	}
	for l := range k {
		d := dst[l*ld : l*ld+ld]
		copy(d, b.v[l*b.rs:l*b.rs+width])
		clear(d[width:])
	}
}

func clearColumns(dst []float32, ld, rows, from int) {
	if from == ld {
		return
	}
	for l := range rows {
		clear(dst[l*ld+from : l*ld+ld])
	}
}

// turn is dst[j·ldd + i] = src[i·lds + j] for i < m and j < n.
func turn(s *kernel.Set, dst []float32, ldd int, src []float32, lds, m, n int) {
	m8, n8 := m&^7, n&^7
	if n8 > 0 {
		for i := 0; i < m8; i += 8 {
			s.Transpose(n8/8, &src[i*lds], 4*lds, 32, &dst[i], 4*ldd, 32*ldd)
		}
	}
	for i := range m {
		from := 0
		if i < m8 {
			from = n8
		}
		v := src[i*lds : i*lds+n]
		for j := from; j < n; j++ {
			dst[j*ldd+i] = v[j]
		}
	}
}

// gather copies c [m, width] into rows of NR of tile.
func gather(s *kernel.Set, tile []float32, c matrix, m, width int) {
	if c.cs != 1 {
		turn(s, tile, s.NR, c.v, c.cs, width, m)
		return
	}
	for i := range m {
		copy(tile[i*s.NR:i*s.NR+width], c.v[i*c.rs:])
	}
}

// scatter is gather's opposite.
func scatter(s *kernel.Set, c matrix, tile []float32, m, width int) {
	if c.cs != 1 {
		turn(s, c.v, c.cs, tile, s.NR, m, width)
		return
	}
	for i := range m {
		copy(c.v[i*c.rs:i*c.rs+width], tile[i*s.NR:])
	}
}
