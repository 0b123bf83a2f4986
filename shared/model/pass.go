package model

import (
	"sync"
	"sync/atomic"

	"gonum.org/v1/gonum/blas/blas32"

	"tributary/shared/numeric/blas"
	"tributary/shared/numeric/team"
)

// Batch is the rows that a gradient is summed over. The sum goes along the tree
// of its micro-batches: micro-batch i is rows Bounds[i] to Bounds[i+1], maybe none,
// Bounds[0] is 0 and the last bound is the number of rows.
type Batch struct {
	X      [][]float32 // B rows [Features]
	Y      []float32   // [B] classes or [B, Outputs] targets
	Bounds []int
}

func (b *Batch) rows() int { return b.Bounds[len(b.Bounds)-1] }

// Hooks is what a pass tells meanwhile; nil functions are not called.
type Hooks struct {
	// Step is called in the caller's goroutine now and then, with the parts of the
	// work that are done, of all. The pass ends early when it returns false.
	Step func(done, all int) bool
	// Final is called, by one goroutine at a time but by any, when the gradient's
	// range [lo, hi) will not change any more. It holds up the work. The ranges
	// come about in the order of computation, the last layer's first.
	Final func(lo, hi int)
}

// Pass is the buffers and the threads of one gradient at a time, of any network.
// Buffers grow to the greatest seen and are then used again.
//
// A gradient has two phases. In the first, threads take chunks of rows, through
// all layers and back, since rows do not depend on each other. In the second they
// take blocks of the weights' gradients, which are sums over rows.
type Pass struct {
	team  *team.Team
	space []space // of each thread
	halves

	// Of the batch as a whole, written by rows in the first phase. B is the number
	// of rows, I and O are a layer's.
	inputs []blas.Panels    // per layer: inputs [B, I]
	dz     []blas32.General // per layer: [O, B], and room for the last rows' panel
	z      []float32        // outputs of the last layer [B, Outputs]
	terms  []float64        // [B] of the loss, where it is a sum over rows
	ones   blas.Panels      // [B, 1]
	tree   blas.Tree        // of the micro-batches
	parts  []part           // of the second phase
	left   []atomic.Int32   // parts of a block of rows that are not done
	chunk  int              // rows in a chunk of the first phase
	next   [2]atomic.Int64  // chunk, part to be taken
	done   atomic.Int64     // chunks and parts
	stop   atomic.Bool
	final  sync.Mutex
	all    int
	chunks int

	n      *Network
	dst    []float32
	losses []float64
	params []float32
	batch  Batch
	hooks  Hooks
}

// space is one thread's buffers for a chunk of R rows.
type space struct {
	y    []blas.Panels // [0]: inputs [I, R]; [i+1]: outputs of layer i [O, R]
	keep []blas.Panels // per gelu layer: inputs of the activation [O, R]
	bias []blas.Panels // per layer with one: a panel whose columns are b [O, 1]
	d    [2]blas.Panels
	rows []float32 // gradient of the outputs [R, Outputs]
	blas blas.Space
}

// NewPass returns a pass that works in the threads of t; nil is the caller's one.
func NewPass(t *team.Team) *Pass {
	return &Pass{team: t, space: make([]space, t.Threads()), halves: halves{most: mostElements}}
}

// SumGradient overwrites dst [P] with the sum over b's rows of d loss_row / d params,
// and losses [micro-batches] with the sums of the rows' losses: of each micro-batch
// as [Network.Gradient] has it, added along the tree. It reports whether it came
// to the end: when a hook stops it, dst and losses hold anything.
func (n *Network) SumGradient(dst []float32, losses []float64, p *Pass, params []float32, b Batch, h Hooks) bool {
	p.n, p.params = n, params[:n.params]
	ok := p.subtree(dst[:n.params], losses, b, h, 0)
	p.n, p.params = nil, nil
	return ok
}

// run computes a batch.
func (p *Pass) run(dst []float32, losses []float64, b Batch, h Hooks) bool {
	rows := b.rows()
	if rows == 0 {
		clear(dst)
		clear(losses)
		if h.Final != nil {
			h.Final(0, len(dst))
		}
		return true
	}
	p.dst, p.losses, p.batch, p.hooks = dst, losses, b, h
	p.fit(rows)
	p.tree.Reset(b.Bounds)
	p.plan(rows)
	p.next[0].Store(0)
	p.next[1].Store(0)
	p.done.Store(0)
	p.stop.Store(false)
	p.team.Run(p)
	p.dst, p.losses, p.batch, p.hooks = nil, nil, Batch{}, Hooks{}
	return !p.stop.Load()
}

// fit makes room for a batch.
func (p *Pass) fit(rows int) {
	n := p.n
	layers := len(n.layers)
	p.inputs, p.dz = room(p.inputs, layers), room(p.dz, layers)
	// Rows of dz begin in cache lines of their own, an odd number of them apart, so
	// that neighbours do not meet in the cache.
	stride := (rows+15)/16*16 | 16
	for i := range n.layers {
		l := &n.layers[i]
		p.inputs[i].Reset(rows, l.in)
		g := &p.dz[i]
		*g = blas32.General{Rows: l.out, Cols: rows, Stride: stride, Data: grow(g.Data, l.out*stride)}
	}
	p.z, p.terms = grow(p.z, rows*n.Outputs()), room(p.terms, rows)
	if p.ones.Rows < rows {
		p.ones.Reset(rows, 1)
		p.ones.Fill(1)
	}
	for i := range p.space {
		s := &p.space[i]
		s.y, s.keep, s.bias = room(s.y, layers+1), room(s.keep, layers), room(s.bias, layers)
	}
}

// room returns b with at least n elements, those that there are as they were.
func room[T any](b []T, n int) []T {
	if len(b) < n {
		b = append(b, make([]T, n-len(b))...)
	}
	return b
}

// Do is one thread's share.
func (p *Pass) Do(thread int) {
	s := &p.space[thread]
	p.spread(s)
	for {
		i := int(p.next[0].Add(1)) - 1
		if i >= p.chunks || p.stop.Load() {
			break
		}
		p.rows(s, i*p.chunk, min((i+1)*p.chunk, p.batch.rows()))
		p.step(thread)
	}
	p.team.Meet(thread)
	for {
		i := int(p.next[1].Add(1)) - 1
		if i >= len(p.parts) || p.stop.Load() {
			break
		}
		p.sum(s, &p.parts[i])
		p.step(thread)
	}
}

// step notes a part that is done.
func (p *Pass) step(thread int) {
	done := p.done.Add(1)
	if thread == 0 && p.hooks.Step != nil && !p.hooks.Step(int(done), p.all) {
		p.stop.Store(true)
	}
}

// spread makes panels of the biases.
func (p *Pass) spread(s *space) {
	for i := range p.n.layers {
		if l := &p.n.layers[i]; l.bias >= 0 {
			s.bias[i].Reset(l.out, 1)
			s.bias[i].Spread(p.params[l.bias : l.bias+l.out])
		}
	}
}

// grownCounts returns n counts of 0, b's when it has as many.
func grownCounts(b []atomic.Int32, n int) []atomic.Int32 {
	if cap(b) < n {
		return make([]atomic.Int32, n)
	}
	b = b[:n]
	for i := range b {
		b[i].Store(0)
	}
	return b
}
