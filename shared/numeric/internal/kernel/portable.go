package kernel

import (
	"math"
	"unsafe"

	"tributary/shared/numeric/fma"
)

// at returns p + bytes.
func at(p *float32, bytes int) *float32 { return (*float32)(unsafe.Add(unsafe.Pointer(p), bytes)) }

// wide returns the float32 at p + bytes as a float64.
func wide(p *float32, bytes int) float64 { return float64(*at(p, bytes)) }

const (
	goRows = 2
	goCols = 4
)

// panelGo4 is [Panel] for 4 columns in blocks of 2 rows.
func panelGo4(m, k int, a *float32, rsa, csa, psa int, b *float32, rsb int, c *float32, rsc int, t *float32, rst, next int, use, _ uint64) {
	tiny := anyTiny(goCols, k, b, 4, rsb)
	for i := 0; i < m; i += goRows {
		ai, ci, rows := at(a, i/goRows*psa), at(c, i*rsc), min(goRows, m-i)
		ti := tiles{at(t, i*rst), next, use}
		if !tiny && rows == goRows && !anyTiny(rows, k, ai, rsa, csa) &&
			blockGo(k, ai, rsa, csa, b, rsb, ci, rsc, &ti, rst) {
			continue
		}
		for r := range rows {
			rowGo(goCols, k, at(ai, r*rsa), csa, b, rsb, at(ci, r*rsc), &ti, r*rst)
		}
	}
}

// panelGo2 is [Panel] for 2 columns in blocks of 2 rows.
func panelGo2(m, k int, a *float32, rsa, csa, psa int, b *float32, rsb int, c *float32, rsc int, t *float32, rst, next int, use, _ uint64) {
	ti := tiles{t, next, use}
	for i := range m {
		rowGo(goCols/2, k, at(a, i/goRows*psa+i%goRows*rsa), csa, b, rsb, at(c, i*rsc), &ti, i*rst)
	}
}

// tiles describes the tiles of [Panel] from some row on.
type tiles struct {
	t    *float32
	next int
	use  uint64
}

// start returns the value from which the chain of the element at this byte offset starts.
func (t *tiles) start(bytes int) float64 {
	if t.use&Load == 0 {
		return 0
	}
	return wide(t.t, bytes)
}

// end stores the final value of the element in c. v is the end of its chain; end adds the
// tiles.
func (t *tiles) end(c *float32, bytes int, v float64) {
	sum := float32(v)
	bytes += int(t.use&Load) * t.next
	for range t.use / Add {
		sum = *at(t.t, bytes) + sum
		bytes += t.next
	}
	*c = fma.Canonical(sum)
}

// anyTiny reports whether any of n × k numbers is below 2⁻⁶⁶ in magnitude and not 0.
// Products of other numbers are multiples of 2⁻¹⁷⁸, so a sum in the range of subnormal
// float32 is exact in float64.
func anyTiny(n, k int, p *float32, rs, cs int) bool {
	const least = (127 - 66) << 24
	for i := range n {
		for o := i * rs; o < i*rs+k*cs; o += cs {
			// For 0 the subtraction wraps around to the greatest number.
			if math.Float32bits(*at(p, o))<<1-1 < least-1 {
				return true
			}
		}
	}
	return false
}

// tie masks the bits of a float64 that a float32 does not have. half is their value in the
// middle between two (normal) float32.
const (
	tie  = 1<<29 - 1
	half = 1 << 28
)

// blockGo computes 2 rows of 4 columns of numbers that are not tiny. The sum in float64,
// rounded again to float32, equals the sum rounded once, unless there may be a tie. In that
// case blockGo returns false and does not change C.
func blockGo(k int, a *float32, rsa, csa int, b *float32, rsb int, c *float32, rsc int, t *tiles, rst int) bool {
	r0, r1 := (*[goCols]float32)(unsafe.Pointer(c)), (*[goCols]float32)(unsafe.Pointer(at(c, rsc)))
	var c00, c01, c02, c03, c10, c11, c12, c13 float64
	if t.use&Load != 0 {
		c00, c01, c02, c03 = t.start(0), t.start(4), t.start(8), t.start(12)
		c10, c11, c12, c13 = t.start(rst), t.start(rst+4), t.start(rst+8), t.start(rst+12)
	}
	for l := range k {
		y := (*[goCols]float32)(unsafe.Pointer(at(b, l*rsb)))
		y0, y1, y2, y3 := float64(y[0]), float64(y[1]), float64(y[2]), float64(y[3])
		x := wide(a, l*csa)
		c00 += float64(x * y0)
		if math.Float64bits(c00)&tie == half {
			return false
		}
		c00 = float64(float32(c00))
		c01 += float64(x * y1)
		if math.Float64bits(c01)&tie == half {
			return false
		}
		c01 = float64(float32(c01))
		c02 += float64(x * y2)
		if math.Float64bits(c02)&tie == half {
			return false
		}
		c02 = float64(float32(c02))
		c03 += float64(x * y3)
		if math.Float64bits(c03)&tie == half {
			return false
		}
		c03 = float64(float32(c03))
		x = wide(a, l*csa+rsa)
		c10 += float64(x * y0)
		if math.Float64bits(c10)&tie == half {
			return false
		}
		c10 = float64(float32(c10))
		c11 += float64(x * y1)
		if math.Float64bits(c11)&tie == half {
			return false
		}
		c11 = float64(float32(c11))
		c12 += float64(x * y2)
		if math.Float64bits(c12)&tie == half {
			return false
		}
		c12 = float64(float32(c12))
		c13 += float64(x * y3)
		if math.Float64bits(c13)&tie == half {
			return false
		}
		c13 = float64(float32(c13))
	}
	for j, v := range [goCols]float64{c00, c01, c02, c03} {
		t.end(&r0[j], 4*j, v)
	}
	for j, v := range [goCols]float64{c10, c11, c12, c13} {
		t.end(&r1[j], rst+4*j, v)
	}
	return true
}

// rowGo computes one row of n columns. The row of T is at this byte offset.
func rowGo(n, k int, a *float32, csa int, b *float32, rsb int, c *float32, t *tiles, bytes int) {
	for j := range n {
		v := t.start(bytes + 4*j)
		for l := range k {
			v = float64(float32(fma.Odd(float64(wide(a, l*csa)*wide(b, l*rsb+4*j)), v)))
		}
		t.end(at(c, 4*j), bytes+4*j, v)
	}
}
