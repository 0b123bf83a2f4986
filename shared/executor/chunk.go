package executor

import (
	"tributary/shared/model"
	"tributary/shared/numeric"
	"tributary/shared/numeric/blas"
	"tributary/shared/objective"
)

// space is one thread's buffers for a chunk of samples. R is the chunk's columns: its
// samples times the positions of a value.
type space struct {
	e       *Executor
	load    loader
	*values               // of the chunk
	own     values        // of a chunk that is computed without a pause
	ready   []blas.Panels // per node: what Prepare makes, for panels of this width
	widths  []int         // per node: the width of the panels that Prepare ran for
	spare   []*blas.Panels
	turn    []float32   // gradient of the outputs [R, Output]
	rights  [][]float32 // per depth of a tree: a sum of a scatter
	blas    blas.Space

	narrow   bool
	node     *model.Node // that computes
	frame    model.Frame
	training model.Training // of the chunk
	back     model.Frame    // for the producer of a value
}

// values are those of a network for one chunk of samples.
type values struct {
	y        []blas.Panels  // per value: [O, R]
	integers [][]int32      // per input of the network: [R, I]
	keep     []blas.Panels  // per value that a layer keeps: [O, R]
	d        []*blas.Panels // per value: the gradient [O, R] while it is being added up
	uses     []int          // per value: inputs of nodes that have not added their gradient
}

// fit makes room for a network.
func (v *values) fit(n *model.Network) {
	values := n.Values()
	v.y, v.keep, v.d, v.uses = room(v.y, values), room(v.keep, values), room(v.d, values), room(v.uses, values)
	v.integers = room(v.integers, len(n.Inputs()))
	clear(v.d) // a panic may have left some
}

// restart forgets which gradients have been added.
func (v *values) restart(n *model.Network) {
	for i := range n.Values() {
		v.uses[i] = n.Uses(i)
	}
}

// begin makes room for the network of the executor. Panels are narrow for a prediction,
// which may have few rows: its products are those of matrices with vectors. Training does
// not need narrow panels: it has enough rows, or it is short.
func (s *space) begin(narrow bool) {
	s.narrow = narrow
	nodes := len(s.e.nodes())
	s.values = &s.own
	s.fit(s.e.m.Network)
	s.ready, s.widths = room(s.ready, nodes), room(s.widths, nodes)
	s.frame = model.Frame{Weights: s.e.m.Weights, Space: &s.blas, Done: s, X: s.frame.X, Integers: s.frame.Integers, DX: s.frame.DX, Scratch: s.frame.Scratch, Columns: s.frame.Columns}
	clear(s.widths)
}

// reset makes p a matrix of a chunk, with narrow panels if the space is narrow.
func (s *space) reset(p *blas.Panels, rows, columns int) {
	if s.narrow {
		p.ResetNarrow(rows, columns)
		return
	}
	p.Reset(rows, columns)
}

// fields makes the inputs of the network for samples lo to hi. If hold is set, it also copies
// the inputs that the second phase reads.
func (s *space) fields(lo, hi int, hold bool) {
	for k := range s.e.m.Network.Inputs() {
		s.field(k, lo, hi, hold)
	}
}

// forward computes the outputs of the nodes from to `to` for samples lo to hi.
func (s *space) forward(lo, hi, from, to int) {
	n := s.e.m.Network
	fields := len(n.Inputs())
	for i := from; i < to; i++ {
		node, v := &n.Nodes()[i], fields+i
		out := node.Output()
		s.reset(&s.y[v], out.Units, (hi-lo)*out.Positions)
		if k := node.Keep(); k > 0 {
			s.reset(&s.keep[v], k, (hi-lo)*out.Positions)
		}
		s.at(i)
		s.prepare(i)
		node.Forward(&s.frame)
	}
}

// prepare runs Prepare for node i, at which the frame is, unless this thread has run it for
// panels of this width.
func (s *space) prepare(i int) {
	if w := s.frame.Y.Width(); s.widths[i] != w {
		s.widths[i] = w
		s.node.Prepare(&s.frame)
	}
}

// at sets the frame to node i.
func (s *space) at(i int) {
	n := s.e.m.Network
	v, f := len(n.Inputs())+i, &s.frame
	s.node = &n.Nodes()[i]
	f.Y, f.Ready, f.Keep = &s.y[v], &s.ready[i], nil
	if s.node.Keep() > 0 {
		f.Keep = &s.keep[v]
	}
	f.X, f.Integers = f.X[:0], f.Integers[:0]
	for _, in := range s.node.Inputs {
		x, integers := &s.y[in], []int32(nil)
		if in < len(n.Inputs()) && n.Inputs()[in].Integers {
			x, integers = nil, s.integers[in]
		}
		f.X, f.Integers = append(f.X, x), append(f.Integers, integers)
	}
}

// train says which samples of a training the chunk from sample lo on has.
func (s *space) train(lo int) {
	s.training = s.e.batch.Training
	s.training.Sample += s.e.batch.First + lo
	s.frame.Training = &s.training
}

