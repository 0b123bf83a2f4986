package main

import (
	"fmt"
	"strings"
)

// x86 prints AVX2 or AVX-512. Operands are in Go's order: the result is last.
type x86 struct {
	listing
	wide bool // AVX-512
	*registers
	kernel kernel
	canon  int
	acc    []int
}

func (x *x86) suffix() string {
	if x.wide {
		return "AVX512"
	}
	return "AVX2"
}

// bytes returns the size of a vector.
func (x *x86) bytes() int {
	if x.wide {
		return 64
	}
	return 32
}

// lanes returns the number of elements of a vector.
func (x *x86) lanes() int {
	if x.kernel.single {
		return x.bytes() / 4
	}
	return x.bytes() / 8
}

// named returns the name of an instruction on float64, or of its form for single kernels.
func (x *x86) named(name string) string {
	if !x.kernel.single {
		return name
	}
	if n, ok := strings.CutSuffix(name, "PD"); ok {
		return n + "PS"
	}
	if n, ok := strings.CutSuffix(name, "Q"); ok {
		return n + "D"
	}
	return name
}

func (x *x86) v(n int) string {
	if x.wide {
		return fmt.Sprintf("Z%d", n)
	}
	return fmt.Sprintf("Y%d", n)
}

// half returns the part of register n that holds as many float32.
func (x *x86) half(n int) string {
	if x.wide {
		return fmt.Sprintf("Y%d", n)
	}
	return fmt.Sprintf("X%d", n)
}

var pointerRegisters = []string{"AX", "BX", "CX", "R8", "R9"}

// scalarsHeld is how many arguments of a single AVX2 kernel are in registers. If there are
// more, each is read from the frame when it is needed.
const scalarsHeld = 6

func (x *x86) data() {
	copies := 4
	if x.wide {
		copies = 1
	}
	x.listing.data("c"+strings.ToLower(x.suffix()), copies)
}

func (x *x86) function(k kernel, p *program) {
	x.kernel = k
	x.heading(k, x.suffix())
	last := 15
	if x.wide {
		last = 31
	}
	next := last
	hold := func() int { next--; return next + 1 }
	x.f("MOVQ n+0(FP), DX")
	at := map[string]string{}
	for i, a := range k.pointers() {
		at[a] = pointerRegisters[i]
		x.f("MOVQ %s+%d(FP), %s", a, k.offset(a), at[a])
	}
	if p.uses(store, canonical) {
		x.canon = hold()
		x.f("MOVL $0x7fc00000, SI")
		x.f("VMOVD SI, X0")
		if k.single {
			x.f("VPBROADCASTD X0, %s", x.v(x.canon))
		} else {
			x.f("VPBROADCASTD X0, %s", x.half(x.canon))
		}
	}
	held := map[value]int{}
	if x.wide || !k.single || len(p.held) <= scalarsHeld {
		for i, o := range p.ops {
			if o.kind == scalar {
				held[value(i)] = hold()
				x.scalar(o.arg, held[value(i)])
			}
		}
	}
	groups := width / x.lanes()
	x.acc = nil
	if p.uses(accumulate, maximizeInt) {
		x.f("MOVQ %s+%d(FP), DI", k.sums(), k.offset(k.sums()))
		for g := range groups {
			x.acc = append(x.acc, hold())
			x.f("VMOVUPD %d(DI), %s", x.bytes()*g, x.v(x.acc[g]))
		}
	}
	var free []int
	for n := range next + 1 {
		free = append(free, n)
	}
	x.out.WriteString("\nloop:\n")
	for g := range groups {
		x.registers = newRegisters(p, free, held)
		for i, o := range p.ops {
			x.now = i
			if o.kind != constant && o.kind != scalar {
				x.end(o, x.operation(p, o, g, at))
			}
		}
	}
	for _, a := range k.pointers() {
		x.f("ADDQ $%d, %s", element[k.kind(a)]*width, at[a])
	}
	x.f("SUBQ $%d, DX", width)
	x.f("JNZ loop")
	for g, n := range x.acc {
		x.f("VMOVUPD %s, %d(DI)", x.v(n), x.bytes()*g)
	}
	x.f("VZEROUPPER")
	x.f("RET")
	x.out.WriteString("\n")
}

