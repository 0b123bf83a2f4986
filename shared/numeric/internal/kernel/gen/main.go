// Command gen writes the assembly of package kernel for amd64. It is a separate module, so
// that only developers who change kernels need avo:
//
//	go generate ./shared/numeric/internal/kernel
//
// Invariant: a kernel's only arithmetic on results is VFMADD231PS, one per element and k,
// in increasing k, and then one VADDPS for each matrix that is added.
package main

import (
	"flag"
	"fmt"

	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

var set = flag.String("set", "avx2", "instruction set: avx2 or avx512")

// nanBits is the canonical NaN of package fma.
const nanBits = 0x7fc00000

func main() {
	flag.Parse()
	ConstraintExpr("amd64")
	nan := GLOBL("nan"+*set, attr.RODATA|attr.NOPTR)
	DATA(0, U32(nanBits))
	switch *set {
	case "avx2":
		bits := GLOBL("bits", attr.RODATA|attr.NOPTR)
		for i := range 8 {
			DATA(4*i, U32(1<<i))
		}
		for nv := 1; nv <= 2; nv++ {
			panelAVX2(nan, bits, fmt.Sprintf("panelAVX2x%d", 8*nv), nv, false)
			panelAVX2(nan, bits, fmt.Sprintf("panelAVX2x%dmasked", 8*nv), nv, true)
		}
		first := GLOBL("first", attr.RODATA|attr.NOPTR) // from 3 − n on: a mask of the first n of 8, n ≤ 3
		for i := range 11 {
			DATA(4*i, U32(uint32(min(0, i-3)>>31)))
		}
		for _, shape := range [][2]int{{1, 4}, {1, 3}, {1, 2}, {1, 1}, {2, 2}, {2, 1}, {3, 2}, {3, 1}, {4, 1}} {
			dots(nan, first, shape[0], shape[1])
		}
		for _, shape := range [][2]int{{1, 8}, {1, 4}, {2, 4}, {3, 4}} {
			row(nan, "AVX2", shape[0], shape[1])
		}
		transpose8()
		for _, nv := range []int{1, 2, 4} {
			copyPanels(nv)
		}
	case "avx512":
		for nv := 1; nv <= 2; nv++ {
			panelAVX512(nan, fmt.Sprintf("panelAVX512x%d", 16*nv), nv, false)
			panelAVX512(nan, fmt.Sprintf("panelAVX512x%dmasked", 16*nv), nv, true)
		}
		for _, nv := range []int{8, 4} {
			row(nan, "AVX512", 1, nv)
		}
		for rows := 1; rows <= 3; rows++ {
			dots512(nan, rows)
		}
		for rows := 4; rows <= 7; rows++ {
			cols512(nan, rows)
		}
		transpose16()
		transposeFew()
	}
	Generate()
}
