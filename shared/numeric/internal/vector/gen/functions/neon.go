package main

import "strings"

// neon prints Advanced SIMD for arm64. Go's assembler has no names for most of its float
// instructions. They are printed as words, followed by the Arm mnemonic.
type neon struct {
	listing
	*registers
	kernel kernel
	canon  int
	acc    []int
}

func (n *neon) suffix() string { return "NEON" }

// lanes returns the number of elements of a vector.
func (n *neon) lanes() int {
	if n.kernel.single {
		return 4
	}
	return 2
}

func (n *neon) data() { n.listing.data("cneon", 2) }

func (n *neon) function(k kernel, p *program) {
	n.kernel = k
	n.heading(k, n.suffix())
	next := 31
	hold := func() int { next--; return next + 1 }
	n.f("MOVD n+0(FP), R0")
	n.f("MOVD $cneon<>(SB), R5")
	at := map[string]int{}
	for i, a := range k.pointers() {
		at[a] = []int{1, 2, 3, 4, 7}[i]
		n.f("MOVD %s+%d(FP), R%d", a, k.offset(a), at[a])
	}
	if p.uses(store, canonical) {
		n.canon = hold()
		n.f("MOVD $0x7fc00000, R6")
		n.f("VDUP R6, V%d.S4", n.canon)
	}
	held := map[value]int{}
	for i, o := range p.ops {
		if o.kind == scalar {
			held[value(i)] = hold()
			n.scalar(o.arg, held[value(i)])
		}
	}
	groups := width / n.lanes()
	n.acc = nil
	if p.uses(accumulate, maximizeInt) {
		n.f("MOVD %s+%d(FP), R4", k.sums(), k.offset(k.sums()))
		for g := range groups {
			n.acc = append(n.acc, hold())
			n.f("FMOVQ %d(R4), F%d", 16*g, n.acc[g])
		}
	}
	var free []int
	for v := range next + 1 {
		free = append(free, v)
	}
	n.out.WriteString("\nloop:\n")
	for g := range groups {
		n.registers = newRegisters(p, free, held)
		for i, o := range p.ops {
			n.now = i
			if o.kind != constant && o.kind != scalar {
				n.end(o, n.operation(p, o, g, at))
			}
		}
	}
	for _, a := range k.pointers() {
		n.f("ADD $%d, R%d", element[k.kind(a)]*width, at[a])
	}
	n.f("SUBS $%d, R0, R0", width)
	n.f("BNE loop")
	for g, v := range n.acc {
		n.f("FMOVQ F%d, %d(R4)", v, 16*g)
	}
	n.f("RET")
	n.out.WriteString("\n")
}

// register returns a register with v. A constant is loaded for the current operation.
func (n *neon) register(p *program, v value) int {
	if n.has(v) {
		return n.of[v]
	}
	r := n.scratch()
	n.f("FMOVQ %d(R5), F%d", 16*n.index(p.ops[v].bits), r)
	return r
}

// word prints dst = name(a, b), or name(a) if b < 0, on two float64. In a single kernel it
// prints the instruction on four float32, whose code has 0 in bit 22.
func (n *neon) word(code uint32, name string, dst, a, b int) {
	of := "2D"
	if n.kernel.single {
		code, of = code&^(1<<22), "4S"
	}
	if b < 0 {
		n.f("WORD $0x%08x // %s V%d.%s, V%d.%s", code|uint32(a)<<5|uint32(dst), name, dst, of, a, of)
		return
	}
	n.f("WORD $0x%08x // %s V%d.%s, V%d.%s, V%d.%s", code|uint32(b)<<16|uint32(a)<<5|uint32(dst), name, dst, of, a, of, b, of)
}

// arranged returns format, which is an instruction on two 64-bit elements, or its form for
// single kernels.
func (n *neon) arranged(format string) string {
	if n.kernel.single {
		return strings.ReplaceAll(format, ".D2", ".S4")
	}
	return format
}

var words = map[kind]struct {
	code uint32
	name string
}{
	add: {0x4e60d400, "FADD"}, sub: {0x4ee0d400, "FSUB"}, mul: {0x6e60dc00, "FMUL"}, div: {0x6e60fc00, "FDIV"},
	positive: {0x4e60f400, "FMAX"}, atMost: {0x4ee0f400, "FMIN"}, atLeast: {0x4e60f400, "FMAX"},
	sqrt: {0x6ee1f800, "FSQRT"}, toInt: {0x4e21a800, "FCVTNS"}, fromInt: {0x4e21d800, "SCVTF"},
}

