package executor

import (
	"tributary/shared/model"
	"tributary/shared/numeric"
	"tributary/shared/numeric/blas"
	"tributary/shared/tree"
)

// whole holds a batchwise node's values for the whole batch. Its panels are blocks of units:
// the rows of a micro-batch in a panel are a matrix [N, C].
type whole struct {
	y    blas.Panels // [B·P, O]: the input, then the output
	d    blas.Panels // [B·P, O]: the gradient of the output, then that of the input
	kept blas.Panels // [micro-batches · Kept, O]
}

// fitWhole makes room for the batchwise nodes, and for the chunks that wait for them.
func (e *Executor) fitWhole(samples int) {
	n := e.m.Network
	if len(n.Batchwise()) == 0 {
		return
	}
	e.whole = room(e.whole, len(e.nodes()))
	leaves := len(e.batch.Bounds) - 1
	for _, i := range n.Batchwise() {
		w, out := &e.whole[i], e.nodes()[i].Output()
		w.y.Reset(samples*out.Positions, out.Units)
		w.d.Reset(samples*out.Positions, out.Units)
		w.kept.Reset(leaves*model.Kept, out.Units)
	}
}

// blocks returns the items of a batchwise node: one for each panel of each micro-batch.
func (e *Executor) blocks(node int) int { return e.whole[node].y.Len() * (len(e.batch.Bounds) - 1) }

// block returns what an item of a node is about: the layer, the panel, the micro-batch, and its
// first position and the one after its last.
func (e *Executor) block(node, item int) (l model.Batchwise, panel, leaf, lo, hi int) {
	l = e.nodes()[node].Layer.(model.Batchwise) //nolint:forcetypeassert // Batchwise lists such nodes
	leaves, p := len(e.batch.Bounds)-1, l.Output().Positions
	panel, leaf = item/leaves, item%leaves
	return l, panel, leaf, e.batch.Bounds[leaf] * p, e.batch.Bounds[leaf+1] * p
}

// keptOf returns what a micro-batch keeps for a panel of units, [Kept, C].
func (w *whole) keptOf(panel, leaf int) []float32 {
	return w.kept.Panel(panel, leaf*model.Kept, (leaf+1)*model.Kept)
}

// normalize computes an item of a node: the output of some units for one micro-batch.
func (w *whole) normalize(e *Executor, node, item int) {
	l, panel, leaf, lo, hi := e.block(node, item)
	kept := w.keptOf(panel, leaf)
	if lo == hi {
		clear(kept)
		return
	}
	l.ForwardBatch(w.y.Panel(panel, lo, hi), kept)
}

// restore computes an item of a node: the gradient of the input.
func (w *whole) restore(e *Executor, node, item int) {
	l, panel, leaf, lo, hi := e.block(node, item)
	if lo < hi {
		l.BackwardBatch(w.d.Panel(panel, lo, hi), w.y.Panel(panel, lo, hi), w.keptOf(panel, leaf))
	}
}

// inputOf returns the value that a batchwise node reads.
func (e *Executor) inputOf(node int) int { return e.nodes()[node].Inputs[0] }

// hold copies the input of a batchwise node, from sample lo of the batch on.
func (s *space) hold(node, lo int) {
	p := s.e.nodes()[node].Output().Positions
	s.e.whole[node].y.SetRowsTransposed(lo*p, &s.y[s.e.inputOf(node)])
}

// fetch makes the output of a batchwise node for samples lo to hi.
func (s *space) fetch(node, lo, hi int) {
	out, y := s.e.nodes()[node].Output(), &s.y[len(s.e.m.Network.Inputs())+node]
	s.reset(y, out.Units, (hi-lo)*out.Positions)
	y.SetTransposed(&s.e.whole[node].y, lo*out.Positions)
}

// deposit copies the gradient of the output of a batchwise node.
func (s *space) deposit(node, lo int) {
	v := len(s.e.m.Network.Inputs()) + node
	d := s.d[v]
	if d == nil {
		return // the value does not learn
	}
	s.e.whole[node].d.SetRowsTransposed(lo*s.e.nodes()[node].Output().Positions, d)
	s.spare, s.d[v] = append(s.spare, d), nil
}

// resume adds the gradient of the input of a batchwise node.
func (s *space) resume(node, lo, hi int) {
	n, v := s.e.m.Network, s.e.inputOf(node)
	if !n.Learns(v) {
		return
	}
	out := s.e.nodes()[node].Output()
	dx := s.take(out.Units, (hi-lo)*out.Positions)
	dx.SetTransposed(&s.e.whole[node].d, lo*out.Positions)
	s.add(v, dx)
	if n.Uses(v) == 1 {
		s.differentiate(v, s.d[v], 0, out.Units)
	}
}

// statistics computes the sums of a layer's statistics over the micro-batches.
func (s *space) statistics(q *part, l model.Batchwise) {
	e := s.e
	w, leaves := &e.whole[q.node], len(e.batch.Bounds)-1
	for panel := range w.kept.Len() {
		from := panel * w.kept.Width()
		to := min(from+w.kept.Width(), q.iEnd)
		sum := w.total(panel, 0, leaves)
		for k, t := range l.Running() {
			copy(e.dst[t.Offset+from:t.Offset+to], sum[k*w.kept.Width():])
		}
	}
	if e.hooks.Final != nil {
		e.final.Lock()
		defer e.final.Unlock()
		for _, t := range l.Running() {
			e.hooks.Final(t.Offset, t.Offset+t.Len)
		}
	}
}

// total adds up the statistics of the micro-batches lo to hi for a panel, along their tree, in
// place of those of micro-batch lo. It returns them, [2, C].
func (w *whole) total(panel, lo, hi int) []float32 {
	if hi-lo == 1 {
		return w.keptOf(panel, lo)[w.kept.Width():]
	}
	mid := tree.Split(lo, hi)
	sum := w.total(panel, lo, mid)
	numeric.Add(sum, sum, w.total(panel, mid, hi))
	return sum
}