// memory returns the operand of a constant, and the suffix of the instruction that reads
// it.
func (x *x86) memory(bits uint64) (operand, suffix string) {
	i := x.index(bits)
	if x.wide {
		return fmt.Sprintf("cavx512<>+%d(SB)", 8*i), ".BCST"
	}
	return fmt.Sprintf("cavx2<>+%d(SB)", 32*i), ""
}

// operand returns v as the first operand of an instruction: a register, or memory for a
// constant.
func (x *x86) operand(p *program, v value) (operand, suffix string) {
	if x.has(v) {
		return x.v(x.of[v]), ""
	}
	if p.ops[v].kind == scalar {
		return x.v(x.register(p, v)), ""
	}
	return x.memory(p.ops[v].bits)
}

// scalar prints the load of an argument into every element of register n.
func (x *x86) scalar(arg string, n int) {
	name := "VBROADCASTSD"
	if x.kernel.single {
		name = "VBROADCASTSS"
	}
	x.f("%s %s+%d(FP), %s", name, arg, x.kernel.offset(arg), x.v(n))
}

// move prints dst = v.
func (x *x86) move(p *program, v value, dst int) {
	if !x.has(v) && p.ops[v].kind == scalar {
		x.scalar(p.ops[v].arg, dst)
		return
	}
	m, _ := x.operand(p, v)
	switch {
	case !x.has(v) && x.wide:
		x.f("VBROADCASTSD %s, %s", m, x.v(dst))
	case !x.has(v):
		x.f("VMOVUPD %s, %s", m, x.v(dst))
	case x.of[v] != dst:
		x.f("VMOVAPD %s, %s", m, x.v(dst))
	}
}

// register returns a register with v, for operands that cannot be memory.
func (x *x86) register(p *program, v value) int {
	if x.has(v) {
		return x.of[v]
	}
	n := x.scratch()
	x.move(p, v, n)
	return n
}

var x86names = map[kind]string{
	add: "VADDPD", sub: "VSUBPD", mul: "VMULPD", div: "VDIVPD", and: "VPAND", or: "VPOR", xor: "VPXOR", addInt: "VPADDQ",
	positive:  "VMAXPD", // its second operand, 0, where the first is not greater
	atMost:    "VMINPD", // the first of Go's operands where the other is not less
	atLeast:   "VMAXPD",
	shiftLeft: "VPSLLQ", shiftRight: "VPSRLQ", shiftSigned: "VPSRAQ",
}

// operation prints o for group g and returns the register of its result.
func (x *x86) operation(p *program, o op, g int, at map[string]string) int {
	switch o.kind {
	case load:
		dst := x.take()
		x.f("%s %s, %s", x.loads(o.arg), x.place(o.arg, g, at), x.v(dst))
		return dst
	case store:
		if n, to := x.of[o.a[0]], x.place(o.arg, g, at); x.kernel.single {
			x.storeSingle(n, x.kernel.kind(o.arg), to)
		} else {
			x.store(n, to)
		}
		return -1
	case maximizeInt:
		x.f("VPMAXSD %s, %s, %s", x.v(x.of[o.a[0]]), x.v(x.acc[g]), x.v(x.acc[g]))
		return -1
	case accumulate:
		x.f("VADDPD %s, %s, %s", x.v(x.of[o.a[0]]), x.v(x.acc[g]), x.v(x.acc[g]))
		return -1
	case fma, fnma:
		return x.fused(p, o)
	case selectLess:
		return x.selectLess(p, o)
	case sqrt, toInt, fromInt:
		dst := x.result(o.a[0])
		name := map[kind]string{sqrt: x.named("VSQRTPD"), toInt: "VCVTPS2DQ", fromInt: "VCVTDQ2PS"}[o.kind]
		x.f("%s %s, %s", name, x.v(x.of[o.a[0]]), x.v(dst))
		return dst
	case canonical:
		dst := x.result(o.a[0])
		x.canonical(x.of[o.a[0]], dst)
		return dst
	case shiftLeft, shiftRight, shiftSigned:
		dst := x.result(o.a[0])
		x.f("%s $%d, %s, %s", x.named(x86names[o.kind]), o.bits, x.v(x.of[o.a[0]]), x.v(dst))
		return dst
	}
	name, a, b := x.named(x86names[o.kind]), o.a[0], o.a[1]
	if x.wide && (o.kind == and || o.kind == or || o.kind == xor) {
		name += "Q"
	}
	if o.kind == atMost || o.kind == atLeast {
		a, b = b, a
	}
	ra := x.register(p, a)
	m, suffix := x.operand(p, b)
	dst := x.result(o.a...)
	x.f("%s%s %s, %s, %s", name, suffix, m, x.v(ra), x.v(dst))
	return dst
}