var integers = map[kind]string{
	and: "VAND V%d.B16, V%d.B16, V%d.B16", or: "VORR V%d.B16, V%d.B16, V%d.B16", xor: "VEOR V%d.B16, V%d.B16, V%d.B16", addInt: "VADD V%d.D2, V%d.D2, V%d.D2",
}

// operation prints o for group g and returns the register of its result.
func (n *neon) operation(p *program, o op, g int, at map[string]int) int {
	switch o.kind {
	case load:
		dst := n.take()
		n.load(o.arg, n.place(o.arg, g, at), dst)
		return dst
	case store:
		v, to := n.of[o.a[0]], n.place(o.arg, g, at)
		if n.kernel.single {
			n.storeSingle(v, n.kernel.kind(o.arg), to)
			return -1
		}
		mask := n.scratch()
		n.f("WORD $0x%08x // FCVTN V%d.2S, V%d.2D", 0x0e616800|v<<5|v, v, v)
		n.f("WORD $0x%08x // FCMEQ V%d.2S, V%d.2S, V%d.2S", 0x0e20e400|v<<16|v<<5|mask, mask, v, v)
		n.f("VBIF V%d.B16, V%d.B16, V%d.B16", mask, n.canon, v)
		n.f("FMOVD F%d, %s", v, to)
		return -1
	case maximizeInt:
		n.word(0x4ea06400, "SMAX", n.acc[g], n.acc[g], n.of[o.a[0]])
		return -1
	case accumulate:
		n.word(words[add].code, "FADD", n.acc[g], n.acc[g], n.of[o.a[0]])
		return -1
	case fma, fnma:
		return n.fused(p, o)
	case selectLess:
		return n.selectLess(p, o)
	case sqrt, toInt, fromInt:
		dst := n.result(o.a[0])
		n.word(words[o.kind].code, words[o.kind].name, dst, n.of[o.a[0]], -1)
		return dst
	case canonical:
		dst := n.result(o.a[0])
		n.canonical(n.of[o.a[0]], dst)
		return dst
	case shiftLeft, shiftRight:
		dst := n.result(o.a[0])
		n.f(n.arranged("%s $%d, V%d.D2, V%d.D2"), map[kind]string{shiftLeft: "VSHL", shiftRight: "VUSHR"}[o.kind], o.bits, n.of[o.a[0]], dst)
		return dst
	case shiftSigned:
		dst, v := n.result(o.a[0]), n.of[o.a[0]]
		n.f("WORD $0x%08x // SSHR V%d.4S, V%d.4S, #%d", 0x4f000400|(64-int(o.bits))<<16|v<<5|dst, dst, v, o.bits)
		return dst
	}
	a, b := n.register(p, o.a[0]), n.register(p, o.a[1])
	dst := n.result(o.a...)
	if format, ok := integers[o.kind]; ok {
		n.f(n.arranged(format), b, a, dst)
	} else {
		n.word(words[o.kind].code, words[o.kind].name, dst, a, b)
	}
	return dst
}

// fused prints c ± a·b into the register of c, or a copy of it.
func (n *neon) fused(p *program, o op) int {
	name := map[kind]string{fma: "VFMLA", fnma: "VFMLS"}[o.kind]
	a, b, c := n.register(p, o.a[0]), n.register(p, o.a[1]), n.register(p, o.a[2])
	dst := c
	if n.has(o.a[2]) && (!n.dies(o.a[2]) || c == a || c == b) {
		dst = n.take()
		n.f("VMOV V%d.B16, V%d.B16", c, dst)
	}
	n.f(n.arranged("%s V%d.D2, V%d.D2, V%d.D2"), name, b, a, dst)
	return dst
}

// selectLess prints o.a[2] where o.a[0] < o.a[1], else o.a[3].
func (n *neon) selectLess(p *program, o op) int {
	a, b := n.register(p, o.a[0]), n.register(p, o.a[1])
	yes, no := n.register(p, o.a[2]), n.register(p, o.a[3])
	mask := n.scratch()
	n.word(0x6ee0e400, "FCMGT", mask, b, a)
	n.f("VBSL V%d.B16, V%d.B16, V%d.B16", no, yes, mask)
	return mask
}
