package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

const fewSignature = "func(n, k int, a *float32, rsa, csa int, b *float32, rsb int, c *float32, rsc int, use uint64, back int)"

// few emits a function that computes n columns in groups of cols. body emits the loop over
// k of one group, with the accumulators of rows × nv vectors. early says whether the
// function uses back.
func few(nan Mem, name, doc string, rows, nv, cols int, vec func() Op, bytes int, early bool, stepB func(), body func(as []Register, csa Register, acc [][]Op)) {
	TEXT(name, 0, fewSignature)
	Pragma("noescape")
	Doc(name + " " + doc)
	csa := Load(Param("csa"), GP64())
	Label("groups")
	// Row i of C. For its last vector, the address is the given bytes earlier.
	cOf := func() func(i, disp int) Mem {
		base, rsc := Load(Param("c"), GP64()), Load(Param("rsc"), GP64())
		_, at := rowsOf(base, rsc, rows)
		if !early {
			return at
		}
		last := GP64()
		MOVQ(argument("back"), last)
		NEGQ(last)
		LEAQ(Mem{Base: base, Index: last, Scale: 4}, last)
		_, atLast := rowsOf(last, rsc, rows)
		return func(i, disp int) Mem {
			if disp == bytes*(nv-1) {
				return atLast(i, disp)
			}
			return at(i, disp)
		}
	}
	c := cOf()
	acc := accumulators("", rows, nv, vec, func(acc [][]Op) {
		for i := range acc {
			for j, v := range acc[i] {
				VMOVUPS(c(i, bytes*j), v)
			}
		}
	})
	as := []Register{Load(Param("a"), GP64())}
	for range rows - 1 {
		next := GP64()
		MOVQ(as[len(as)-1], next)
		ADDQ(argument("rsa"), next)
		as = append(as, next)
	}
	body(as, csa, acc)
	c = cOf()
	sums("", acc, func(i, j int, v Op) { VADDPS(c(i, bytes*j), v, v) })
	canonical(nan, acc, vec, func(i, j int, v Op) { VMOVUPS(v, c(i, bytes*j)) })
	stepB()
	ADDQ(U32(4*cols), argument("c"))
	SUBQ(U32(cols), argument("n"))
	JNZ(LabelRef("groups"))
	VZEROUPPER()
	RET()
}

// zero emits v ← 0.
func zero(v Op) {
	if _, wide := v.(VecPhysical); wide {
		VPXORD(v, v, v)
	} else {
		VXORPS(v, v, v)
	}
}

// canonical emits, for every accumulator, v ← NaN where v is not equal to itself, and then
// calls store.
func canonical(nan Mem, acc [][]Op, vec func() Op, store func(i, j int, v Op)) {
	canon := vec()
	VBROADCASTSS(nan, canon)
	for i := range acc {
		for j, v := range acc[i] {
			if _, wide := v.(VecPhysical); wide {
				VCMPPS(Imm(unordered), v, v, K3)
				VMOVAPS(canon, K3, v)
			} else {
				isNaN := YMM()
				VCMPPS(Imm(unordered), v, v, isNaN)
				VBLENDVPS(isNaN, canon, v, v)
			}
			store(i, j, v)
		}
	}
}

// row emits c[i][j] ← chain over l of fma(a[i][l], b[l][j], ·) for a few rows and nv
// vectors of columns. The rows of B are contiguous.
func row(nan Mem, set string, rows, nv int) {
	vec, bytes := func() Op { return YMM() }, 32
	if set == "AVX512" {
		next := 0
		vec, bytes = func() Op { next++; return zmms[next-1] }, 64
	}
	cols := nv * bytes / 4
	name := fmt.Sprintf("row%sx%dx%d", set, rows, cols)
	doc := fmt.Sprintf("is [Few] for %d rows, %d columns at a time; rows of B are contiguous.", rows, cols)
	few(nan, name, doc, rows, nv, cols, vec, bytes, false, func() { ADDQ(U32(4*cols), argument("b")) },
		func(as []Register, csa Register, acc [][]Op) {
			k, b, rsb := Load(Param("k"), GP64()), Load(Param("b"), GP64()), Load(Param("rsb"), GP64())
			xs := make([]Op, rows)
			for i := range xs {
				xs[i] = vec()
			}
			var y Op
			if rows > 1 {
				y = vec()
			}
			Label("k")
			for i, a := range as {
				VBROADCASTSS(Mem{Base: a}, xs[i])
				ADDQ(csa, a)
			}
			for j := range nv {
				if rows == 1 {
					VFMADD231PS(Mem{Base: b, Disp: bytes * j}, xs[0], acc[0][j])
					continue
				}
				VMOVUPS(Mem{Base: b, Disp: bytes * j}, y)
				for i := range rows {
					VFMADD231PS(y, xs[i], acc[i][j])
				}
			}
			ADDQ(rsb, b)
			DECQ(k)
			JNZ(LabelRef("k"))
		})
}