// store prints the rounding of register n to float32 and its store.
func (x *x86) store(n int, to string) {
	narrow := x.half(n)
	if x.wide {
		x.f("VCVTPD2PS %s, %s", x.v(n), narrow)
		x.f("VCMPPS $3, %s, %s, K1", narrow, narrow)
		x.f("VMOVAPS %s, K1, %s", x.half(x.canon), narrow)
	} else {
		mask := x.half(x.scratch())
		x.f("VCVTPD2PSY %s, %s", x.v(n), narrow)
		x.f("VCMPPS $3, %s, %s, %s", narrow, narrow, mask)
		x.f("VBLENDVPS %s, %s, %s, %s", mask, x.half(x.canon), narrow, narrow)
	}
	x.f("VMOVUPS %s, %s", narrow, to)
}

// fused prints ±a·b + c in the form whose result overwrites a register that is no longer
// needed.
func (x *x86) fused(p *program, o op) int {
	name := map[kind]string{fma: "VFMADD", fnma: "VFNMADD"}[o.kind]
	a, b, c := o.a[0], o.a[1], o.a[2]
	if !x.has(a) || x.has(b) && (a == c || x.dies(b) && !x.dies(a)) {
		a, b = b, a
	}
	put := func(digits string, from value, mid, dst int) int {
		m, suffix := x.operand(p, from)
		x.f("%s%s %s, %s, %s", x.named(name+digits+"PD"), suffix, m, x.v(mid), x.v(dst))
		return dst
	}
	switch {
	case x.has(c) && x.dies(c) && c != a && c != b:
		return put("231", b, x.of[a], x.of[c])
	case x.dies(a) && a != b && a != c && x.has(b):
		return put("213", c, x.of[b], x.of[a])
	case x.dies(a) && a != c && x.has(c):
		return put("132", b, x.of[c], x.of[a])
	}
	dst := x.take()
	x.move(p, c, dst)
	return put("231", b, x.of[a], dst)
}

// selectLess prints o.a[2] where o.a[0] < o.a[1], else o.a[3].
func (x *x86) selectLess(p *program, o op) int {
	ra := x.register(p, o.a[0])
	no := x.register(p, o.a[3])
	m, suffix := x.operand(p, o.a[1])
	yes, blend := x.operand(p, o.a[2])
	const ordered = 17 // less than, quiet
	if x.wide {
		x.f("%s%s $%d, %s, %s, K1", x.named("VCMPPD"), suffix, ordered, m, x.v(ra))
		dst := x.result(o.a...)
		x.f("%s%s %s, %s, K1, %s", x.named("VBLENDMPD"), blend, yes, x.v(no), x.v(dst))
		return dst
	}
	mask := x.scratch()
	x.f("%s $%d, %s, %s, %s", x.named("VCMPPD"), ordered, m, x.v(ra), x.v(mask))
	dst := x.result(o.a...)
	x.f("%s %s, %s, %s, %s", x.named("VBLENDVPD"), x.v(mask), yes, x.v(no), x.v(dst))
	return dst
}
