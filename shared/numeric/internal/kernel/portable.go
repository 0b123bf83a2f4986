package kernel

import (
	"math"
	"unsafe"

	"tributary/shared/numeric/fma"
)

// at returns p + bytes.
func at(p *float32, bytes int) *float32 { return (*float32)(unsafe.Add(unsafe.Pointer(p), bytes)) }

// wide returns the float32 at p + bytes.
func wide(p *float32, bytes int) float64 { return float64(*at(p, bytes)) }

// step returns fma(x, y, c) of three float32 values held as float64. The float64
// sum s need only be rounded once more, unless it may be a tie between two
// float32: in them, and in all float32, the last 28 bits are 0.
func step(x, y, c float64) float64 {
	s := float64(x*y) + c
	if math.Float64bits(s)<<36 == 0 {
		s = odd(x, y, c)
	}
	return float64(float32(s))
}

// odd returns x·y + c rounded to odd, see package fma.
func odd(x, y, c float64) float64 { return fma.Odd(float64(x*y), c) }

const (
	goRows = 2
	goCols = 4
)

// panelGo4 is [Panel] for 4 columns in blocks of 2 rows.
func panelGo4(m, k int, a *float32, rsa, csa, psa int, b *float32, rsb int, c *float32, rsc int, load, _ uint64) {
	for i := 0; i < m; i += goRows {
		ai, ci := at(a, i/goRows*psa), at(c, i*rsc)
		if m-i >= goRows {
			blockGo(k, ai, rsa, csa, b, rsb, ci, rsc, load)
		} else {
			rowGo(goCols, k, ai, csa, b, rsb, ci, load)
		}
	}
}

// panelGo2 is [Panel] for 2 columns in blocks of 2 rows.
func panelGo2(m, k int, a *float32, rsa, csa, psa int, b *float32, rsb int, c *float32, rsc int, load, _ uint64) {
	for i := range m {
		rowGo(goCols/2, k, at(a, i/goRows*psa+i%goRows*rsa), csa, b, rsb, at(c, i*rsc), load)
	}
}

// blockGo computes 2 rows of 4 columns.
func blockGo(k int, a *float32, rsa, csa int, b *float32, rsb int, c *float32, rsc int, load uint64) {
	r0, r1 := (*[goCols]float32)(unsafe.Pointer(c)), (*[goCols]float32)(unsafe.Pointer(at(c, rsc)))
	if load == 0 {
		*r0, *r1 = [goCols]float32{}, [goCols]float32{}
	}
	c00, c01, c02, c03 := float64(r0[0]), float64(r0[1]), float64(r0[2]), float64(r0[3])
	c10, c11, c12, c13 := float64(r1[0]), float64(r1[1]), float64(r1[2]), float64(r1[3])
	for l := range k {
		y := (*[goCols]float32)(unsafe.Pointer(at(b, l*rsb)))
		x0, x1 := wide(a, l*csa), wide(a, l*csa+rsa)
		y0, y1, y2, y3 := float64(y[0]), float64(y[1]), float64(y[2]), float64(y[3])
		c00, c01, c02, c03 = step(x0, y0, c00), step(x0, y1, c01), step(x0, y2, c02), step(x0, y3, c03)
		c10, c11, c12, c13 = step(x1, y0, c10), step(x1, y1, c11), step(x1, y2, c12), step(x1, y3, c13)
	}
	r0[0], r0[1], r0[2], r0[3] = narrow(c00), narrow(c01), narrow(c02), narrow(c03)
	r1[0], r1[1], r1[2], r1[3] = narrow(c10), narrow(c11), narrow(c12), narrow(c13)
}

// narrow returns the end of a chain.
func narrow(c float64) float32 { return fma.Canonical(float32(c)) }

// rowGo computes one row of n columns.
func rowGo(n, k int, a *float32, csa int, b *float32, rsb int, c *float32, load uint64) {
	for j := range n {
		v := 0.0
		if load != 0 {
			v = wide(c, 4*j)
		}
		for l := range k {
			v = step(wide(a, l*csa), wide(b, l*rsb+4*j), v)
		}
		*at(c, 4*j) = narrow(v)
	}
}

func transposeGo(n int, src *float32, lds, asrc int, dst *float32, ldd, adst int) {
	for t := range n {
		for i := range 8 {
			for j := range 8 {
				*at(dst, t*adst+j*ldd+4*i) = *at(src, t*asrc+i*lds+4*j)
			}
		}
	}
}
