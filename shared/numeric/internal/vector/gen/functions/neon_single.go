package main

import "fmt"

// place returns the memory operand of group g of an argument's elements.
func (n *neon) place(arg string, g int, at map[string]int) string {
	return fmt.Sprintf("%d(R%d)", element[n.kernel.kind(arg)]*n.lanes()*g, at[arg])
}

// scalar prints the load of an argument into every element of register dst.
func (n *neon) scalar(arg string, dst int) {
	at := n.kernel.offset(arg)
	if n.kernel.single {
		n.f("FMOVS %s+%d(FP), F%d", arg, at, dst)
		n.f("VDUP V%d.S[0], V%d.S4", dst, dst)
		return
	}
	n.f("MOVD %s+%d(FP), R6", arg, at)
	n.f("VDUP R6, V%d.D2", dst)
}

// short prints dst = name(a) between vectors of different element types.
func (n *neon) short(code int, name, to, from string, dst, a int) {
	n.f("WORD $0x%08x // %s V%d.%s, V%d.%s", code|a<<5|dst, name, dst, to, a, from)
}

// load prints the load of elements of an argument into register dst.
func (n *neon) load(arg, from string, dst int) {
	kind := n.kernel.kind(arg)
	switch {
	case !n.kernel.single:
		n.f("FMOVD %s, F%d", from, dst)
		n.short(0x0e617800, "FCVTL", "2D", "2S", dst, dst)
	case kind == "":
		n.f("FMOVQ %s, F%d", from, dst)
	case kind == "half":
		n.f("FMOVD %s, F%d", from, dst)
		n.short(0x0e217800, "FCVTL", "4S", "4H", dst, dst)
	case kind == "word":
		n.f("FMOVD %s, F%d", from, dst)
		n.short(0x2f10a400, "UXTL", "4S", "4H", dst, dst)
	case kind == "byte":
		n.f("FMOVS %s, F%d", from, dst)
		n.short(0x0f08a400, "SXTL", "8H", "8B", dst, dst)
		n.short(0x0f10a400, "SXTL", "4S", "4H", dst, dst)
	}
}

// canonical prints dst = register v of four float32, with any NaN replaced by the canonical
// NaN.
func (n *neon) canonical(v, dst int) {
	mask := n.scratch()
	n.word(0x4e60e400, "FCMEQ", mask, v, v)
	if v != dst {
		n.f("VMOV V%d.B16, V%d.B16", v, dst)
	}
	n.f("VBIF V%d.B16, V%d.B16, V%d.B16", mask, n.canon, dst)
}

// storeSingle prints the conversion of register v to elements of a kind, and their store.
func (n *neon) storeSingle(v int, kind, to string) {
	switch kind {
	case "":
		n.canonical(v, v)
		n.f("FMOVQ F%d, %s", v, to)
	case "half":
		n.canonical(v, v)
		n.short(0x0e216800, "FCVTN", "4H", "4S", v, v)
		n.f("FMOVD F%d, %s", v, to)
	case "word":
		n.short(0x0e612800, "XTN", "4H", "4S", v, v)
		n.f("FMOVD F%d, %s", v, to)
	case "byte":
		n.short(0x0e612800, "XTN", "4H", "4S", v, v)
		n.short(0x0e212800, "XTN", "8B", "8H", v, v)
		n.f("FMOVS F%d, %s", v, to)
	}
}
