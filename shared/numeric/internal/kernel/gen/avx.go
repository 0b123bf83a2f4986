package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

const unordered = 3 // predicate of VCMPPS: true where an operand is NaN

// panelAVX2 emits C ← chain of C (or 0) over A·B (or C + chain), nv·8 columns wide, 6 rows at a
// time; masked, the last 8 columns are those of mask.
func panelAVX2(nan, bits Mem, name string, nv int, masked bool) {
	doc := fmt.Sprintf("is [Panel] for %d columns in blocks of 6 rows; mask is not read.", 8*nv)
	if masked {
		doc = fmt.Sprintf("is [Panel] for %d to %d columns, those of mask, in blocks of 6 rows.", 8*nv-7, 8*nv)
	}
	ymm := func() Op { return YMM() }
	last := func(j int) bool { return masked && j == nv-1 }
	var mask VecVirtual
	setup := func() {
		if !masked {
			return
		}
		mask = YMM()
		m, x := Load(Param("mask"), GP64()), XMM()
		SHRQ(Imm(uint64(8*(nv-1))), m)
		MOVD(m.(GPVirtual).As32(), x)
		VPBROADCASTD(x, mask)
		VPAND(bits, mask, mask)
		VPCMPEQD(bits, mask, mask)
	}
	load := func(j int, m Mem, v Op) {
		if last(j) {
			VMASKMOVPS(m, mask, v)
		} else {
			VMOVUPS(m, v)
		}
	}
	block := func(f frame, label string, rows int) {
		_, c := rowsOf(f.c, f.rsc, rows)
		acc := accumulators(label, rows, nv, ymm,
			zero,
			func(i, j int, v Op) { load(j, c(i, 32*j), v) })
		products(f, label, rows, acc, func(b Mem) (bv []Op) {
			for j := range nv {
				v := YMM()
				load(j, b.Offset(32*j), v)
				bv = append(bv, v)
			}
			return bv
		}, ymm)
		_, c = rowsOf(f.c, f.rsc, rows)
		sums(label, acc, func(i, j int, v Op) {
			x := YMM()
			load(j, c(i, 32*j), x)
			VADDPS(v, x, v)
		})
		canonical(nan, acc, ymm, func(i, j int, v Op) {
			if last(j) {
				VMASKMOVPS(v, mask, c(i, 32*j))
			} else {
				VMOVUPS(v, c(i, 32*j))
			}
		})
	}
	panel(name, doc, 6, setup, block, func() { VZEROUPPER() })
}

// zmms are given out by hand: avo's allocator stops at 16.
var zmms = [32]VecPhysical{
	Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7, Z8, Z9, Z10, Z11, Z12, Z13, Z14, Z15,
	Z16, Z17, Z18, Z19, Z20, Z21, Z22, Z23, Z24, Z25, Z26, Z27, Z28, Z29, Z30, Z31,
}

// panelAVX512 is the same for nv·16 columns, 14 rows at a time, and reads and
// writes only the columns of mask.
func panelAVX512(nan Mem, name string, nv int) {
	doc := fmt.Sprintf("is [Panel] for the columns of mask, of %d, in blocks of 14 rows.", 16*nv)
	masks := []Register{K1, K2}
	setup := func() {
		mask := Load(Param("mask"), GP64())
		for j := range nv {
			KMOVW(mask.(GPVirtual).As32(), masks[j])
			SHRQ(Imm(16), mask)
		}
	}
	block := func(f frame, label string, rows int) {
		next := 0
		zmm := func() Op { next++; return zmms[next-1] }
		_, c := rowsOf(f.c, f.rsc, rows)
		acc := accumulators(label, rows, nv, zmm,
			zero,
			func(i, j int, v Op) { VMOVUPS_Z(c(i, 64*j), masks[j], v) })
		products(f, label, rows, acc, func(b Mem) (bv []Op) {
			for j := range nv {
				v := zmm()
				VMOVUPS_Z(b.Offset(64*j), masks[j], v)
				bv = append(bv, v)
			}
			return bv
		}, func() Op {
			next ^= 1
			return zmms[30+next&1]
		})
		_, c = rowsOf(f.c, f.rsc, rows)
		sums(label, acc, func(i, j int, v Op) { VADDPS(c(i, 64*j), v, masks[j], v) })
		canonical(nan, acc, func() Op { return zmms[31] }, func(i, j int, v Op) { VMOVUPS(v, masks[j], c(i, 64*j)) })
	}
	panel(name, doc, 14, setup, block, func() { VZEROUPPER() })
}
