package executor

import (
	"tributary/shared/model"
	"tributary/shared/numeric/blas"
)

// space is one thread's buffers for a chunk of samples. R is the chunk's columns.
type space struct {
	e     *Executor
	rows  blas.Panels   // features [R, I], if they are not kept for the whole batch
	x     blas.Panels   // features [I, R]
	y     []blas.Panels // per node: outputs [O, R]
	keep  []blas.Panels // per node that keeps: [O, R]
	ready []blas.Panels // per node: what Prepare makes, for panels of this width
	width int
	d     [2]blas.Panels
	turn  []float32 // gradient of the outputs [R, Outputs]
	blas  blas.Space

	narrow   bool
	frame    model.Frame
	back     model.Frame // for the producer
	producer int         // the node whose gradient Receive completes; −1: none
}

// begin makes room for the network of the executor. Panels are narrow for a prediction,
// which may have few rows: its products are those of matrices with vectors. Training does
// not need narrow panels: it has enough rows, or it is short.
func (s *space) begin(narrow bool) {
	s.narrow = narrow
	nodes := len(s.e.nodes())
	s.y, s.keep, s.ready = room(s.y, nodes), room(s.keep, nodes), room(s.ready, nodes)
	s.frame = model.Frame{Weights: s.e.m.Weights, Space: &s.blas, Done: s}
	s.width = 0
}

// reset makes p a matrix of a chunk, with narrow panels if the space is narrow.
func (s *space) reset(p *blas.Panels, rows, columns int) {
	if s.narrow {
		p.ResetNarrow(rows, columns)
		return
	}
	p.Reset(rows, columns)
}

// prepare lets the layers prepare for chunks whose panels are as wide as those of x. It
// does this once per width.
func (s *space) prepare() {
	if s.width == s.x.Width() {
		return
	}
	s.width = s.x.Width()
	for i := range s.e.nodes() {
		s.frame.X, s.frame.Ready = &s.x, &s.ready[i]
		s.e.nodes()[i].Prepare(&s.frame)
	}
}

// gradient computes dz of all nodes, and the loss terms, for samples lo to hi.
func (s *space) gradient(lo, hi int) {
	e, nodes := s.e, s.e.nodes()
	s.reset(&s.x, e.m.Network.Features(), hi-lo)
	if e.trained == 0 {
		e.inputs[0].SetRows(lo, e.batch.X[lo:hi])
		s.x.SetTransposed(&e.inputs[0], lo)
	} else {
		s.x.SetColumns(&s.rows, e.batch.X[lo:hi])
	}
	s.forward(hi - lo)
	d, other := &s.d[0], &s.d[1]
	s.loss(d, lo, hi)
	for i := len(nodes) - 1; ; i-- {
		if !nodes[i].Gradient().None() {
			d.CopyTo(e.dz[i], lo)
			if i > 0 {
				e.inputs[i].SetRowsTransposed(lo, s.output(nodes[i].Input))
			}
		}
		if i == e.trained {
			return
		}
		s.reset(other, e.m.Network.Source(i).Units, hi-lo)
		s.at(i)
		s.frame.D, s.frame.DX, s.producer = d, other, nodes[i].Input
		nodes[i].Backward(&s.frame)
		d, other = other, d
	}
}

// forward computes the outputs of all nodes for the features in x.
func (s *space) forward(columns int) {
	nodes := s.e.nodes()
	s.prepare()
	for i := range nodes {
		units := nodes[i].Output().Units
		s.reset(&s.y[i], units, columns)
		if nodes[i].Keeps() {
			s.reset(&s.keep[i], units, columns)
		}
		s.at(i)
		nodes[i].Forward(&s.frame)
	}
}

// at sets the frame to node i.
func (s *space) at(i int) {
	node := &s.e.nodes()[i]
	f := &s.frame
	f.X, f.Y, f.Ready, f.Keep = s.output(node.Input), &s.y[i], &s.ready[i], nil
	if node.Keeps() {
		f.Keep = &s.keep[i]
	}
}

// output returns the output of a node; for −1, the features.
func (s *space) output(node int) *blas.Panels {
	if node < 0 {
		return &s.x
	}
	return &s.y[node]
}

// Receive turns units of a gradient that Backward has just computed, d loss / d Y of the
// producer, into d loss / d Z. The sums of the producer are over Z.
func (s *space) Receive(from, to int) {
	if s.producer < 0 {
		return
	}
	f, node := &s.back, &s.e.nodes()[s.producer]
	f.D, f.Y, f.Keep = s.frame.DX, &s.y[s.producer], nil
	if node.Keeps() {
		f.Keep = &s.keep[s.producer]
	}
	node.Differentiate(f, from, to)
}

// loss computes d [Outputs, R], the dz of the last node.
func (s *space) loss(d *blas.Panels, lo, hi int) {
	e := s.e
	o, last := e.m.Network.Outputs(), len(e.nodes())-1
	z, t := e.z[lo*o:hi*o], e.m.targets()
	s.y[last].TransposeTo(z)
	s.turn = grow(s.turn, len(z))
	e.m.Objective.Gradient(s.turn, e.terms[lo:hi], z, e.batch.Y[lo*t:hi*t], o)
	s.reset(d, o, hi-lo)
	d.TransposeFrom(s.turn)
	s.frame.DX, s.producer = d, last
	s.Receive(0, o)
}
