package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

const unordered = 3 // predicate of VCMPPS: true where an operand is NaN

// panelAVX2 emits C ← chain of C (or 0) over A·B, nv·8 columns wide, 6 rows at a time.
func panelAVX2(nan Mem, name string, nv int) {
	doc := fmt.Sprintf("is [Panel] for %d columns in blocks of 6 rows; mask is not read.", 8*nv)
	ymm := func() Op { return YMM() }
	block := func(f frame, label string, rows int) {
		_, c := rowsOf(f.c, f.rsc, rows)
		acc := accumulators(label, rows, nv, ymm,
			func(v Op) { VXORPS(v, v, v) },
			func(i, j int, v Op) { VMOVUPS(c(i, 32*j), v) })
		products(f, label, rows, acc, func(b Mem) (bv []Op) {
			for j := range nv {
				v := YMM()
				VMOVUPS(b.Offset(32*j), v)
				bv = append(bv, v)
			}
			return bv
		}, ymm)
		_, c = rowsOf(f.c, f.rsc, rows)
		canon := YMM()
		VBROADCASTSS(nan, canon)
		for i := range rows {
			for j, v := range acc[i] {
				isNaN := YMM()
				VCMPPS(Imm(unordered), v, v, isNaN)
				VBLENDVPS(isNaN, canon, v, v)
				VMOVUPS(v, c(i, 32*j))
			}
		}
	}
	panel(name, doc, 6, func() {}, block, func() { VZEROUPPER() })
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
			func(v Op) { VPXORD(v, v, v) },
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
		canon := zmms[31]
		VBROADCASTSS(nan, canon)
		for i := range rows {
			for j, v := range acc[i] {
				VCMPPS(Imm(unordered), v, v, K3)
				VMOVAPS(canon, K3, v)
				VMOVUPS(v, masks[j], c(i, 64*j))
			}
		}
	}
	panel(name, doc, 14, setup, block, func() { VZEROUPPER() })
}

// transpose8 emits n transpositions of 8 × 8 blocks: four loads of two half rows
// each, two rounds of shuffles, four stores, twice.
func transpose8() {
	TEXT("transpose8", 0, "func(n int, src *float32, lds, asrc int, dst *float32, ldd, adst int)")
	Pragma("noescape")
	Doc("transpose8 is dst[j][i] = src[i][j] for n blocks of 8 × 8; lds and ldd are the bytes",
		"from row to row, asrc and adst those from block to block.")
	n := Load(Param("n"), GP64())
	src, lds, asrc := Load(Param("src"), GP64()), Load(Param("lds"), GP64()), Load(Param("asrc"), GP64())
	dst, ldd, adst := Load(Param("dst"), GP64()), Load(Param("ldd"), GP64()), Load(Param("adst"), GP64())
	froms, from := rowsOf(src, lds, 8)
	tos, to := rowsOf(dst, ldd, 8)
	Label("block")
	for half := range 2 {
		var y [4]VecVirtual // row i beside row i + 4
		for i := range y {
			y[i] = YMM()
			VMOVUPS(from(i, 16*half), y[i].AsX())
			VINSERTF128(Imm(1), from(i+4, 16*half), y[i], y[i])
		}
		lo01, hi01, lo23, hi23 := YMM(), YMM(), YMM(), YMM()
		VUNPCKLPS(y[1], y[0], lo01)
		VUNPCKHPS(y[1], y[0], hi01)
		VUNPCKLPS(y[3], y[2], lo23)
		VUNPCKHPS(y[3], y[2], hi23)
		for i, pair := range [4][2]VecVirtual{{lo01, lo23}, {lo01, lo23}, {hi01, hi23}, {hi01, hi23}} {
			out := YMM()
			VSHUFPS(Imm([4]uint64{0x44, 0xee, 0x44, 0xee}[i]), pair[1], pair[0], out)
			VMOVUPS(out, to(4*half+i, 0))
		}
	}
	for _, r := range froms {
		ADDQ(asrc, r)
	}
	for _, r := range tos {
		ADDQ(adst, r)
	}
	DECQ(n)
	JNZ(LabelRef("block"))
	VZEROUPPER()
	RET()
}
