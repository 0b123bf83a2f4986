package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// cols512 emits c[i][j] ← chain over l of fma(a[i][l], b[j][l], ·) for a few rows and any
// number of columns j from 4 on, 16 at a time. The columns of b are contiguous. Four
// elements of each are transposed in registers when they are loaded.
//
// In a group of fewer than 16 columns, the last four begin early, and the quarters after
// them repeat these four.
func cols512(nan Mem, rows int) {
	name := fmt.Sprintf("colsAVX512x%d", rows)
	TEXT(name, 0, fewSignature)
	Pragma("noescape")
	Doc(fmt.Sprintf("%s is [Few] for %d rows and at least 4 columns; columns of B are contiguous, back is not read.", name, rows))
	masks := quarterMasks()
	csa := Load(Param("csa"), GP64())
	width := argument("back") // columns of the group
	Label("groups")
	groupWidth(width)
	acc := make([][]Op, rows)
	for i := range acc {
		acc[i] = []Op{zmms[i]}
		zero(zmms[i])
	}
	CMPQ(argument("use"), Imm(useLoad))
	JNE(LabelRef("chains"))
	starts, down := quartersOfC(width)
	for i := range acc {
		quarter(zmms[i], masks, func(q int) Mem { return Mem{Base: starts[q]} })
		for _, c := range starts {
			ADDQ(down, c)
		}
	}
	Label("chains")
	chains(rows, csa, width, masks, acc)
	canon, old := zmms[31], zmms[30]
	VBROADCASTSS(nan, canon)
	cs, rsc := quartersOfC(width)
	for i := range acc {
		v := zmms[i]
		store := fmt.Sprintf("store%d", i)
		CMPQ(argument("use"), Imm(useAdd))
		JNE(LabelRef(store))
		quarter(old, masks, func(q int) Mem { return Mem{Base: cs[q]} })
		VADDPS(old, v, v)
		Label(store)
		VCMPPS(Imm(unordered), v, v, K3)
		VMOVAPS(canon, K3, v)
		part, next := fmt.Sprintf("part%d", i), fmt.Sprintf("next%d", i)
		CMPQ(width, Imm(16))
		JNE(LabelRef(part))
		VMOVUPS(v, Mem{Base: cs[0]})
		JMP(LabelRef(next))
		Label(part)
		VMOVUPS(v.AsX(), Mem{Base: cs[0]})
		for q := 1; q < 4; q++ {
			VEXTRACTF32X4(Imm(uint64(q)), v, Mem{Base: cs[q]})
		}
		Label(next)
		for _, c := range cs {
			ADDQ(rsc, c)
		}
	}
	w, step := GP64(), GP64()
	MOVQ(width, w)
	MOVQ(argument("rsb"), step)
	IMULQ(w, step)
	ADDQ(step, argument("b"))
	SUBQ(w, argument("n"))
	LEAQ(Mem{Base: Load(Param("c"), GP64()), Index: w, Scale: 4}, step)
	MOVQ(step, argument("c"))
	CMPQ(argument("n"), Imm(0))
	JNE(LabelRef("groups"))
	VZEROUPPER()
	RET()
}

// groupWidth emits width ← how many of n columns this group computes: 16, or 12 if 17 to 19
// remain, or all if fewer than 17 remain. So none or at least 4 columns remain.
func groupWidth(width Mem) {
	n := Load(Param("n"), GP64())
	w := GP64()
	MOVQ(U32(16), w)
	CMPQ(n, Imm(20))
	JGE(LabelRef("width"))
	CMPQ(n, Imm(16))
	JE(LabelRef("width"))
	MOVQ(U32(12), w)
	CMPQ(n, Imm(16))
	JG(LabelRef("width"))
	MOVQ(n, w)
	Label("width")
	MOVQ(w, width)
}

// quarterAt emits at ← the first column of quarter i of a group.
func quarterAt(i int, width Mem, at Register) {
	last := GP64()
	MOVQ(width, last)
	SUBQ(Imm(4), last)
	MOVQ(U32(uint32(4*i)), at)
	CMPQ(last, at)
	CMOVQLT(last, at)
}

// quartersOfC returns registers that point to the quarters of a row of C.
func quartersOfC(width Mem) (cs [4]Register, rsc Register) {
	c := Load(Param("c"), GP64())
	for i := range cs {
		cs[i] = GP64()
		quarterAt(i, width, cs[i])
		LEAQ(Mem{Base: c, Index: cs[i], Scale: 4}, cs[i])
	}
	return cs, Load(Param("rsc"), GP64())
}

// chains emits the loop over k of a group.
func chains(rows int, csa Register, width Mem, masks [3]Register, acc [][]Op) {
	s, s3 := Load(Param("rsb"), GP64()), GP64()
	LEAQ(Mem{Base: s, Index: s, Scale: 2}, s3)
	b := Load(Param("b"), GP64())
	var bs [4]Register
	for i := range bs {
		bs[i] = GP64()
		quarterAt(i, width, bs[i])
		IMULQ(s, bs[i])
		ADDQ(b, bs[i])
	}
	as, a := rowsOf(Load(Param("a"), GP64()), Load(Param("rsa"), GP64()), rows)
	k := Load(Param("k"), GP64())
	multiply := func(y VecPhysical) {
		for i := range rows {
			VFMADD231PS_BCST(a(i, 0), y, acc[i][0])
		}
		for _, r := range as {
			ADDQ(csa, r)
		}
	}
	pool := &zmmPool{append([]VecPhysical(nil), zmms[rows:]...)}
	take := func() (in [4]VecPhysical) {
		for r := range in {
			in[r] = pool.take()
		}
		return in
	}
	SUBQ(Imm(4), k)
	JL(LabelRef("rest"))
	Label("k")
	in := take()
	for r := range in {
		quarter(in[r], masks, func(q int) Mem { return stepped(bs[q], s, s3, r) })
	}
	out := transposeQuarters(pool, in)
	for _, y := range out {
		multiply(y)
	}
	pool.give(out[:]...)
	for _, r := range bs {
		ADDQ(Imm(16), r)
	}
	SUBQ(Imm(4), k)
	JGE(LabelRef("k"))
	Label("rest") // 1 to 3 steps of the chain
	ADDQ(Imm(4), k)
	JZ(LabelRef("end"))
	one := GP64()
	XORQ(one, one)
	BTSQ(k, one)
	DECQ(one)
	KMOVW(one.As32(), K1)
	in = take()
	part := pool.take()
	for r := range in {
		VMOVUPS_Z(stepped(bs[0], s, s3, r), K1, in[r].AsX())
		for q := 1; q < 4; q++ {
			VMOVUPS_Z(stepped(bs[q], s, s3, r), K1, part.AsX())
			VINSERTF32X4(Imm(uint64(q)), part.AsX(), in[r], in[r])
		}
	}
	pool.give(part)
	out = transposeQuarters(pool, in)
	for l, y := range out[:3] {
		multiply(y)
		if l < 2 {
			DECQ(k)
			JZ(LabelRef("end"))
		}
	}
	Label("end")
}
