package executor

import (
	"sync"
	"sync/atomic"

	"gonum.org/v1/gonum/blas/blas32"

	"tributary/shared/model"
	"tributary/shared/numeric/blas"
	"tributary/shared/numeric/team"
	"tributary/shared/objective"
)

// Executor is the buffers and the threads of one piece of work at a time, of any
// network. Buffers grow to the greatest seen and are then used again, until Trim.
type Executor struct {
	team   *team.Team
	budget int     // floats of a batch that are kept at a time
	space  []space // of each thread
	split

	// Of the samples that are computed at a time, written by rows in the first phase of
	// a gradient. B is their number, I and O are a layer's.
	inputs []blas.Panels    // per node: its input [B, I]
	dz     []blas32.General // per node: [O, B], and room for the last samples' panel
	z      []float32        // outputs [B, Outputs]
	terms  []float64        // [B] of the loss, where it has them
	ones   blas.Panels      // [B, 1]
	tree   blas.Tree        // of the micro-batches
	sums   []objective.Sum  // of the micro-batches' losses
	parts  []part           // of the second phase
	left   []atomic.Int32   // parts of a block of units that are not done
	chunk  int              // samples in a chunk of the first phase
	chunks int
	next   [2]atomic.Int64 // chunk, part to be taken
	done   atomic.Int64    // chunks and parts
	all    int
	stop   atomic.Bool
	final  sync.Mutex

	m       Model
	trained int // the first node with trained parameters
	dst     []float32
	losses  []float64
	batch   Batch
	slice   slice
	hooks   Hooks
}

// New returns an executor that works in the threads of t; nil is the caller's one.
func New(t *team.Team) *Executor {
	e := &Executor{team: t, space: make([]space, t.Threads()), budget: Budget / 4}
	for i := range e.space {
		e.space[i].e = e
	}
	return e
}

// Gradient overwrites dst [P] with the sum over b's samples of d loss / d params, and
// losses [micro-batches] with the sums of the samples' losses: those of a micro-batch
// are one chain or reduction, and micro-batches are added along the tree. No samples give
// zeros. A NaN in the outputs, or a class that there is none of, makes the loss NaN.
//
// It fails with ErrStopped when a hook says so, and with a [*team.Panic] when a thread
// has panicked; dst and losses then hold anything.
func (e *Executor) Gradient(dst []float32, losses []float64, m Model, b Batch, h Hooks) error {
	e.m, e.trained = m, m.Network.Trained()
	err := e.subtree(dst[:m.Network.Params()], losses, b, h, 0)
	e.release()
	return err
}

// release forgets what belongs to the caller.
func (e *Executor) release() {
	e.m, e.dst, e.losses, e.batch, e.hooks = Model{}, nil, nil, Batch{}, Hooks{}
}

// run computes the samples that are at hand: a batch, or a slice of its one micro-batch.
func (e *Executor) run(dst []float32, losses []float64, b Batch, s slice, h Hooks) error {
	e.dst, e.losses, e.batch, e.slice, e.hooks = dst, losses, b, s, h
	samples := b.samples()
	e.fit(samples)
	if s.first {
		e.tree.Reset(b.Bounds)
		e.sums = room(e.sums, len(b.Bounds)-1)
		clear(e.sums[:len(b.Bounds)-1])
	} else {
		e.tree.Continue(samples)
	}
	e.plan(samples)
	e.next[0].Store(0)
	e.next[1].Store(0)
	e.done.Store(0)
	e.stop.Store(false)
	if err := e.team.Run((*gradientWork)(e)); err != nil {
		return err
	}
	if e.stop.Load() {
		return ErrStopped
	}
	return nil
}

// gradientWork is the two phases of a gradient. In the first, threads take chunks of
// samples through all layers and back, since samples do not depend on each other. In the
// second they take blocks of the parameters' gradients, which are sums over samples.
type gradientWork Executor

// Do is one thread's share.
func (w *gradientWork) Do(thread int) {
	e := (*Executor)(w)
	s := &e.space[thread]
	s.begin(false)
	for {
		i := int(e.next[0].Add(1)) - 1
		if i >= e.chunks || e.stop.Load() {
			break
		}
		s.gradient(i*e.chunk, min((i+1)*e.chunk, e.batch.samples()))
		e.step(thread)
	}
	e.team.Meet(thread)
	for {
		i := int(e.next[1].Add(1)) - 1
		if i >= len(e.parts) || e.stop.Load() {
			break
		}
		e.sum(s, &e.parts[i])
		e.step(thread)
	}
}

// step notes a part of the work that is done.
func (e *Executor) step(thread int) {
	done := e.done.Add(1)
	if thread == 0 && e.hooks.Step != nil && !e.hooks.Step(int(done), e.all) {
		e.stop.Store(true)
	}
}

// fit makes room for samples.
func (e *Executor) fit(samples int) {
	n := e.m.Network
	nodes := n.Nodes()
	e.inputs, e.dz = room(e.inputs, len(nodes)), room(e.dz, len(nodes))
	// Rows of dz begin in cache lines of their own, an odd number of them apart, so
	// that neighbours do not meet in the cache.
	stride := (samples+15)/16*16 | 16
	for i := range nodes {
		if nodes[i].Gradient().None() {
			continue
		}
		e.inputs[i].Reset(samples, n.Source(i).Units)
		g, units := &e.dz[i], nodes[i].Output().Units
		*g = blas32.General{Rows: units, Cols: samples, Stride: stride, Data: grow(g.Data, units*stride)}
	}
	e.z, e.terms = grow(e.z, samples*n.Outputs()), room(e.terms, samples)
	if e.ones.Rows < samples {
		e.ones.Reset(samples, 1)
		e.ones.Fill(1)
	}
}

// nodes are those of the network that is run.
func (e *Executor) nodes() []model.Node { return e.m.Network.Nodes() }
