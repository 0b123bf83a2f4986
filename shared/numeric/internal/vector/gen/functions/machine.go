package main

import (
	"math"
	"slices"
)

// value is the result of an operation: one number for each element in the vector. It is a
// float64, or, in a single kernel, a float32 or a 32-bit integer.
type value int

// op is one operation: its kind and its arguments a.
type op struct {
	kind kind
	a    []value
	bits uint64 // of a constant, in a single kernel twice; the distance of a shift
	arg  string // the kernel's argument that is loaded, stored or held
}

type kind int

const (
	constant    kind = iota
	scalar           // an argument of the kernel, in every element
	load             // elements of the argument's kind, as they are computed with
	store            // a[0] rounded to the argument's kind, any NaN the canonical one
	accumulate       // lanes += a[0]
	maximizeInt      // lanes = the greater of lanes and a[0], signed integers
	add
	sub
	mul
	div
	sqrt
	fma        // a[0]·a[1] + a[2], rounded once
	fnma       // a[2] − a[0]·a[1], rounded once
	atMost     // a[1] where a[1] < a[0], else a[0]
	atLeast    // a[1] where a[0] < a[1], else a[0]
	positive   // a[0] where 0 < a[0], else +0; undefined for NaN
	selectLess // a[2] where a[0] < a[1], else a[3]
	and
	or
	xor
	addInt
	shiftLeft
	shiftRight
	shiftSigned // the sign bit comes in from the left
	canonical   // a[0], or the canonical NaN if a[0] is NaN
	toInt       // a[0] rounded to an integer, to nearest even
	fromInt
)

// program records the operations of a kernel on one vector of elements.
type program struct {
	single bool
	ops    []op
	values map[[2]uint64]value // constants and scalars met before
	held   map[string]value
}

func record(k kernel) *program {
	p := &program{single: k.single, values: map[[2]uint64]value{}, held: map[string]value{}}
	k.body(p)
	return p
}

func (p *program) emit(o op) value {
	p.ops = append(p.ops, o)
	return value(len(p.ops) - 1)
}

func (p *program) do(k kind, a ...value) value { return p.emit(op{kind: k, a: a}) }

func (p *program) bits(b uint64) value {
	key := [2]uint64{b}
	if v, ok := p.values[key]; ok {
		return v
	}
	v := p.emit(op{kind: constant, bits: b})
	p.values[key] = v
	return v
}

// num returns a number; in a single kernel, a float32.
func (p *program) num(x float64) value {
	if p.single {
		return p.word(math.Float32bits(float32(x)))
	}
	return p.bits(math.Float64bits(x))
}

// word returns the bits of a 32-bit constant.
func (p *program) word(b uint32) value { return p.bits(uint64(b)<<32 | uint64(b)) }

func (p *program) scalar(arg string) value {
	if v, ok := p.held[arg]; ok {
		return v
	}
	v := p.emit(op{kind: scalar, arg: arg})
	p.held[arg] = v
	return v
}

func (p *program) load(arg string) value     { return p.emit(op{kind: load, arg: arg}) }
func (p *program) store(arg string, v value) { p.emit(op{kind: store, arg: arg, a: []value{v}}) }
func (p *program) accumulate(v value)        { p.do(accumulate, v) }
func (p *program) maximizeInt(v value)       { p.do(maximizeInt, v) }

func (p *program) add(x, y value) value              { return p.do(add, x, y) }
func (p *program) sub(x, y value) value              { return p.do(sub, x, y) }
func (p *program) mul(x, y value) value              { return p.do(mul, x, y) }
func (p *program) div(x, y value) value              { return p.do(div, x, y) }
func (p *program) sqrt(x value) value                { return p.do(sqrt, x) }
func (p *program) fma(x, y, z value) value           { return p.do(fma, x, y, z) }
func (p *program) fnma(x, y, z value) value          { return p.do(fnma, x, y, z) }
func (p *program) atMost(x value, hi float64) value  { return p.do(atMost, x, p.num(hi)) }
func (p *program) atLeast(x value, lo float64) value { return p.do(atLeast, x, p.num(lo)) }
func (p *program) positive(x value) value            { return p.do(positive, x, p.num(0)) }
func (p *program) and(x, y value) value              { return p.do(and, x, y) }
func (p *program) or(x, y value) value               { return p.do(or, x, y) }
func (p *program) xor(x, y value) value              { return p.do(xor, x, y) }
func (p *program) canonical(x value) value           { return p.do(canonical, x) }
func (p *program) toInt(x value) value               { return p.do(toInt, x) }
func (p *program) fromInt(x value) value             { return p.do(fromInt, x) }
func (p *program) addInt(x value, n uint64) value    { return p.do(addInt, x, p.bits(n)) }

func (p *program) selectLess(x, y, yes, no value) value { return p.do(selectLess, x, y, yes, no) }

func (p *program) shiftLeft(x value, n uint64) value {
	return p.emit(op{kind: shiftLeft, a: []value{x}, bits: n})
}

func (p *program) shiftRight(x value, n uint64) value {
	return p.emit(op{kind: shiftRight, a: []value{x}, bits: n})
}

func (p *program) shiftSigned(x value, n uint64) value {
	return p.emit(op{kind: shiftSigned, a: []value{x}, bits: n})
}

// uses reports whether the program has an operation of one of the kinds.
func (p *program) uses(kinds ...kind) bool {
	return slices.ContainsFunc(p.ops, func(o op) bool { return slices.Contains(kinds, o.kind) })
}

// registers assigns vector registers while the operations are printed one after the other.
// It knows which values are used for the last time in the current operation.
type registers struct {
	free []int
	of   map[value]int
	last map[value]int // the last operation that reads a value
	now  int
	temp []int // to be freed after the current operation
}

// newRegisters returns the registers for one pass over p. The values in held keep their
// registers for the whole pass.
func newRegisters(p *program, free []int, held map[value]int) *registers {
	r := &registers{free: slices.Clone(free), of: map[value]int{}, last: map[value]int{}}
	for i, o := range p.ops {
		for _, v := range o.a {
			r.last[v] = i
		}
	}
	for v, n := range held {
		r.of[v] = n
		delete(r.last, v)
	}
	return r
}

// has reports whether v is in a register. A constant is not.
func (r *registers) has(v value) bool { _, ok := r.of[v]; return ok }

// dies reports whether the current operation may overwrite v's register.
func (r *registers) dies(v value) bool {
	last, ok := r.last[v]
	return ok && r.has(v) && last == r.now
}

// take returns a free register.
func (r *registers) take() int {
	if len(r.free) == 0 {
		panic("a program needs more registers than there are")
	}
	n := r.free[0]
	r.free = r.free[1:]
	return n
}

// scratch returns a register for the current operation only.
func (r *registers) scratch() int {
	n := r.take()
	r.temp = append(r.temp, n)
	return n
}

// result returns a register for the result: that of an argument that dies, or a free one.
func (r *registers) result(from ...value) int {
	for _, v := range from {
		if r.dies(v) {
			return r.of[v]
		}
	}
	return r.take()
}

// end ends the current operation, whose result is in register n (−1: none).
func (r *registers) end(o op, n int) {
	for _, t := range r.temp {
		if t != n {
			r.free = append(r.free, t)
		}
	}
	r.temp = nil
	for _, v := range o.a {
		if r.dies(v) {
			if r.of[v] != n {
				r.free = append(r.free, r.of[v])
			}
			delete(r.of, v)
		}
	}
	if n >= 0 {
		r.of[value(r.now)] = n
	}
}
