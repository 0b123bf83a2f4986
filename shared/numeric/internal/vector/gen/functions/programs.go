package main

import "math"

// The programs repeat package vector's portable functions, operation by operation.

const (
	log2E   = 0x1.71547652b82fep+00
	ln2     = 0x1.62e42fefa39efp-01
	shifter = 0x1.8p52 + 1023

	sign     = 1 << 63
	mantissa = 1<<52 - 1
	one      = 1023 << 52
	root     = 0x3fe6a09e << 32

	density0    = 0x1.9884533d43651p-02
	millsCenter = 4.625
	millsEnd    = 20
)

// horner returns Σ c[i] xⁱ.
func (p *program) horner(x value, c []float64) value {
	q := p.num(c[len(c)-1])
	for i := len(c) - 2; i >= 0; i-- {
		q = p.fma(q, x, p.num(c[i]))
	}
	return q
}

func (p *program) abs(x value) value { return p.and(x, p.bits(sign-1)) }

// exponential returns 2ᵏ and eʳ − 1, where x = k·ln 2 + r.
func (p *program) exponential(x value) (s, em1 value) {
	t := p.fma(x, p.num(log2E), p.num(shifter))
	k := p.sub(t, p.num(shifter))
	r := p.fnma(k, p.num(ln2), x)
	q := p.horner(r, expm1Polynomial[:])
	return p.shiftLeft(t, 52), p.mul(q, r)
}

func (p *program) exp(x value) value {
	s, em1 := p.exponential(x)
	return p.fma(s, em1, s)
}

func (p *program) sigmoid(x value) value {
	e := p.exp(p.atMost(p.atLeast(x, -128), 128))
	return p.div(e, p.add(e, p.num(1)))
}

func (p *program) tanh(v value) value {
	a := p.atMost(p.abs(v), 16)
	s, em1 := p.exponential(p.add(a, a))
	m := p.fma(s, em1, p.sub(s, p.num(1)))
	return p.or(p.div(m, p.add(m, p.num(2))), p.and(v, p.bits(sign)))
}

func (p *program) log(v value) value {
	j := p.addInt(v, one-root)
	e := p.sub(p.or(p.shiftRight(j, 52), p.bits(0x433<<52)), p.num(0x1p52+1023))
	m := p.addInt(p.and(j, p.bits(mantissa)), root)
	s := p.div(p.sub(m, p.num(1)), p.add(m, p.num(1)))
	q := p.horner(p.mul(s, s), logPolynomial[:])
	y := p.fma(e, p.num(ln2), p.mul(q, s))
	zero, inf := p.num(0), p.num(math.Inf(1))
	limit := p.selectLess(v, zero, p.num(math.NaN()), p.num(math.Inf(-1)))
	return p.selectLess(v, inf, p.selectLess(zero, v, y, limit), v)
}

func (p *program) softplus(v, base value) value {
	u := p.exp(p.atLeast(p.or(v, p.bits(sign)), -128))
	s := p.div(u, p.add(u, p.num(2)))
	return p.fma(p.horner(p.mul(s, s), log1pPolynomial[:]), s, base)
}

// tail returns a = |v|, e^{−a²/2} and (1 − Φ(a))·e^{a²/2}.
func (p *program) tail(v value) (a, e, t value) {
	a = p.atMost(p.abs(v), millsEnd)
	e = p.exp(p.mul(p.mul(a, p.num(-0.5)), a))
	c := p.num(millsCenter)
	return a, e, p.horner(p.div(p.sub(a, c), p.add(a, c)), millsPolynomial[:])
}

func (p *program) gelu(v value) value {
	a, e, t := p.tail(v)
	return p.fnma(a, p.mul(e, t), p.positive(v))
}

func (p *program) geluSlope(v value) value {
	a, e, t := p.tail(v)
	w := p.mul(e, p.fma(a, p.num(-density0), t))
	return p.selectLess(v, p.num(0), w, p.sub(p.num(1), w))
}

