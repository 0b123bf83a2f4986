// Package kernel contains the innermost loops of matrix products. It has one set of loops
// per instruction set, and all sets give the same results.
//
// It does not own blocking, packing or checks of arguments: package blas does, and it is
// the only caller. The module in gen generates the assembly for amd64; its program neon
// generates that for arm64.
//
// Invariant: element (i, j) of a panel is the chain c ← fma(a_il, b_lj, c) over l in
// increasing order, from +0 or from a given value. Then the given tiles are added in order.
// A NaN result is the canonical NaN of package fma. Width, blocks and padding therefore
// never change a result.
package kernel

//go:generate go -C gen run . -set avx2 -pkg kernel -out ../panel_avx2_amd64.s -stubs ../panel_avx2_amd64.go
//go:generate go -C gen run . -set avx512 -pkg kernel -out ../panel_avx512_amd64.s -stubs ../panel_avx512_amd64.go
//go:generate sh -c "go -C gen run ./neon > panel_neon_arm64.s"

import "tributary/shared/numeric/isa"

// Panel computes C [m, w] from A [m, k], B [k, w] and tiles T₀, T₁, … [m, w]. It stores v
// in C after
//
//	v ← the chain over A and B, from +0 or, with [Load], from the first tile
//	v ← T + v for each remaining tile T, in order, each sum rounded once
//
// w is the kernel's width, m is at least 1 and k at least 0. All strides are in bytes.
// Within a block of MR rows, a_il is at a + i·rsa + l·csa. Blocks are psa apart, rows of B
// rsb, rows of C rsc and rows of a tile rst; their columns are contiguous. Tile i is at t +
// i·next. use is [Store], or [Load], plus [Add] once for each tile that is added. C may be
// any of the tiles. A masked kernel touches only the columns of B, C and T whose bit of
// mask is set.
type Panel func(m, k int, a *float32, rsa, csa, psa int, b *float32, rsb int, c *float32, rsc int, t *float32, rst, next int, use, mask uint64)

// What a kernel does with C, and a panel with T.
const (
	Store uint64 = iota // C ← chain from +0; C and T are not read
	Load                // C ← chain from C or T
	Add                 // C ← C or T + (chain from +0), the sum rounded once
)

// Few computes C [r, n] from A [r, k] and B [k, n]. r is the kernel's rows, n is a multiple
// of its columns, and n and k are at least 1. All strides are in bytes: a_il is at a +
// i·rsa + l·csa, rows of C are rsc apart, and their columns are contiguous.
//
// The kernel decides the layout of B. If columns are contiguous in a row, rsb is the
// distance of rows, and back is not read. If rows are contiguous in a column, rsb is the
// distance of columns. In that case the last 8 columns of every group may begin back
// columns early, 0 to 7, in B and in C, so that n need not be a multiple of 8.
type Few func(n, k int, a *float32, rsa, csa int, b *float32, rsb int, c *float32, rsc int, use uint64, back int)

// FewOf is a kernel and the number of columns that it computes at a time.
type FewOf struct {
	Cols int
	F    Few
}

// Transpose computes dst[j][i] = src[i][j] for n blocks of 8 × 8; n is at least 1. lds and
// ldd are the bytes between rows, asrc and adst the bytes between blocks.
type Transpose func(n int, src *float32, lds, asrc int, dst *float32, ldd, adst int)

// TransposeFew computes dst[j][i] = src[i][j] for m rows, 4 to 15, and 4·n columns; n is
// at least 1. It writes 16 elements of each row of dst; those from m on are undefined.
// lds and ldd are the bytes between rows.
type TransposeFew func(n, m int, src *float32, lds int, dst *float32, ldd int)

// CopyPanels copies k rows, which are lds apart, into panels. It copies w elements at a
// time; consecutive groups are step apart in src and go to consecutive panels. row is the
// distance of rows in a panel, panel the distance of panels. All strides are in bytes; k
// and panels are at least 1.
type CopyPanels func(k, panels int, src *float32, lds, step int, dst *float32, row, panel int)

// Set contains the kernels of one instruction set.
type Set struct {
	Name         isa.Set
	MR, NR       int          // rows of a block, columns of a panel
	Half         Panel        // NR/2 columns
	Wide         Panel        // NR columns
	Narrow       [2]Panel     // masked: up to NR/2 and up to NR columns; nil if there are none
	Rows         [][]FewOf    // by rows of C, starting with 1: kernels for B with contiguous rows
	Dots         [][]FewOf    // by rows of C: kernels for B with contiguous columns, for 8·i columns, i from some number down to 1
	Bulk         []FewOf      // by rows of C: as Dots, for many columns; they ignore back
	Cols         []Few        // by rows of C from len(Dots)+1 on: for any number of columns from 4 on; nil if there are none
	Transpose8   Transpose    // nil if there is none
	Transpose16  Transpose    // for blocks of 16 × 16; nil if there is none
	TransposeFew TransposeFew // nil if there is none
	CopyA        CopyPanels   // w is at least MR and at most MR+2; nil if there is none
	CopyB        CopyPanels   // w is NR; nil if there is none
}

// For returns the kernel for a panel of width columns. The kernel is made for NR/2 or NR
// columns; exact reports whether it leaves the columns beyond width unchanged.
func (s *Set) For(width int) (f Panel, exact bool) {
	half := width <= s.NR/2
	switch {
	case width == s.NR:
		return s.Wide, true
	case half && 2*width == s.NR:
		return s.Half, true
	case half && s.Narrow[0] != nil:
		return s.Narrow[0], true
	case s.Narrow[1] != nil:
		return s.Narrow[1], true
	case half:
		return s.Half, false
	}
	return s.Wide, false
}

// Masked reports whether every panel is exact.
func (s *Set) Masked() bool { return s.Narrow[0] != nil }

// Of returns the kernels of s. For a set that this GOARCH does not have, it returns the
// kernels in Go.
func Of(s isa.Set) *Set {
	for _, k := range native {
		if k.Name == s {
			return k
		}
	}
	return portable
}

var portable = &Set{Name: isa.Go, MR: goRows, NR: goCols, Half: panelGo2, Wide: panelGo4}
