package executor

import "slices"

// stage is a part of the work of a gradient. Threads take its items in any order; no thread
// begins the next stage before all items of this one are done. A batchwise node is between
// two stages of chunks: the one below it and the one above it.
type stage struct {
	kind     stageKind
	from, to int // the nodes of a stage of chunks
	below    int // the batchwise node before from, or of this stage; −1: there is none
	items    int
}

type stageKind int

const (
	forward   stageKind = iota // chunks: the nodes from `from` up to `to`, a batchwise one
	normalize                  // blocks of units of micro-batches: the node `below`
	turn                       // chunks: the nodes from `from` to the last, the loss, and back
	restore                    // blocks of units of micro-batches: the node `below`, backward
	backward                   // chunks: the nodes before `to`, a batchwise one, down to `from`
	sums                       // parts
)

// planStages lists the stages. Without a batchwise layer there are two: turn and sums.
func (e *Executor) planStages() {
	n := e.m.Network
	if len(n.Batchwise()) > 0 {
		e.held = room(e.held, e.chunks)
		for i := range e.chunks {
			e.held[i].fit(n)
		}
	}
	e.stages = e.stages[:0]
	below, from := -1, 0
	for _, at := range n.Batchwise() {
		e.stages = append(e.stages, stage{forward, from, at, below, e.chunks}, stage{kind: normalize, below: at, items: e.blocks(at)})
		below, from = at, at+1
	}
	e.stages = append(e.stages, stage{turn, from, len(e.nodes()), below, e.chunks})
	for i, at := range slices.Backward(n.Batchwise()) {
		below, from = -1, 0
		if i > 0 {
			below = n.Batchwise()[i-1]
			from = below + 1
		}
		if n.Learns(e.inputOf(at)) {
			e.stages = append(e.stages, stage{kind: restore, below: at, items: e.blocks(at)})
		}
		e.stages = append(e.stages, stage{backward, from, at, below, e.chunks})
	}
	e.stages = append(e.stages, stage{kind: sums, items: len(e.parts)})
	e.all = 0
	for _, st := range e.stages {
		e.all += st.items
	}
}

// do computes an item of a stage.
func (s *space) do(st *stage, item int) {
	switch e := s.e; st.kind {
	case forward, turn, backward:
		s.chunk(st, item)
	case normalize:
		e.whole[st.below].normalize(e, st.below, item)
	case restore:
		e.whole[st.below].restore(e, st.below, item)
	case sums:
		e.sum(s, &e.parts[item])
	}
}

// chunk computes a chunk of samples in a stage.
func (s *space) chunk(st *stage, item int) {
	e := s.e
	lo, hi := item*e.chunk, min((item+1)*e.chunk, e.batch.samples())
	if len(e.m.Network.Batchwise()) > 0 {
		s.values = &e.held[item]
	}
	if st.kind == backward {
		s.resume(st.to, lo, hi)
		s.downward(st, lo)
		return
	}
	s.train(lo)
	if st.below < 0 {
		s.fields(lo, hi, true)
	} else {
		s.fetch(st.below, lo, hi)
	}
	s.forward(lo, hi, st.from, st.to)
	if st.kind == forward {
		s.hold(st.to, lo)
		return
	}
	s.restart(e.m.Network)
	s.loss(lo, hi)
	s.downward(st, lo)
}

// downward computes the gradients of the nodes of a stage. That of the batchwise node below
// goes to the whole micro-batch.
func (s *space) downward(st *stage, lo int) {
	s.differences(lo, st.from, st.to)
	if st.below >= 0 {
		s.deposit(st.below, lo)
	}
}
