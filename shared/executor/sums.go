package executor

import (
	"slices"
	"sync/atomic"

	"gonum.org/v1/gonum/blas/blas32"

	"tributary/shared/model"
	"tributary/shared/numeric/blas"
)

// part is one work item of the second phase. It computes units [i, iEnd) and columns [j,
// jEnd) of a node's product [O, I], and, if j is 0, the column sums of these units. For a
// scatter, it computes rows [i, iEnd) of the tensor; they are rows [j, jEnd) of those that
// occur. For a batchwise layer, it computes the statistics of units [i, iEnd). If node is −1, it computes the losses of micro-batches [i, iEnd).
type part struct {
	node             int
	i, iEnd, j, jEnd int
	block            int // the block of units, numbered over all nodes
}

// The sizes of chunks and parts. A thread reads the weights once per chunk of samples. If
// the weights come from memory, a chunk therefore has many samples. If all weights fit into
// the second-level cache, a chunk is small enough that its inputs and outputs fit too. For
// sizes between these, shorter chunks help a thread that starts late. In the second phase,
// a block of dz and a panel of inputs stay in the cache.
const (
	mostColumns  = 256
	leastColumns = 32
	fewParams    = 1 << 16
	someParams   = 1 << 20
	chunkSize    = 40 << 10 // elements of inputs and outputs
	mostUnits    = 336
	unitGrain    = 14
	colGrain     = 32
	leastPart    = 1 << 18 // multiply-adds
)

// plan splits the work into chunks and parts. There are more of them than threads, so that
// all threads finish at about the same time.
func (e *Executor) plan(samples int) {
	n, threads := e.m.Network, e.team.Threads()
	e.chunk = chunkSamples(n, samples, threads, e.budget)
	e.chunks = (samples + e.chunk - 1) / e.chunk

	e.parts = e.parts[:0]
	leaves := len(e.batch.Bounds) - 1
	step := leaves
	if !e.m.Objective.HasTerms() {
		step = (leaves + 2*threads - 1) / (2 * threads)
	}
	for i := 0; i < leaves; i += step {
		e.parts = append(e.parts, part{node: -1, i: i, iEnd: min(i+step, leaves)})
	}
	target := leastPart
	columns := samples * e.shape.positions
	if threads > 1 {
		target = max(target, n.Params()/(16*threads)*columns)
	} else {
		target = max(target, n.Params()*columns)
	}
	blocks := 0
	for i, node := range slices.Backward(e.nodes()) {
		_, batchwise := node.Layer.(model.Batchwise)
		switch g := node.Gradient(); {
		case batchwise:
			e.parts = append(e.parts, part{node: i, iEnd: node.Output().Units, block: blocks})
			blocks++
		case g.Scatter >= 0:
			blocks = e.planScatter(i, blocks)
		case !g.None():
			blocks = e.planNode(i, samples*node.Output().Positions, target, blocks)
		}
	}
	e.left = counters(e.left, blocks)
	for _, q := range e.parts {
		if q.node >= 0 {
			e.left[q.block].Add(1)
		}
	}
	e.planStages()
}

// chunkSamples returns how many samples a chunk of the first phase has. The buffers of a
// thread for a chunk hold up to three times width floats per sample.
func chunkSamples(n *model.Network, samples, threads, budget int) int {
	params, width, g, positions := n.Params()+n.Frozen(), n.Width(), grain(n), positions(n)
	perThread := (samples + threads - 1) / threads
	most := max(1, mostColumns/positions)
	switch {
	case params <= fewParams:
		most = min(most, max(1, leastColumns/positions, chunkSize/width))
	case params <= someParams && threads > 1:
		most = max(1, most/2)
	}
	most = max(g, min(most, budget/(3*threads*width)))
	chunks := threads * ((perThread + most - 1) / most)
	return roundUp((samples+chunks-1)/chunks, g)
}

