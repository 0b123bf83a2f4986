package main

// decayed returns (grad/divisor)·clip + decay·w, where w is the parameters.
func (p *program) decayed(w value) value {
	g := p.mul(p.div(p.load("grad"), p.scalar("divisor")), p.scalar("clip"))
	return p.add(g, p.mul(w, p.scalar("decay")))
}

// rmsprop returns a kernel for a step of RMSprop.
func rmsprop(name, doc string, momentum, centered bool) kernel {
	args := []string{"p", "q"}
	if momentum {
		args = append(args, "m")
	}
	if centered {
		args = append(args, "a")
	}
	args = append(args, "grad", "divisor float32", "clip float32", "decay float32", "alpha float32", "rest float32", "rate float32", "epsilon float32")
	if momentum {
		args = append(args, "momentum float32")
	}
	return single(name, doc, args, func(p *program) {
		w := p.load("p")
		g := p.decayed(w)
		v := p.add(p.mul(p.load("q"), p.scalar("alpha")), p.mul(p.mul(g, g), p.scalar("rest")))
		p.store("q", v)
		if centered {
			mean := p.add(p.mul(p.load("a"), p.scalar("alpha")), p.mul(g, p.scalar("rest")))
			p.store("a", mean)
			v = p.sub(v, p.mul(mean, mean))
			v = p.gate(v, v)
		}
		u := p.div(g, p.add(p.sqrt(v), p.scalar("epsilon")))
		if momentum {
			u = p.add(u, p.mul(p.load("m"), p.scalar("momentum")))
			p.store("m", u)
		}
		p.store("p", p.sub(w, p.mul(u, p.scalar("rate"))))
	})
}

// adagrad returns the kernel for a step of Adagrad.
func adagrad(name, doc string) kernel {
	args := []string{"p", "s", "grad", "divisor float32", "clip float32", "decay float32", "rate float32", "initial float32", "epsilon float32"}
	return single(name, doc, args, func(p *program) {
		w := p.load("p")
		g := p.decayed(w)
		sum := p.add(p.load("s"), p.mul(g, g))
		p.store("s", sum)
		root := p.add(p.sqrt(p.add(sum, p.scalar("initial"))), p.scalar("epsilon"))
		p.store("p", p.sub(w, p.mul(p.div(g, root), p.scalar("rate"))))
	})
}

// lion returns the kernel for a step of Lion.
func lion(name, doc string) kernel {
	args := []string{
		"p", "m", "grad", "divisor float32", "clip float32", "beta1 float32", "rest1 float32", "beta2 float32",
		"rest2 float32", "rate float32", "shrink float32",
	}
	return single(name, doc, args, func(p *program) {
		g := p.mul(p.div(p.load("grad"), p.scalar("divisor")), p.scalar("clip"))
		m := p.load("m")
		sum := p.add(p.mul(m, p.scalar("beta1")), p.mul(g, p.scalar("rest1")))
		p.store("m", p.add(p.mul(m, p.scalar("beta2")), p.mul(g, p.scalar("rest2"))))
		w := p.mul(p.load("p"), p.scalar("shrink"))
		p.store("p", p.sub(w, p.mul(p.direction(sum), p.scalar("rate"))))
	})
}

// direction returns the sign of x, as 1, −1 or ±0; NaN if x is infinite or NaN.
func (p *program) direction(x value) value {
	sign := p.selectLess(x, p.num(0), p.num(-1), p.num(0))
	sign = p.selectLess(p.num(0), x, p.num(1), sign)
	return p.add(sign, p.mul(x, p.num(0)))
}

// clamp returns the kernel that cuts off the elements of a gradient.
func clamp(name, doc string) kernel {
	return single(name, doc, []string{"dst", "grad", "divisor float32", "limit float32", "least float32"}, func(p *program) {
		q := p.div(p.load("grad"), p.scalar("divisor"))
		p.store("dst", p.do(atLeast, p.do(atMost, q, p.scalar("limit")), p.scalar("least")))
	})
}

func adaptive() []kernel {
	return []kernel{
		rmsprop("rmsprop", "q = alpha·q + rest·g²; p −= rate·u, u = g/(√q + epsilon)", false, false),
		rmsprop("rmspropMomentum", "q = alpha·q + rest·g²; m = momentum·m + u; p −= rate·m, u = g/(√q + epsilon)", true, false),
		rmsprop("rmspropCentered", "q = alpha·q + rest·g²; a = alpha·a + rest·g; p −= rate·u, u = g/(√(q − a²) + epsilon)", false, true),
		rmsprop("rmspropBoth", "q = alpha·q + rest·g²; a = alpha·a + rest·g; m = momentum·m + u; p −= rate·m, u = g/(√(q − a²) + epsilon)", true, true),
		adagrad("adagrad", "s += g²; p −= rate·g/(√(s + initial) + epsilon)"),
		lion("lion", "p = shrink·p − rate·sign(beta1·m + rest1·g); m = beta2·m + rest2·g"),
		clamp("clamp", "dst = grad/divisor, cut off at limit and least"),
	}
}
