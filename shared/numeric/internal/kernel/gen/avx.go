package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

const unordered = 3 // predicate of VCMPPS: true where an operand is NaN

// panelAVX2 emits C ← tiles of T + chain of T (or 0) over A·B, for nv·8 columns, 6 rows at
// a time. If masked, mask selects the last 8 columns.
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
		ANDQ(U32(0xff), m)
		count := GP64()
		POPCNTQ(m, count)
		MOVQ(count, argument("mask")) // from here on: the number of columns of the last vector
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
		acc := accumulators(label, rows, nv, ymm, func(acc [][]Op) {
			t := firstTile(rows)
			for i := range acc {
				for j, v := range acc[i] {
					load(j, t(i, 32*j), v)
				}
			}
		})
		products(f, label, rows, func(b Mem, a func(i int) Mem) {
			bv := make([]Op, nv)
			for j := range bv {
				bv[j] = YMM()
				load(j, b.Offset(32*j), bv[j])
			}
			for i := range rows {
				x := YMM()
				VBROADCASTSS(a(i), x)
				for j, v := range bv {
					VFMADD231PS(v, x, acc[i][j])
				}
			}
		})
		tiles(label, acc, func(m Mem, j int, v Op) {
			x := YMM()
			load(j, m.Offset(32*j), x)
			VADDPS(v, x, v)
		})
		_, c := rowsOf(f.c, f.rsc, rows)
		canonical(nan, acc, ymm, func(i, j int, v Op) {
			if last(j) {
				storeFirst(fmt.Sprintf("%sstore%d", label, i), v.(VecVirtual), c(i, 32*j))
			} else {
				VMOVUPS(v, c(i, 32*j))
			}
		})
	}
	panel(name, doc, 6, setup, block, func() { VZEROUPPER() })
}

// storeFirst emits to ← the first elements of v. The argument mask now holds their number.
// VMASKMOVPS would be one instruction, but takes dozens of steps on AMD CPUs.
func storeFirst(label string, v VecVirtual, to Mem) {
	at := GP64()
	part := func(bit uint64, next string, emit func()) {
		TESTQ(U32(bit), argument("mask"))
		JZ(LabelRef(next))
		emit()
		Label(next)
	}
	part(8, label+"not8", func() {
		VMOVUPS(v, to)
		JMP(LabelRef(label + "done"))
	})
	LEAQ(to, at)
	part(4, label+"not4", func() {
		VMOVUPS(v.AsX(), Mem{Base: at})
		VEXTRACTF128(Imm(1), v, v.AsX())
		ADDQ(Imm(16), at)
	})
	part(2, label+"not2", func() {
		VMOVLPS(v.AsX(), Mem{Base: at})
		VMOVHLPS(v.AsX(), v.AsX(), v.AsX())
		ADDQ(Imm(8), at)
	})
	part(1, label+"done", func() { VMOVSS(v.AsX(), Mem{Base: at}) })
}

// zmms are assigned by hand, because avo's allocator stops at 16.
var zmms = [32]VecPhysical{
	Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7, Z8, Z9, Z10, Z11, Z12, Z13, Z14, Z15,
	Z16, Z17, Z18, Z19, Z20, Z21, Z22, Z23, Z24, Z25, Z26, Z27, Z28, Z29, Z30, Z31,
}

// panelAVX512 is panelAVX2 for nv·16 columns, 14 rows at a time. A masked load takes a slot
// of the multiply-adds, so only the last vector is masked.
func panelAVX512(nan Mem, name string, nv int, masked bool) {
	doc := fmt.Sprintf("is [Panel] for %d columns in blocks of 14 rows; mask is not read.", 16*nv)
	if masked {
		doc = fmt.Sprintf("is [Panel] for %d to %d columns, those of mask, in blocks of 14 rows.", 16*nv-15, 16*nv)
	}
	last := func(j int) bool { return masked && j == nv-1 }
	setup := func() {
		if masked {
			mask := Load(Param("mask"), GP64())
			SHRQ(Imm(uint64(16*(nv-1))), mask)
			KMOVW(mask.(GPVirtual).As32(), K1)
		}
	}
	load := func(j int, m Mem, v Op) {
		if last(j) {
			VMOVUPS_Z(m, K1, v)
		} else {
			VMOVUPS(m, v)
		}
	}
	block := func(f frame, label string, rows int) {
		next := 0
		zmm := func() Op { next++; return zmms[next-1] }
		acc := accumulators(label, rows, nv, zmm, func(acc [][]Op) {
			t := firstTile(rows)
			for i := range acc {
				for j, v := range acc[i] {
					load(j, t(i, 64*j), v)
				}
			}
		})
		if label == "full" {
			prefetchT(rows, nv)
		}
		products(f, label, rows, func(b Mem, a func(i int) Mem) {
			bv := zmms[28 : 28+nv]
			for j, v := range bv {
				load(j, b.Offset(64*j), v)
			}
			for i := range rows {
				if nv == 1 {
					VFMADD231PS_BCST(a(i), bv[0], acc[i][0])
					continue
				}
				x := zmms[30+i%2]
				VBROADCASTSS(a(i), x)
				for j, v := range bv {
					VFMADD231PS(v, x, acc[i][j])
				}
			}
		})
		tiles(label, acc, func(m Mem, j int, v Op) {
			if last(j) {
				VADDPS(m.Offset(64*j), v, K1, v)
			} else {
				VADDPS(m.Offset(64*j), v, v)
			}
		})
		_, c := rowsOf(f.c, f.rsc, rows)
		canonical(nan, acc, func() Op { return zmms[31] }, func(i, j int, v Op) {
			if last(j) {
				VMOVUPS(v, K1, c(i, 64*j))
			} else {
				VMOVUPS(v, c(i, 64*j))
			}
		})
	}
	panel(name, doc, 14, setup, block, func() { VZEROUPPER() })
}

// prefetchT emits prefetches of the rows of T that are read next. If chains start from T,
// these are the rows of the next block; if T is only added, those of this block.
func prefetchT(rows, nv int) {
	CMPQ(argument("use"), Imm(useLoad))
	JL(LabelRef("fetched"))
	t, rst := Load(Param("t"), GP64()), Load(Param("rst"), GP64())
	JNE(LabelRef("fetch"))
	CMPQ(argument("m"), Imm(uint64(2*rows)))
	JL(LabelRef("fetched"))
	step := GP64()
	IMUL3Q(Imm(uint64(rows)), rst, step)
	ADDQ(step, t)
	Label("fetch")
	_, at := rowsOf(t, rst, rows)
	for i := range rows {
		for j := range nv {
			PREFETCHT0(at(i, 64*j))
		}
	}
	Label("fetched")
}
