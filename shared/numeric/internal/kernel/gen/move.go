package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// copyPanels emits a copy of k rows that splits each row into panels of nv vectors.
func copyPanels(nv int) {
	name := fmt.Sprintf("copyPanels%d", 8*nv)
	TEXT(name, 0, "func(k, panels int, src *float32, lds, step int, dst *float32, row, panel int)")
	Pragma("noescape")
	Doc(fmt.Sprintf("%s is [CopyPanels] for %d elements.", name, 8*nv))
	k, panels := Load(Param("k"), GP64()), Load(Param("panels"), GP64())
	src, lds, step := Load(Param("src"), GP64()), Load(Param("lds"), GP64()), Load(Param("step"), GP64())
	dst, row, panel := Load(Param("dst"), GP64()), Load(Param("row"), GP64()), Load(Param("panel"), GP64())
	ahead := GP64()
	LEAQ(Mem{Base: lds, Index: lds, Scale: 8}, ahead)
	Label("rows")
	from, to, n := GP64(), GP64(), GP64()
	MOVQ(src, from)
	MOVQ(dst, to)
	MOVQ(panels, n)
	Label("columns")
	for j := range nv {
		v := YMM()
		VMOVUPS(Mem{Base: from, Disp: 32 * j}, v)
		VMOVUPS(v, Mem{Base: to, Disp: 32 * j})
	}
	for line := 0; line < 32*nv; line += 64 {
		PREFETCHT0(Mem{Base: from, Index: ahead, Scale: 1, Disp: line})
	}
	ADDQ(step, from)
	ADDQ(panel, to)
	DECQ(n)
	JNZ(LabelRef("columns"))
	ADDQ(lds, src)
	ADDQ(row, dst)
	DECQ(k)
	JNZ(LabelRef("rows"))
	VZEROUPPER()
	RET()
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
		for i, out := range turn4(y) {
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
