package model

import (
	"gonum.org/v1/gonum/blas"

	"tributary/shared/job"
	"tributary/shared/numeric"
	specified "tributary/shared/numeric/blas"
)

// rows computes dz of all layers and the loss terms of rows lo to hi.
func (p *Pass) rows(s *space, lo, hi int) {
	p.inputs[0].SetRows(lo, p.batch.X[lo:hi])
	s.y[0].Reset(p.n.features, hi-lo)
	s.y[0].Turn(&p.inputs[0], lo)
	for i := range p.n.layers {
		p.forward(s, i, hi-lo)
	}
	d, other := &s.d[0], &s.d[1]
	p.lossOf(s, d, lo, hi)
	for i := len(p.n.layers) - 1; i > 0; i-- {
		l := &p.n.layers[i]
		d.CopyTo(p.dz[i], lo)
		p.inputs[i].SetTurned(lo, &s.y[i])
		other.Reset(l.in, hi-lo)
		step := specified.RowsAtOnce(blas.Trans)
		for from := 0; from < l.in; from += step {
			to := min(from+step, l.in)
			specified.GemmPanels(&s.blas, blas.Trans, from, to, l.weights(p.params), d, other)
			p.backward(s, i-1, other, from, to)
		}
		d, other = other, d
	}
	d.CopyTo(p.dz[0], lo)
}

// forward computes the outputs of layer i, block after block of its units.
func (p *Pass) forward(s *space, i, rows int) {
	l, y := &p.n.layers[i], &s.y[i+1]
	y.Reset(l.out, rows)
	if l.activation == job.GELU {
		s.keep[i].Reset(l.out, rows)
	}
	step := specified.RowsAtOnce(blas.NoTrans)
	for from := 0; from < l.out; from += step {
		to := min(from+step, l.out)
		specified.GemmPanels(&s.blas, blas.NoTrans, from, to, l.weights(p.params), &s.y[i], y)
		for b := range y.Len() {
			v := y.Panel(b, from, to)
			if l.bias >= 0 {
				numeric.Add(v, v, s.bias[i].Panel(0, from, to))
			}
			activate(l.activation, v, s.kept(l, i, b, from, to))
		}
	}
}

// kept is where a gelu layer's inputs of the activation are.
func (s *space) kept(l *dense, i, b, from, to int) []float32 {
	if l.activation != job.GELU {
		return nil
	}
	return s.keep[i].Panel(b, from, to)
}

// backward turns d, units from to to, from dy of layer i into dz.
func (p *Pass) backward(s *space, i int, d *specified.Panels, from, to int) {
	l := &p.n.layers[i]
	if l.activation == job.NoActivation {
		return
	}
	for b := range d.Len() {
		activateBackward(l.activation, d.Panel(b, from, to), s.y[i+1].Panel(b, from, to), s.kept(l, i, b, from, to))
	}
}

// lossOf makes d, [Outputs, R], dz of the last layer.
func (p *Pass) lossOf(s *space, d *specified.Panels, lo, hi int) {
	o, last := p.n.Outputs(), len(p.n.layers)-1
	z, t := p.z[lo*o:hi*o], p.n.targets()
	s.y[last+1].TurnTo(z)
	s.rows = grow(s.rows, len(z))
	p.n.rowLoss(s.rows, p.terms[lo:hi], z, p.batch.Y[lo*t:hi*t])
	d.Reset(o, hi-lo)
	d.TurnFrom(s.rows)
	p.backward(s, last, d, 0, o)
}