// planNode appends the parts of a node with a product or a column over the given number of
// columns. block is the number of blocks before it; planNode returns the number after it.
func (e *Executor) planNode(node, columns, target, block int) int {
	out, in := e.nodes()[node].Output().Units, 1
	if e.nodes()[node].Gradient().Product >= 0 {
		in = e.m.Network.Shape(e.nodes()[node].Inputs[0]).Units
	}
	blocksOf := (out + mostUnits - 1) / mostUnits
	units := roundUp((out+blocksOf-1)/blocksOf, unitGrain)
	for i := 0; i < out; i += units {
		iEnd := min(i+units, out)
		cols := roundUp(max(1, target/((iEnd-i)*columns)), colGrain)
		for j := 0; j < in; j += cols {
			e.parts = append(e.parts, part{node, i, iEnd, j, min(j+cols, in), block})
		}
		block++
	}
	return block
}

// sum computes one part.
func (e *Executor) sum(s *space, q *part) {
	if q.node < 0 {
		e.lossesOf(q)
		return
	}
	node := &e.nodes()[q.node]
	if l, batchwise := node.Layer.(model.Batchwise); batchwise {
		s.statistics(q, l)
		return
	}
	g, in := node.Gradient(), 0
	if g.Scatter >= 0 {
		s.scatterOf(q, g.Scatter)
		return
	}
	tree := e.chainsOf(node.Output().Positions, len(e.trees))
	dz := e.dz[q.node]
	if g.Product >= 0 || g.Column >= 0 {
		dz.Data, dz.Rows = dz.Data[q.i*dz.Stride:], q.iEnd-q.i
	}
	if g.Product >= 0 {
		x := &e.inputs[node.Inputs[0]]
		in = x.Cols
		dw := blas32.General{Rows: dz.Rows, Cols: q.jEnd - q.j, Stride: in, Data: e.dst[g.Product+q.i*in+q.j:]}
		blas.GemmTree(&s.blas, &tree.Tree, q.j, dz, x, dw)
	}
	if q.j == 0 && g.Column >= 0 {
		e.column(s, tree, dz, g.Column+q.i)
	}
	if q.j == 0 && g.Scale >= 0 {
		scaled := e.scaled[q.node]
		scaled.Data, scaled.Rows = scaled.Data[q.i*scaled.Stride:], q.iEnd-q.i
		e.column(s, tree, scaled, g.Scale+q.i)
	}
	if e.hooks.Final != nil && e.left[q.block].Add(-1) == 0 {
		e.final.Lock()
		defer e.final.Unlock()
		if g.Product >= 0 {
			e.hooks.Final(g.Product+q.i*in, g.Product+q.iEnd*in)
		}
		if g.Column >= 0 {
			e.hooks.Final(g.Column+q.i, g.Column+q.iEnd)
		}
		if g.Scale >= 0 {
			e.hooks.Final(g.Scale+q.i, g.Scale+q.iEnd)
		}
	}
}

// column adds up the rows of m to dst [at, …]: m times a column of ones, because fma(x, 1, c)
// is x + c.
func (e *Executor) column(s *space, tree *chains, m blas32.General, at int) {
	blas.GemmTree(&s.blas, &tree.Tree, 0, m, &e.ones, blas32.General{Rows: m.Rows, Cols: 1, Stride: 1, Data: e.dst[at:]})
}

// lossesOf adds up the losses of the micro-batches of a part.
func (e *Executor) lossesOf(q *part) {
	size, t, of := e.m.Network.Output().Size(), e.shape.terms, e.m.Objective
	for i := q.i; i < q.iEnd; i++ {
		lo, hi := e.batch.Bounds[i], e.batch.Bounds[i+1]
		of.Add(&e.sums[i], e.terms[lo*t:hi*t], e.z[lo*size:hi*size], e.batch.targets(lo, hi, e.shape.targets), e.shape.outputs)
		if e.slice.last {
			e.losses[i] = of.Value(&e.sums[i], e.shape.outputs)
		}
	}
}

// counters returns n counters that are 0. It reuses b if b is large enough.
func counters(b []atomic.Int32, n int) []atomic.Int32 {
	if cap(b) < n {
		return make([]atomic.Int32, n)
	}
	b = b[:n]
	for i := range b {
		b[i].Store(0)
	}
	return b
}

func roundUp(n, grain int) int { return (n + grain - 1) / grain * grain }