// dots emits c[i][j] ← chain over l of fma(a[i][l], b[j][l], ·) for a few rows and nv
// vectors of 8 columns j. The rows of b are contiguous along the chain. Blocks of 8 × 4 are
// transposed in registers when they are loaded.
func dots(nan, first Mem, rows, nv int) {
	name := fmt.Sprintf("dotsAVX2x%dx%d", rows, 8*nv)
	doc := fmt.Sprintf("is [Few] for %d rows, %d columns at a time; columns of B are contiguous.", rows, 8*nv)
	ymm := func() Op { return YMM() }
	stepB := func() {
		step := GP64()
		MOVQ(argument("rsb"), step)
		IMUL3Q(U32(8*nv), step, step)
		ADDQ(step, argument("b"))
	}
	few(nan, name, doc, rows, nv, 8*nv, ymm, 32, true, stepB, func(as []Register, csa Register, acc [][]Op) {
		at, bases := eightRows(nv, true)
		k := Load(Param("k"), GP64())
		SHRQ(Imm(2), k)
		JZ(LabelRef("tail"))
		csa3 := GP64()
		LEAQ(Mem{Base: csa, Index: csa, Scale: 2}, csa3)
		x := func(i, l int) Op {
			m := Mem{Base: as[i]}
			switch l {
			case 1, 2:
				m.Index, m.Scale = csa, uint8(l)
			case 3:
				m.Index, m.Scale = csa3, 1
			}
			v := YMM()
			VBROADCASTSS(m, v)
			return v
		}
		Label("k")
		var xs [4]Op // of one row: shared by the blocks
		if rows == 1 {
			for l := range xs {
				xs[l] = x(0, l)
			}
			for j := range nv {
				for l, y := range columns4(func(r int) Mem { return at(j, r) }, nil) {
					VFMADD231PS(y, xs[l], acc[0][j])
				}
			}
		} else {
			var ys [][4]VecVirtual
			for j := range nv {
				ys = append(ys, columns4(func(r int) Mem { return at(j, r) }, nil))
			}
			for l := range 4 {
				for i := range rows {
					xl := x(i, l)
					for j := range nv {
						VFMADD231PS(ys[j][l], xl, acc[i][j])
					}
				}
			}
		}
		for _, b := range bases {
			ADDQ(Imm(16), b)
		}
		for _, a := range as {
			LEAQ(Mem{Base: a, Index: csa, Scale: 4}, a)
		}
		DECQ(k)
		JNZ(LabelRef("k"))
		Label("tail") // 1 to 3 steps of the chain
		rest, mask := Load(Param("k"), GP64()), YMM()
		ANDQ(Imm(3), rest)
		JZ(LabelRef("end"))
		table := GP64()
		LEAQ(first, table)
		NEGQ(rest)
		VMOVDQU(Mem{Base: table, Index: rest, Scale: 4, Disp: 12}, mask)
		NEGQ(rest)
		for j := range nv {
			left := GP64()
			MOVQ(rest, left)
			ys := columns4(func(r int) Mem { return at(j, r) }, mask)
			for l := range 3 {
				for i := range rows {
					m := Mem{Base: as[i]}
					if l > 0 {
						m.Index, m.Scale = csa, uint8(l)
					}
					v := YMM()
					VBROADCASTSS(m, v)
					VFMADD231PS(ys[l], v, acc[i][j])
				}
				if l < 2 {
					DECQ(left)
					JZ(LabelRef(fmt.Sprintf("end%d", j)))
				}
			}
			Label(fmt.Sprintf("end%d", j))
		}
		Label("end")
	})
}

// eightRows returns the operand of row r of 8 in block j of nv, and the registers that
// point to the blocks. If early is set, the last block begins back rows early.
func eightRows(nv int, early bool) (at func(j, r int) Mem, bases []Register) {
	s, s3, s5, s7 := Load(Param("rsb"), GP64()), GP64(), GP64(), GP64()
	LEAQ(Mem{Base: s, Index: s, Scale: 2}, s3)
	LEAQ(Mem{Base: s, Index: s, Scale: 4}, s5)
	LEAQ(Mem{Base: s3, Index: s, Scale: 4}, s7)
	bases = []Register{Load(Param("b"), GP64())}
	for range nv - 1 {
		next := GP64()
		LEAQ(Mem{Base: bases[len(bases)-1], Index: s, Scale: 8}, next)
		bases = append(bases, next)
	}
	if early {
		rows := GP64()
		MOVQ(argument("back"), rows)
		IMULQ(s, rows)
		SUBQ(rows, bases[nv-1])
	}
	return func(j, r int) Mem {
		m := Mem{Base: bases[j]}
		switch r {
		case 1, 2, 4:
			m.Index, m.Scale = s, uint8(r)
		case 3, 6:
			m.Index, m.Scale = s3, uint8(r/3)
		case 5:
			m.Index, m.Scale = s5, 1
		case 7:
			m.Index, m.Scale = s7, 1
		}
		return m
	}, bases
}

// columns4 emits the transposition of 8 rows of 4 elements: y[l] is element l of every row.
// With a mask, it reads only the elements of the mask.
func columns4(at func(r int) Mem, mask Op) (y [4]VecVirtual) {
	var in [4]VecVirtual // row r beside row r + 4
	for r := range in {
		in[r] = YMM()
		if mask == nil {
			VBROADCASTF128(at(r), in[r])
			VINSERTF128(Imm(1), at(r+4), in[r], in[r])
			continue
		}
		high := YMM()
		VMASKMOVPS(at(r), mask, in[r])
		VMASKMOVPS(at(r+4), mask, high)
		VINSERTF128(Imm(1), high.AsX(), in[r], in[r])
	}
	return turn4(in)
}

// turn4 emits the transposition of the 4 × 4 blocks in both halves of four vectors.
func turn4(in [4]VecVirtual) (out [4]VecVirtual) {
	lo01, hi01, lo23, hi23 := YMM(), YMM(), YMM(), YMM()
	VUNPCKLPS(in[1], in[0], lo01)
	VUNPCKHPS(in[1], in[0], hi01)
	VUNPCKLPS(in[3], in[2], lo23)
	VUNPCKHPS(in[3], in[2], hi23)
	for i, pair := range [4][2]VecVirtual{{lo01, lo23}, {lo01, lo23}, {hi01, hi23}, {hi01, hi23}} {
		out[i] = YMM()
		VSHUFPS(Imm([4]uint64{0x44, 0xee, 0x44, 0xee}[i]), pair[1], pair[0], out[i])
	}
	return out
}