// shifted returns e^{z−top}.
func (p *program) shifted() value {
	return p.exp(p.atLeast(p.sub(p.load("z"), p.scalar("top")), -128))
}

// kernel is a function for n elements; n is a positive multiple of 16.
type kernel struct {
	name, doc string
	args      []string // after n; each name is followed by its kind, except for float32 elements
	body      func(p *program)
	single    bool // computes in float32, else in float64
}

var (
	unary    = []string{"dst", "x"}
	backward = []string{"dst", "d", "y"}
)

func functions() []kernel {
	one := func(name, doc string, f func(p *program, x value) value) kernel {
		return kernel{name: name, doc: doc, args: unary, body: func(p *program) { p.store("dst", f(p, p.load("x"))) }}
	}
	two := func(name, doc string, f func(p *program, d, y value) value) kernel {
		return kernel{name: name, doc: doc, args: backward, body: func(p *program) { p.store("dst", f(p, p.load("d"), p.load("y"))) }}
	}
	return []kernel{
		one("exp", "dst = eˣ", func(p *program, x value) value { return p.exp(p.atMost(p.atLeast(x, -128), 128)) }),
		one("log", "dst = ln x", (*program).log),
		one("sigmoid", "dst = 1/(1+e⁻ˣ)", (*program).sigmoid),
		one("tanh", "dst = tanh x", (*program).tanh),
		one("gelu", "dst = x Φ(x)", (*program).gelu),
		one("softplus", "dst = ln(1+eˣ)", func(p *program, x value) value { return p.softplus(x, p.positive(x)) }),
		one("rsqrt", "dst = 1/√x", func(p *program, x value) value { return p.div(p.num(1), p.sqrt(x)) }),
		two("sigmoidBackward", "dst = d·y·(1 − y)", func(p *program, d, y value) value {
			return p.mul(p.mul(d, y), p.sub(p.num(1), y))
		}),
		two("tanhBackward", "dst = d·(1 − y²)", func(p *program, d, y value) value {
			return p.mul(d, p.sub(p.num(1), p.mul(y, y)))
		}),
		two("geluBackward", "dst = d·(Φ(y) + y φ(y))", func(p *program, d, y value) value {
			return p.mul(d, p.geluSlope(y))
		}),
		two("softplusBackward", "dst = d/(1+e⁻ʸ)", func(p *program, d, y value) value {
			return p.mul(d, p.sigmoid(y))
		}),
		two("sigmoidGradient", "dst = 1/(1+e⁻ᵈ) − y", func(p *program, d, y value) value {
			return p.sub(p.sigmoid(d), y)
		}),
		{name: "expSum", doc: "lanes += e^{z−top}", args: []string{"lanes", "z", "top float64"}, body: func(p *program) { p.accumulate(p.shifted()) }},
		{name: "softmax", doc: "dst = e^{z−top}/sum", args: []string{"dst", "z", "top float64", "sum float64"}, body: func(p *program) {
			p.store("dst", p.div(p.shifted(), p.scalar("sum")))
		}},
		{name: "sigmoidLoss", doc: "lanes += max(z, 0) − z·y + ln(1+e^{−|z|}), NaN but for y of 0 and 1", args: []string{"lanes", "z", "y"}, body: func(p *program) {
			z, y := p.load("z"), p.load("y")
			l := p.softplus(z, p.sub(p.positive(z), p.mul(z, y)))
			wrong := p.abs(p.mul(y, p.sub(p.num(1), y)))
			p.accumulate(p.selectLess(p.num(0), wrong, p.num(math.NaN()), l))
		}},
		{name: "squaredError", doc: "lanes += (z − y)²", args: []string{"lanes", "z", "y"}, body: func(p *program) {
			r := p.sub(p.load("z"), p.load("y"))
			p.accumulate(p.mul(r, r))
		}},
		{name: "residual", doc: "dst = scale·(z − y)", args: []string{"dst", "z", "y", "scale float64"}, body: func(p *program) {
			p.store("dst", p.mul(p.sub(p.load("z"), p.load("y")), p.scalar("scale")))
		}},
	}
}
