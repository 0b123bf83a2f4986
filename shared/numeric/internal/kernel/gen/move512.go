package main

import (
	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// transpose16 emits n transpositions of 16 × 16 blocks. Rows r, r + 4, r + 8 and r + 12
// share a vector, a quarter each. Masked loads put them there, so that only two rounds of
// shuffles within quarters remain.
func transpose16() {
	TEXT("transpose16", 0, "func(n int, src *float32, lds, asrc int, dst *float32, ldd, adst int)")
	Pragma("noescape")
	Doc("transpose16 is dst[j][i] = src[i][j] for n blocks of 16 × 16; lds and ldd are the bytes",
		"from row to row, asrc and adst those from block to block.")
	quarters := quarterMasks()
	n, asrc := Load(Param("n"), GP64()), Load(Param("asrc"), GP64())
	s, d := Load(Param("lds"), GP64()), Load(Param("dst"), GP64())
	ldd, adst := Load(Param("ldd"), GP64()), Load(Param("adst"), GP64())
	s3, ldd3, whole := GP64(), GP64(), GP64()
	LEAQ(Mem{Base: s, Index: s, Scale: 2}, s3)
	LEAQ(Mem{Base: ldd, Index: ldd, Scale: 2}, ldd3)
	MOVQ(ldd, whole)
	SHLQ(Imm(4), whole)
	SUBQ(whole, adst) // from the end of a block to the next
	from := []Register{Load(Param("src"), GP64())}
	for range 3 {
		next := GP64()
		LEAQ(Mem{Base: from[len(from)-1], Index: s, Scale: 4}, next)
		from = append(from, next)
	}
	Label("block")
	for q := range 4 {
		pool := newPool()
		var in [4]VecPhysical
		for r := range in {
			in[r] = pool.take()
			quarter(in[r], quarters, func(i int) Mem {
				return stepped(from[i], s, s3, r).Offset(16 * q)
			})
		}
		for l, out := range transposeQuarters(pool, in) {
			VMOVUPS(out, stepped(d, ldd, ldd3, l))
		}
		LEAQ(Mem{Base: d, Index: ldd, Scale: 4}, d)
	}
	for _, r := range from {
		ADDQ(asrc, r)
	}
	ADDQ(adst, d)
	DECQ(n)
	JNZ(LabelRef("block"))
	VZEROUPPER()
	RET()
}

// quarterMasks emits masks of the second, third and last four of 16 elements.
func quarterMasks() [3]Register {
	masks := [3]Register{K4, K5, K6}
	for i, k := range masks {
		bits := GP32()
		MOVL(U32(0xf0<<(4*i)), bits)
		KMOVW(bits, k)
	}
	return masks
}

// quarter emits v ← four elements from each of four places.
func quarter(v VecPhysical, masks [3]Register, at func(i int) Mem) {
	VMOVUPS(at(0), v.AsX())
	for i, k := range masks {
		VBROADCASTF32X4(at(i+1), k, v)
	}
}

// transposeQuarters emits the transposition of the 4 × 4 blocks in all quarters of four
// vectors. It returns the input vectors to the pool.
func transposeQuarters(pool *zmmPool, in [4]VecPhysical) (out [4]VecPhysical) {
	lo01, hi01, lo23, hi23 := pool.take(), pool.take(), pool.take(), pool.take()
	VUNPCKLPS(in[1], in[0], lo01)
	VUNPCKHPS(in[1], in[0], hi01)
	VUNPCKLPS(in[3], in[2], lo23)
	VUNPCKHPS(in[3], in[2], hi23)
	pool.give(in[:]...)
	for l, pair := range [4][2]VecPhysical{{lo01, lo23}, {lo01, lo23}, {hi01, hi23}, {hi01, hi23}} {
		out[l] = pool.take()
		VSHUFPS(Imm([4]uint64{0x44, 0xee, 0x44, 0xee}[l]), pair[1], pair[0], out[l])
	}
	pool.give(lo01, hi01, lo23, hi23)
	return out
}

// lanes16 returns the numbers 0 to 15.
func lanes16() Mem {
	lanes := GLOBL("lanes16", attr.RODATA|attr.NOPTR)
	for i := range 16 {
		DATA(4*i, U32(uint32(i)))
	}
	return lanes
}

// transposeFew emits the transposition of 4 to 15 rows, four columns at a time. The last
// four rows begin early, and the quarters of a vector after them repeat these four. A
// permutation then puts the last rows in their places.
func transposeFew() {
	lanes := lanes16()
	TEXT("transpose16few", 0, "func(n, m int, src *float32, lds int, dst *float32, ldd int)")
	Pragma("noescape")
	Doc("transpose16few is [TransposeFew].")
	quarters := quarterMasks()
	m, src := Load(Param("m"), GP64()), Load(Param("src"), GP64())
	s, s3 := Load(Param("lds"), GP64()), GP64()
	d, ldd, ldd3 := Load(Param("dst"), GP64()), Load(Param("ldd"), GP64()), GP64()
	LEAQ(Mem{Base: s, Index: s, Scale: 2}, s3)
	LEAQ(Mem{Base: ldd, Index: ldd, Scale: 2}, ldd3)
	var from [4]Register
	for i := range from {
		from[i] = GP64()
		quarterAt(i, argument("m"), from[i])
		IMULQ(s, from[i])
		ADDQ(src, from[i])
	}
	// Below the last quarter, lane j is row j. The last quarter begins at w = ⌈m/4⌉·4 − 4;
	// from there on, row j is in the lane that is (4 − m) mod 4 later.
	w, late, mask := GP64(), GP64(), GP64()
	LEAQ(Mem{Base: m, Disp: 3}, w)
	ANDQ(I32(-4), w)
	MOVQ(w, late)
	SUBQ(m, late)
	SUBQ(Imm(4), w)
	MOVQ(I32(-1), mask)
	SHLXQ(w, mask, mask)
	KMOVW(mask.As32(), K1)
	order := Z31
	VMOVDQU32(lanes, order)
	VPBROADCASTD(late.As32(), Z30)
	VPADDD(Z30, order, K1, order)
	n := Load(Param("n"), GP64())
	Label("block")
	pool := newPool()
	var in [4]VecPhysical
	for r := range in {
		in[r] = pool.take()
		quarter(in[r], quarters, func(i int) Mem { return stepped(from[i], s, s3, r) })
	}
	for l, out := range transposeQuarters(pool, in) {
		VPERMPS(out, order, out)
		VMOVUPS(out, stepped(d, ldd, ldd3, l))
	}
	LEAQ(Mem{Base: d, Index: ldd, Scale: 4}, d)
	for _, r := range from {
		ADDQ(Imm(16), r)
	}
	DECQ(n)
	JNZ(LabelRef("block"))
	VZEROUPPER()
	RET()
}
