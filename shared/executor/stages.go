package executor

// stage is a part of the work of a gradient. Threads take its items in any order; no thread
// begins the next stage before all items of this one are done.
type stage struct {
	kind     stageKind
	from, to int // nodes
	items    int
}

type stageKind int

const (
	forward   stageKind = iota // chunks: the nodes from `from` up to `to`
	normalize                  // blocks of units of micro-batches: the batchwise node `from`
	turn                       // chunks: the nodes from `from` to the last, the loss, and back
	restore                    // blocks of units of micro-batches: the batchwise node `from`, backward
	backward                   // chunks: the nodes before `to`, down to `from`
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
	from := 0
	for _, at := range n.Batchwise() {
		e.stages = append(e.stages, stage{forward, from, at, e.chunks}, stage{normalize, at, at, e.blocks(at)})
		from = at
	}
	e.stages = append(e.stages, stage{turn, from, len(e.nodes()), e.chunks})
	for i := len(n.Batchwise()) - 1; i >= 0; i-- {
		at, down := n.Batchwise()[i], 0
		if i > 0 {
			down = n.Batchwise()[i-1]
		}
		e.stages = append(e.stages, stage{restore, at, at, e.blocks(at)}, stage{backward, down, at, e.chunks})
	}
	e.stages = append(e.stages, stage{sums, 0, 0, len(e.parts)})
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
		e.whole[st.from].normalize(e, st.from, item)
	case restore:
		e.whole[st.from].restore(e, st.from, item)
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
		s.downward(lo, st.from, st.to)
		return
	}
	s.upward(lo, hi, st.from, st.to)
	if st.kind == forward {
		s.hold(st.to, lo)
		return
	}
	s.restart(e.m.Network)
	s.loss(lo, hi)
	s.downward(lo, st.from, st.to)
}

// upward computes the values of the nodes from to `to` for samples lo to hi. If from is a
// batchwise node, its value is that of the whole micro-batch.
func (s *space) upward(lo, hi, from, to int) {
	s.train(lo)
	if from == 0 {
		s.fields(lo, hi, true)
	}
	if s.e.batchwise(from) {
		s.fetch(from, lo, hi)
		from++
	}
	s.forward(lo, hi, from, to)
}

// downward computes the gradients of the nodes before `to`, down to from. If from is a
// batchwise node, its gradient goes to the whole micro-batch.
func (s *space) downward(lo, from, to int) {
	if s.e.batchwise(from) {
		s.differences(lo, from+1, to)
		s.deposit(from, lo)
		return
	}
	s.differences(lo, from, to)
}