// differences computes dz of the nodes before `to`, down to node from.
func (s *space) differences(lo, from, to int) {
	n := s.e.m.Network
	fields := len(n.Inputs())
	for i := to - 1; i >= from; i-- {
		if v := fields + i; n.Learns(v) {
			s.collect(i, lo)
			s.backward(i)
			s.spare, s.d[v] = append(s.spare, s.d[v]), nil
		}
	}
}

// loss computes d [O, R], the dz of the last node.
func (s *space) loss(lo, hi int) {
	e := s.e
	out, last := e.m.Network.Output(), e.m.Network.Values()-1
	size, t := out.Size(), e.shape.terms
	z, y := e.z[lo*size:hi*size], e.batch.targets(lo, hi, e.shape.targets)
	s.y[last].TransposeTo(z)
	s.turn = grow(s.turn, len(z))
	e.m.Objective.Gradient(s.turn, e.terms[lo*t:hi*t], z, y, e.shape.outputs)
	if e.m.Masked {
		objective.Mask(s.turn, e.terms[lo*t:hi*t], y, e.shape.outputs)
	}
	s.d[last] = s.take(out.Units, (hi-lo)*out.Positions)
	s.d[last].TransposeFrom(s.turn)
	s.differentiate(last, s.d[last], 0, out.Units)
}

// collect copies what the sums of node i are over, from sample lo of the batch on.
func (s *space) collect(i, lo int) {
	e, n := s.e, s.e.m.Network
	node := &n.Nodes()[i]
	g, out, d := node.Gradient(), node.Output(), s.d[len(n.Inputs())+i]
	switch {
	case g.None():
		return
	case g.Scatter >= 0:
		at := lo * out.Size()
		d.TransposeTo(e.scatter[i].dz[at : at+d.Cols*out.Units])
		return
	}
	if g.Product >= 0 || g.Column >= 0 {
		d.CopyTo(e.dz[i], lo*out.Positions)
	}
	if g.Scale >= 0 {
		p := s.take(d.Rows, d.Cols)
		for k := range d.Len() {
			numeric.Multiply(p.Panel(k, 0, d.Rows), d.Panel(k, 0, d.Rows), s.y[node.Inputs[0]].Panel(k, 0, d.Rows))
		}
		p.CopyTo(e.scaled[i], lo*out.Positions)
		s.spare = append(s.spare, p)
	}
	if x := node.Inputs[0]; n.Holder(x) == i && x >= len(n.Inputs()) {
		e.inputs[x].SetRowsTransposed(lo*out.Positions, &s.y[x])
	}
}

// backward adds the gradient of node i to the gradients of its inputs.
//
// The gradient of a value with several uses is a sum: the nodes add to it in falling order,
// and the inputs of a node in rising order.
func (s *space) backward(i int) {
	n := s.e.m.Network
	s.at(i)
	s.prepare(i) // another thread may have computed the outputs
	f := &s.frame
	f.D, f.DX = s.d[len(n.Inputs())+i], f.DX[:0]
	learns := false
	for _, v := range s.node.Inputs {
		var dx *blas.Panels
		if n.Learns(v) {
			dx, learns = s.take(n.Shape(v).Units, s.y[v].Cols), true
		}
		f.DX = append(f.DX, dx)
	}
	if !learns {
		return
	}
	s.node.Backward(f)
	for k, v := range s.node.Inputs {
		if n.Learns(v) {
			s.add(v, f.DX[k])
		}
	}
}

// add adds dx to the gradient of a value. The last use completes the gradient.
func (s *space) add(v int, dx *blas.Panels) {
	if s.d[v] == nil {
		s.d[v] = dx
	} else {
		add(s.d[v], dx)
		s.spare = append(s.spare, dx)
	}
	if s.uses[v]--; s.uses[v] == 0 && s.e.m.Network.Uses(v) > 1 {
		s.differentiate(v, s.d[v], 0, s.d[v].Rows)
	}
}

// Receive handles units of the gradient of an input that Backward has just computed. If the
// value has no other use, they are complete.
func (s *space) Receive(input, from, to int) {
	if v := s.node.Inputs[input]; s.e.m.Network.Uses(v) == 1 {
		s.differentiate(v, s.frame.DX[input], from, to)
	}
}

// differentiate turns units of d, the gradient of a value, from d loss / d Y of the node that
// makes the value into d loss / d Z. The sums of this node are over Z.
func (s *space) differentiate(v int, d *blas.Panels, from, to int) {
	f, node := &s.back, &s.e.nodes()[v-len(s.e.m.Network.Inputs())]
	f.D, f.Y, f.Keep = d, &s.y[v], nil
	if node.Keep() > 0 {
		f.Keep = &s.keep[v]
	}
	node.Differentiate(f, from, to)
}

// take returns a matrix that is not in use.
func (s *space) take(rows, columns int) *blas.Panels {
	if len(s.spare) == 0 {
		s.spare = append(s.spare, new(blas.Panels))
	}
	last := len(s.spare) - 1
	p := s.spare[last]
	s.spare = s.spare[:last]
	s.reset(p, rows, columns)
	return p
}
