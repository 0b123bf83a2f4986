package executor

import (
	"slices"
	"sync/atomic"

	"gonum.org/v1/gonum/blas/blas32"

	"tributary/shared/numeric/blas"
)

// part is one work item of the second phase. It computes units [i, iEnd) and columns [j,
// jEnd) of a node's product [O, I], and, if j is 0, the column sums of these units. If node
// is −1, it computes the losses of micro-batches [i, iEnd).
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
	mostSamples  = 256
	leastSamples = 32
	fewParams    = 1 << 16
	someParams   = 1 << 20
	chunkSize    = 40 << 10 // elements of inputs and outputs
	mostUnits    = 336
	sampleGrain  = 16
	unitGrain    = 14
	colGrain     = 32
	leastPart    = 1 << 18 // multiply-adds
)

// plan splits the work into chunks and parts. There are more of them than threads, so that
// all threads finish at about the same time.
func (e *Executor) plan(samples int) {
	n, threads := e.m.Network, e.team.Threads()
	e.chunk = chunkSamples(n.Params()+n.Frozen(), n.Width(), samples, threads, e.budget)
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
	if threads > 1 {
		target = max(target, n.Params()/(16*threads)*samples)
	} else {
		target = max(target, n.Params()*samples)
	}
	blocks := 0
	for i := range slices.Backward(e.nodes()) {
		blocks = e.planNode(i, samples, target, blocks)
	}
	e.left = counters(e.left, blocks)
	for _, q := range e.parts {
		if q.node >= 0 {
			e.left[q.block].Add(1)
		}
	}
	e.all = e.chunks + len(e.parts)
}

// chunkSamples returns how many samples a chunk of the first phase has. The buffers of a
// thread for a chunk hold up to three times width floats per sample.
func chunkSamples(params, width, samples, threads, budget int) int {
	perThread := (samples + threads - 1) / threads
	most := mostSamples
	switch {
	case params <= fewParams:
		most = min(most, max(leastSamples, chunkSize/width))
	case params <= someParams && threads > 1:
		most /= 2
	}
	most = max(sampleGrain, min(most, budget/(3*threads*width)))
	chunks := threads * ((perThread + most - 1) / most)
	return roundUp((samples+chunks-1)/chunks, sampleGrain)
}

// planNode appends the parts of a node. block is the number of blocks before it; planNode
// returns the number after it.
func (e *Executor) planNode(node, samples, target, block int) int {
	out, in := e.nodes()[node].Output().Units, e.m.Network.Source(node).Units
	if e.nodes()[node].Gradient().None() {
		return block
	}
	blocksOf := (out + mostUnits - 1) / mostUnits
	units := roundUp((out+blocksOf-1)/blocksOf, unitGrain)
	for i := 0; i < out; i += units {
		iEnd := min(i+units, out)
		cols := roundUp(max(1, target/((iEnd-i)*samples)), colGrain)
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
	g, in := e.nodes()[q.node].Gradient(), e.inputs[q.node].Cols
	dz := e.dz[q.node]
	dz.Data, dz.Rows = dz.Data[q.i*dz.Stride:], q.iEnd-q.i
	dw := blas32.General{Rows: dz.Rows, Cols: q.jEnd - q.j, Stride: in, Data: e.dst[g.Product+q.i*in+q.j:]}
	blas.GemmTree(&s.blas, &e.tree, q.j, dz, &e.inputs[q.node], dw)
	if q.j == 0 && g.Column >= 0 {
		// db is dz times a column of ones: fma(dz, 1, c) is dz + c.
		blas.GemmTree(&s.blas, &e.tree, 0, dz, &e.ones, blas32.General{Rows: dz.Rows, Cols: 1, Stride: 1, Data: e.dst[g.Column+q.i:]})
	}
	if e.hooks.Final != nil && e.left[q.block].Add(-1) == 0 {
		e.final.Lock()
		defer e.final.Unlock()
		e.hooks.Final(g.Product+q.i*in, g.Product+q.iEnd*in)
		if g.Column >= 0 {
			e.hooks.Final(g.Column+q.i, g.Column+q.iEnd)
		}
	}
}

// lossesOf adds up the losses of the micro-batches of a part.
func (e *Executor) lossesOf(q *part) {
	o, t, of := e.m.Network.Outputs(), e.m.targets(), e.m.Objective
	for i := q.i; i < q.iEnd; i++ {
		lo, hi := e.batch.Bounds[i], e.batch.Bounds[i+1]
		of.Add(&e.sums[i], e.terms[lo:hi], e.z[lo*o:hi*o], e.batch.Y[lo*t:hi*t], o)
		if e.slice.last {
			e.losses[i] = of.Value(&e.sums[i], o)
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
