package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// zmmPool assigns the 32 vectors by hand, because avo's allocator stops at 16.
type zmmPool struct{ free []VecPhysical }

func newPool() *zmmPool { return &zmmPool{append([]VecPhysical(nil), zmms[:]...)} }

func (p *zmmPool) take() VecPhysical {
	v := p.free[0]
	p.free = p.free[1:]
	return v
}

func (p *zmmPool) give(vs ...VecPhysical) { p.free = append(p.free, vs...) }

// dots512 emits c[i][j] ← chain over l of fma(a[i][l], b[j][l], ·) for a few rows, 32
// columns j at a time. It works like dots, but transposes blocks of 16 × 8.
func dots512(nan Mem, rows int) {
	const nv = 2
	name := fmt.Sprintf("dotsAVX512x%dx%d", rows, 16*nv)
	doc := fmt.Sprintf("is [Few] for %d rows, %d columns at a time; columns of B are contiguous, back is not read.", rows, 16*nv)
	pool := newPool()
	vec := func() Op { return pool.take() }
	stepB := func() {
		step := GP64()
		MOVQ(argument("rsb"), step)
		IMUL3Q(U32(16*nv), step, step)
		ADDQ(step, argument("b"))
	}
	few(nan, name, doc, rows, nv, 16*nv, vec, 64, false, stepB, func(as []Register, csa Register, acc [][]Op) {
		at, bases := eightRows(2*nv, false)
		x := pool.take()
		k := Load(Param("k"), GP64())
		rest := GP64()
		MOVQ(k, rest)
		ANDQ(Imm(7), rest)
		SHRQ(Imm(3), k)
		JZ(LabelRef("tail"))
		step := func(masked bool, each func(l int)) {
			var ys [nv][8]VecPhysical
			for v := range nv {
				ys[v] = columns8(pool, func(r int) Mem { return at(2*v+r/8, r%8) }, masked)
			}
			for l := range 8 {
				if masked && l == 7 {
					break
				}
				for i, a := range as {
					VBROADCASTSS(Mem{Base: a}, x)
					ADDQ(csa, a)
					for v := range nv {
						VFMADD231PS(ys[v][l], x, acc[i][v])
					}
				}
				each(l)
			}
			for v := range nv {
				pool.give(ys[v][:]...)
			}
		}
		Label("k")
		step(false, func(int) {})
		for _, b := range bases {
			ADDQ(Imm(32), b)
		}
		DECQ(k)
		JNZ(LabelRef("k"))
		Label("tail") // 1 to 7 steps of the chain
		TESTQ(rest, rest)
		JZ(LabelRef("end"))
		one := GP64()
		XORQ(one, one)
		BTSQ(rest, one)
		DECQ(one)
		KMOVW(one.As32(), K1)
		step(true, func(l int) {
			if l < 6 {
				DECQ(rest)
				JZ(LabelRef("end"))
			}
		})
		Label("end")
		pool.give(x)
	})
}

// columns8 emits the transposition of 16 rows of 8 elements: y[l] is element l of every
// row. If masked, it reads only the elements of K1.
func columns8(pool *zmmPool, at func(r int) Mem, masked bool) (y [8]VecPhysical) {
	var quads [2][4]VecPhysical // elements l and l + 4 of rows 0–3 and 4–7, of rows 8–11 and 12–15
	for q := range quads {
		var in [4]VecPhysical // row r beside row r + 4
		for r := range in {
			in[r] = pool.take()
			if masked {
				high := pool.take()
				VMOVUPS_Z(at(8*q+r), K1, in[r].AsY())
				VMOVUPS_Z(at(8*q+r+4), K1, high.AsY())
				VINSERTF64X4(Imm(1), high.AsY(), in[r], in[r])
				pool.give(high)
				continue
			}
			VMOVUPS(at(8*q+r), in[r].AsY())
			VINSERTF64X4(Imm(1), at(8*q+r+4), in[r], in[r])
		}
		quads[q] = transposeQuarters(pool, in)
	}
	for l := range 4 {
		y[l] = pool.take()
		VSHUFF32X4(Imm(0x88), quads[1][l], quads[0][l], y[l])
		y[l+4] = quads[0][l]
		VSHUFF32X4(Imm(0xdd), quads[1][l], quads[0][l], y[l+4])
		pool.give(quads[1][l])
	}
	return y
}
