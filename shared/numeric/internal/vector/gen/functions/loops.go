package main

// The loops that are not functions of one element. They repeat package vector's portable
// code, operation by operation.

const (
	magnitude = 1<<31 - 1 // the bits of a float32 but its sign
	leastOver = 0x1p-149  // the least float32 above 0
)

// gate returns +0 where y ≤ 0 (computed as y < 2⁻¹⁴⁹), else x. If y is NaN, it returns x.
func (p *program) gate(y, x value) value {
	return p.selectLess(y, p.num(leastOver), p.num(0), x)
}

// rank maps float32 to signed integers in the same order: −0 is below +0, and a NaN is
// above all. Except for NaN it is its own inverse.
func (p *program) rank(x value) value {
	c := p.canonical(x)
	return p.xor(c, p.shiftRight(p.shiftSigned(c, 31), 1))
}

// brain returns the upper half of x, rounded to nearest even.
func (p *program) brain(x value) value {
	c := p.canonical(x)
	odd := p.and(p.shiftRight(c, 16), p.word(1))
	return p.shiftRight(p.do(addInt, p.do(addInt, c, p.word(0x7fff)), odd), 16)
}

// quantized returns x/scale rounded to an integer from −127 to 127; 0 for NaN.
func (p *program) quantized(x, scale value) value {
	q := p.atMost(p.atLeast(p.div(x, scale), -127), 127)
	return p.toInt(p.selectLess(q, p.num(128), q, p.num(0)))
}

// single returns a kernel that computes in float32.
func single(name, doc string, args []string, body func(p *program)) kernel {
	return kernel{name: name, doc: doc, args: args, body: body, single: true}
}

// reduction returns a kernel that adds float64 to lanes.
func reduction(name, doc string, args []string, term func(p *program) value) kernel {
	return kernel{name: name, doc: "lanes += " + doc, args: append([]string{"lanes"}, args...), body: func(p *program) { p.accumulate(term(p)) }}
}

func loops() []kernel {
	x := []string{"x"}
	list := []kernel{
		single("add", "dst = a + b", []string{"dst", "a", "b"}, func(p *program) { p.store("dst", p.add(p.load("a"), p.load("b"))) }),
		single("addRows", "dst = dst + a + b + c + d, one after the other", []string{"dst", "a", "b", "c", "d"}, func(p *program) {
			sum := p.load("dst")
			for _, row := range []string{"a", "b", "c", "d"} {
				sum = p.add(sum, p.load(row))
			}
			p.store("dst", sum)
		}),
		single("scale", "dst = alpha·x", []string{"dst", "x", "alpha float32"}, func(p *program) {
			p.store("dst", p.mul(p.scalar("alpha"), p.load("x")))
		}),
		single("axpy", "y = alpha·x + y, rounded once", []string{"y", "x", "alpha float32"}, func(p *program) {
			p.store("y", p.fma(p.load("x"), p.scalar("alpha"), p.load("y")))
		}),
		single("relu", "dst = max(x, 0)", []string{"dst", "x"}, func(p *program) {
			v := p.load("x")
			p.store("dst", p.gate(v, v))
		}),
		single("reluBackward", "dst = d where not y ≤ 0, else +0", []string{"dst", "d", "y"}, func(p *program) {
			p.store("dst", p.gate(p.load("y"), p.load("d")))
		}),

		reduction("sum", "x", x, func(p *program) value { return p.load("x") }),
		reduction("absSum", "|x|", x, func(p *program) value { return p.abs(p.load("x")) }),
		reduction("squares", "x²", x, func(p *program) value { v := p.load("x"); return p.mul(v, v) }),
		reduction("deviations", "(x − mean)²", []string{"x", "mean float64"}, func(p *program) value {
			d := p.sub(p.load("x"), p.scalar("mean"))
			return p.mul(d, d)
		}),
		reduction("dot", "x·y", []string{"x", "y"}, func(p *program) value { return p.mul(p.load("x"), p.load("y")) }),

		single("max", "maxima = max(maxima, rank of x)", []string{"maxima", "x"}, func(p *program) { p.maximizeInt(p.rank(p.load("x"))) }),
		single("absMax", "maxima = max(maxima, bits of |x|)", []string{"maxima", "x"}, func(p *program) {
			p.maximizeInt(p.and(p.load("x"), p.word(magnitude)))
		}),

		single("toFloat16", "dst = x as float16", []string{"dst half", "x"}, func(p *program) { p.store("dst", p.load("x")) }),
		single("fromFloat16", "dst = x of float16", []string{"dst", "x half"}, func(p *program) { p.store("dst", p.load("x")) }),
		single("toBfloat16", "dst = x as bfloat16", []string{"dst word", "x"}, func(p *program) { p.store("dst", p.brain(p.load("x"))) }),
		single("fromBfloat16", "dst = x of bfloat16", []string{"dst", "x word"}, func(p *program) {
			p.store("dst", p.shiftLeft(p.load("x"), 16))
		}),
		single("toInt8", "dst = x/scale, rounded to integers from −127 to 127", []string{"dst byte", "x", "scale float32"}, func(p *program) {
			p.store("dst", p.quantized(p.load("x"), p.scalar("scale")))
		}),
		single("fromInt8", "dst = scale·x", []string{"dst", "x byte", "scale float32"}, func(p *program) {
			p.store("dst", p.mul(p.scalar("scale"), p.fromInt(p.load("x"))))
		}),
	}
	return append(append(list, updates()...), adaptive()...)
}
