package model

import (
	"slices"

	"gonum.org/v1/gonum/blas/blas32"

	specified "tributary/shared/numeric/blas"
)

// part is a piece of the second phase: rows [i, iEnd) and columns [j, jEnd) of a
// layer's dW [O, I], with the rows' db where j is 0; or, of layer −1, the losses of
// micro-batches [i, iEnd).
type part struct {
	layer            int
	i, iEnd, j, jEnd int
	block            int // of rows, counted over all layers
}

// How the work is cut. Weights are read once for each chunk of rows, so a chunk has
// many where they come from memory; when all weights stay in the second-level cache,
// it is the chunk's inputs and outputs that should stay beside them. In between,
// shorter chunks help a thread that comes late. In the second phase a block of dz
// and a panel of inputs stay in the cache.
const (
	mostRows   = 256
	leastRows  = 32
	fewParams  = 1 << 16
	someParams = 1 << 20
	chunkSize  = 40 << 10 // elements of inputs and outputs
	mostUnits  = 336
	rowGrain   = 16
	unitGrain  = 14
	colGrain   = 32
	leastPart  = 1 << 18 // multiply-adds
)

// plan cuts the work into chunks and parts: more than there are threads, so that
// they come to an end together.
func (p *Pass) plan(rows int) {
	n, threads := p.n, p.team.Threads()
	p.chunk = n.chunkRows(rows, threads)
	p.chunks = (rows + p.chunk - 1) / p.chunk

	p.parts = p.parts[:0]
	leaves := len(p.batch.Bounds) - 1
	step := leaves
	if !n.terms() {
		step = (leaves + 2*threads - 1) / (2 * threads)
	}
	for i := 0; i < leaves; i += step {
		p.parts = append(p.parts, part{layer: -1, i: i, iEnd: min(i+step, leaves)})
	}
	target := leastPart
	if threads > 1 {
		target = max(target, n.params/(16*threads)*rows)
	} else {
		target = max(target, n.params*rows)
	}
	blocks := 0
	for i := range slices.Backward(n.layers) {
		blocks = p.planLayer(i, rows, target, blocks)
	}
	p.left = grownCounts(p.left, blocks)
	for _, q := range p.parts {
		if q.layer >= 0 {
			p.left[q.block].Add(1)
		}
	}
	p.all = p.chunks + len(p.parts)
}

// chunkRows is how many rows a chunk of the first phase has.
func (n *Network) chunkRows(rows, threads int) int {
	perThread := (rows + threads - 1) / threads
	most := mostRows
	switch {
	case n.params <= fewParams:
		most = min(most, max(leastRows, chunkSize/n.width))
	case n.params <= someParams && threads > 1:
		most /= 2
	}
	chunks := threads * ((perThread + most - 1) / most)
	return roundUp((rows+chunks-1)/chunks, rowGrain)
}

// planLayer appends the parts of a layer and returns the number of blocks so far.
func (p *Pass) planLayer(layer, rows, target, block int) int {
	l := &p.n.layers[layer]
	blocksOf := (l.out + mostUnits - 1) / mostUnits
	units := roundUp((l.out+blocksOf-1)/blocksOf, unitGrain)
	for i := 0; i < l.out; i += units {
		iEnd := min(i+units, l.out)
		cols := roundUp(max(1, target/((iEnd-i)*rows)), colGrain)
		for j := 0; j < l.in; j += cols {
			p.parts = append(p.parts, part{layer, i, iEnd, j, min(j+cols, l.in), block})
		}
		block++
	}
	return block
}

func roundUp(n, grain int) int { return (n + grain - 1) / grain * grain }

// sum computes a part.
func (p *Pass) sum(s *space, q *part) {
	if q.layer < 0 {
		p.lossesOf(q)
		return
	}
	l := &p.n.layers[q.layer]
	dz, dw := p.dz[q.layer], l.weights(p.dst)
	dz.Data, dz.Rows = dz.Data[q.i*dz.Stride:], q.iEnd-q.i
	dw.Data, dw.Rows, dw.Cols = dw.Data[q.i*dw.Stride+q.j:], q.iEnd-q.i, q.jEnd-q.j
	specified.GemmTree(&s.blas, &p.tree, q.j, dz, &p.inputs[q.layer], dw)
	if q.j == 0 && l.bias >= 0 {
		// db is dz times a column of ones: fma(dz, 1, c) is dz + c.
		specified.GemmTree(&s.blas, &p.tree, 0, dz, &p.ones, blas32.General{Rows: dz.Rows, Cols: 1, Stride: 1, Data: p.dst[l.bias+q.i:]})
	}
	if p.hooks.Final != nil && p.left[q.block].Add(-1) == 0 {
		p.final.Lock()
		defer p.final.Unlock()
		p.hooks.Final(l.weight+q.i*l.in, l.weight+q.iEnd*l.in)
		if l.bias >= 0 {
			p.hooks.Final(l.bias+q.i, l.bias+q.iEnd)
		}
	}
}

// lossesOf sums the losses of micro-batches.
func (p *Pass) lossesOf(q *part) {
	o, t := p.n.Outputs(), p.n.targets()
	for i := q.i; i < q.iEnd; i++ {
		lo, hi := p.batch.Bounds[i], p.batch.Bounds[i+1]
		p.losses[i] = p.n.batchLoss(p.terms[lo:hi], p.z[lo*o:hi*o], p.batch.Y[lo*t:hi*t])
	}
}
