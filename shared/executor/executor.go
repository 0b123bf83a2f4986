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

// Executor holds the buffers and the threads that run one computation at a time, of any
// network. Buffers grow to the largest size needed so far and are reused.
type Executor struct {
	team   *team.Team
	budget int     // floats of a batch that the executor keeps at a time
	space  []space // one per thread
	split

	// Buffers for the samples that are computed at a time. The first phase of a gradient
	// writes them row by row. B is the number of these samples; P, I and O are the positions,
	// inputs and outputs of a layer.
	inputs  []blas.Panels    // per value that a product reads: [B·P, I]
	dz      []blas32.General // per node with a product or a column: [O, B·P]; rows are padded for the panel of the last samples
	scaled  []blas32.General // per node with a scale: dz ⊙ x, as dz
	scatter []scatter        // per node: what a scatter needs
	whole   []whole          // per node: what a batchwise layer needs
	held    []values         // per chunk: its values between two stages, if a layer is batchwise
	z       []float32        // outputs [B, Output]
	terms   []float64        // [B·terms], the loss terms, if the loss has terms
	ones    blas.Panels      // [B·P, 1]
	trees   []chains         // over the micro-batches; one for each number of positions
	sums    []objective.Sum  // losses, one per micro-batch
	parts   []part           // work items of the second phase
	left    []atomic.Int32   // per block of units: parts that are not done
	chunk   int              // samples in a chunk of the first phase
	chunks  int
	stages  []stage
	next    []atomic.Int32 // per stage: the next item to take
	done    atomic.Int64   // items that are done
	all     int
	stop    atomic.Bool
	final   sync.Mutex

	m      Model
	dst    []float32
	losses []float64
	batch  Batch
	slice  slice
	hooks  Hooks
	shape  shape
}

// shape is what follows from the network and the objective.
type shape struct {
	terms, outputs int // terms of a sample, and outputs of a term
	targets        int // numbers of y of a sample
	grain          int // divides the samples of every chunk and slice except the last
	positions      int // the most of any value
	floats         int // of a sample, while a batch is computed
}

// New returns an executor that works in the threads of t. If t is nil, it works in the
// caller's goroutine only.
func New(t *team.Team) *Executor {
	e := &Executor{team: t, space: make([]space, t.Threads()), budget: Budget / 4}
	for i := range e.space {
		e.space[i].e = e
	}
	return e
}

// Gradient overwrites dst [P] with the sum of d loss / d params over the samples of b, for
// the trained parameters. It overwrites losses [micro-batches] with the sum of the losses
// of each micro-batch. Within a micro-batch, the losses are one chain or one reduction.
// Micro-batches are added along the tree. A batch without samples gives zeros. A NaN in the
// outputs, or a class that does not exist, makes the loss NaN.
//
// It fails with ErrStopped when Hooks.Step returns false, and with a [*team.Panic] when a
// thread panicked. After an error, the contents of dst and losses are undefined.
func (e *Executor) Gradient(dst []float32, losses []float64, m Model, b Batch, h Hooks) error {
	e.begin(m)
	err := e.subtree(dst[:m.Network.Params()], losses, b, h, 0)
	e.release()
	return err
}

// begin sets the model that runs.
func (e *Executor) begin(m Model) {
	n := m.Network
	e.m = m
	e.shape.terms, e.shape.outputs = objective.Terms(m.Objective, n.Output().Positions, n.Output().Units)
	e.shape.targets, e.shape.grain, e.shape.positions, e.shape.floats = m.targets(), grain(n), positions(n), n.Held()
}

// release drops the references to the caller's data.
func (e *Executor) release() {
	e.m, e.dst, e.losses, e.batch, e.hooks = Model{}, nil, nil, Batch{}, Hooks{}
	for i := range e.space {
		e.space[i].frame.Weights = model.Weights{}
	}
}

// run computes samples that fit the budget: a whole batch, or one slice of a batch that has
// one micro-batch.
func (e *Executor) run(dst []float32, losses []float64, b Batch, s slice, h Hooks) error {
	e.dst, e.losses, e.batch, e.slice, e.hooks = dst, losses, b, s, h
	samples := b.samples()
	e.fit(samples)
	e.tree()
	if s.first {
		e.sums = room(e.sums, len(b.Bounds)-1)
		clear(e.sums[:len(b.Bounds)-1])
	}
	e.plan(samples)
	e.next = counters(e.next, len(e.stages))
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

// gradientWork runs the stages of a gradient. In the first phase, threads take chunks of
// samples and compute them through all layers and back; samples do not depend on each
// other, except in batchwise layers, which cut the phase into stages. In the second phase,
// threads take blocks of the parameters' gradients, which are sums over samples.
type gradientWork Executor

// Do is the work of one thread.
func (w *gradientWork) Do(thread int) {
	e := (*Executor)(w)
	s := &e.space[thread]
	s.begin(false)
	for i := range e.stages {
		if i > 0 {
			e.team.Barrier(thread)
		}
		for {
			item := int(e.next[i].Add(1)) - 1
			if item >= e.stages[i].items || e.stop.Load() {
				break
			}
			s.do(&e.stages[i], item)
			e.step(thread)
		}
	}
}

// step counts one item that is done. Thread 0 also calls the Step hook.
func (e *Executor) step(thread int) {
	done := e.done.Add(1)
	if thread == 0 && e.hooks.Step != nil && !e.hooks.Step(int(done), e.all) {
		e.stop.Store(true)
	}
}

// fit makes room for the given number of samples.
func (e *Executor) fit(samples int) {
	n := e.m.Network
	nodes := n.Nodes()
	e.inputs, e.scatter = room(e.inputs, n.Values()), room(e.scatter, len(nodes))
	e.dz, e.scaled = room(e.dz, len(nodes)), room(e.scaled, len(nodes))
	for v := range n.Values() {
		if n.Holder(v) >= 0 {
			e.inputs[v].Reset(samples*n.Shape(v).Positions, n.Shape(v).Units)
		}
	}
	for i := range nodes {
		g, out := nodes[i].Gradient(), nodes[i].Output()
		if g.Scatter >= 0 {
			e.scatter[i].fit(samples*out.Positions, out.Units)
		}
		if g.Product >= 0 || g.Column >= 0 {
			fitRows(&e.dz[i], out.Units, samples*out.Positions)
		}
		if g.Scale >= 0 {
			fitRows(&e.scaled[i], out.Units, samples*out.Positions)
		}
	}
	e.fitWhole(samples)
	e.z, e.terms = grow(e.z, samples*n.Output().Size()), room(e.terms, samples*e.shape.terms)
	if rows := samples * e.shape.positions; e.ones.Rows < rows {
		e.ones.Reset(rows, 1)
		e.ones.Fill(1)
	}
}

// fitRows makes room for a matrix [units, columns]. Each row starts at a cache line. Rows are
// an odd number of cache lines apart, so that neighbouring rows do not compete for the same
// cache sets.
func fitRows(m *blas32.General, units, columns int) {
	stride := (columns+15)/16*16 | 16
	*m = blas32.General{Rows: units, Cols: columns, Stride: stride, Data: grow(m.Data, units*stride)}
}

// nodes returns the nodes of the network that is running.
func (e *Executor) nodes() []model.Node { return e.m.Network.Nodes() }
