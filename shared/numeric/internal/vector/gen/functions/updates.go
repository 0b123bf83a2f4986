package main

// gradient returns (grad/divisor)·clip + decay·w, where w is the parameters.
func (p *program) gradient(w value, decay bool) value {
	g := p.mul(p.div(p.load("grad"), p.scalar("divisor")), p.scalar("clip"))
	if decay {
		g = p.add(g, p.mul(w, p.scalar("decay")))
	}
	return g
}

// descend returns a kernel for a step of gradient descent.
func descend(name, doc string, decay, momentum, nesterov bool) kernel {
	args := []string{"p", "grad", "divisor float32", "clip float32", "rate float32"}
	if momentum {
		args = []string{"p", "m", "grad", "divisor float32", "clip float32", "rate float32", "momentum float32"}
	}
	if decay {
		args = append(args, "decay float32")
	}
	return single(name, doc, args, func(p *program) {
		w := p.load("p")
		g := p.gradient(w, decay)
		if momentum {
			v := p.add(p.mul(p.load("m"), p.scalar("momentum")), g)
			p.store("m", v)
			if nesterov {
				g = p.add(g, p.mul(v, p.scalar("momentum")))
			} else {
				g = v
			}
		}
		p.store("p", p.sub(w, p.mul(g, p.scalar("rate"))))
	})
}

// adam returns a kernel for a step of Adam.
func adam(name, doc string, decay bool) kernel {
	args := []string{
		"p", "m", "v", "grad", "divisor float32", "clip float32", "beta1 float32", "rest1 float32", "beta2 float32",
		"rest2 float32", "rate float32", "root2 float32", "epsilon float32", "shrink float32",
	}
	if decay {
		args = append(args, "decay float32")
	}
	return single(name, doc, args, func(p *program) {
		w := p.load("p")
		g := p.gradient(w, decay)
		w = p.mul(w, p.scalar("shrink"))
		m := p.add(p.mul(p.load("m"), p.scalar("beta1")), p.mul(g, p.scalar("rest1")))
		v := p.add(p.mul(p.load("v"), p.scalar("beta2")), p.mul(p.mul(g, g), p.scalar("rest2")))
		p.store("m", m)
		p.store("v", v)
		root := p.add(p.div(p.sqrt(v), p.scalar("root2")), p.scalar("epsilon"))
		p.store("p", p.sub(w, p.div(p.mul(m, p.scalar("rate")), root)))
	})
}

func updates() []kernel {
	return []kernel{
		descend("descend", "p −= rate·g, g = clip·grad/divisor", false, false, false),
		descend("descendDecay", "p −= rate·g, g = clip·grad/divisor + decay·p", true, false, false),
		descend("momentum", "m = momentum·m + g; p −= rate·m", false, true, false),
		descend("momentumDecay", "m = momentum·m + g; p −= rate·m, with decay", true, true, false),
		descend("nesterov", "m = momentum·m + g; p −= rate·(g + momentum·m)", false, true, true),
		descend("nesterovDecay", "m = momentum·m + g; p −= rate·(g + momentum·m), with decay", true, true, true),
		adam("adam", "m = beta1·m + rest1·g; v = beta2·v + rest2·g²; p = shrink·p − rate·m/(√v/root2 + epsilon)", false),
		adam("adamDecay", "m = beta1·m + rest1·g; v = beta2·v + rest2·g²; p = shrink·p − rate·m/(√v/root2 + epsilon), with decay", true),
	}
}
