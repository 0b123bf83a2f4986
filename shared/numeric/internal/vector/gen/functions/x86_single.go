package main

import "fmt"

// Kernels that compute in float32 load and store elements of several kinds.

// place returns the memory operand of group g of an argument's elements.
func (x *x86) place(arg string, g int, at map[string]string) string {
	return fmt.Sprintf("%d(%s)", element[x.kernel.kind(arg)]*x.lanes()*g, at[arg])
}

// loads returns the name of the instruction that loads elements of an argument.
func (x *x86) loads(arg string) string {
	if !x.kernel.single {
		return "VCVTPS2PD"
	}
	return map[string]string{"": "VMOVUPS", "half": "VCVTPH2PS", "word": "VPMOVZXWD", "byte": "VPMOVSXBD"}[x.kernel.kind(arg)]
}

// canonical prints dst = register n, with any NaN replaced by the canonical NaN.
func (x *x86) canonical(n, dst int) {
	if x.wide {
		x.f("VCMPPS $3, %s, %s, K1", x.v(n), x.v(n))
		x.f("VBLENDMPS %s, %s, K1, %s", x.v(x.canon), x.v(n), x.v(dst))
		return
	}
	mask := x.v(x.scratch())
	x.f("VCMPPS $3, %s, %s, %s", x.v(n), x.v(n), mask)
	x.f("VBLENDVPS %s, %s, %s, %s", mask, x.v(x.canon), x.v(n), x.v(dst))
}

// storeSingle prints the conversion of register n to elements of a kind, and their store.
func (x *x86) storeSingle(n int, kind, to string) {
	switch kind {
	case "":
		x.canonical(n, n)
		x.f("VMOVUPS %s, %s", x.v(n), to)
	case "half":
		x.canonical(n, n)
		x.f("VCVTPS2PH $0, %s, %s", x.v(n), to)
	default:
		x.storeNarrow(n, kind, to)
	}
}

// storeNarrow prints the store of the low bits of the integers in register n.
func (x *x86) storeNarrow(n int, kind, to string) {
	if x.wide {
		x.f("%s %s, %s", map[string]string{"word": "VPMOVDW", "byte": "VPMOVDB"}[kind], x.v(n), to)
		return
	}
	low, t := x.half(n), x.half(x.scratch())
	x.f("VEXTRACTI128 $1, %s, %s", x.v(n), t)
	if kind == "word" {
		x.f("VPACKUSDW %s, %s, %s", t, low, t)
		x.f("VMOVDQU %s, %s", t, to)
		return
	}
	x.f("VPACKSSDW %s, %s, %s", t, low, t)
	x.f("VPACKSSWB %s, %s, %s", t, t, t)
	x.f("VMOVQ %s, %s", t, to)
}
