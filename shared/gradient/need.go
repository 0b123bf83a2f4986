package gradient

import (
	"math/bits"

	"tributary/shared/executor"
	"tributary/shared/job"
	"tributary/shared/model"
	"tributary/shared/optim"
	"tributary/shared/plan"
	"tributary/shared/wire"
)

// Need is the memory that a job takes, in bytes. A vector is P float32. Of what is
// allocated and soon garbage it counts one at a time: the collector frees the rest when
// the process comes near its limit.
type Need struct {
	network *model.Network
	rows    int // of the largest batch
	leaves  int
	// Program is what a worker keeps of the job once: the replica (the parameters, the
	// optimizer's vectors, a root gradient), and given initial weights, which are in
	// memory twice while they are read.
	Program int64
	// gradient is what a gradient task takes beside its pass: two results, of which one
	// may be on its way to the ledger, and the larger of what it takes at different times: the
	// snapshot that commits many steps (see LeapBytes), or a partial that it reads and
	// ReduceBytes of others to sum up. With a lossy wire it takes a vector for each level of
	// the tree instead, keeps the residual, and encodes a root and a residual.
	gradient int64
	// copy is what a snapshot or a checkpoint takes: a copy of the replica, and the
	// residual of a lossy wire.
	copy int64
	// Of the largest block that is evaluated.
	blockRows, blockBytes int
	// Coordinator is what the job's end takes: the replica, of which the model is made,
	// or the parameters and their file. A checkpoint that is restored takes no more.
	Coordinator int64
}

// LeapBytes bounds a vector of a job whose steps are committed by their snapshot: of a
// longer one a step takes so long that it is as well logged.
const LeapBytes = 256 << 20

// ReduceBytes bounds what a worker reads of other nodes' partials before it adds them up,
// unless a chunk of each is more.
const ReduceBytes = 64 << 20

// taskBytes is what a task takes whatever the job: kernels' workspaces, pipelines of the
// ledger, a block that is being decoded.
const taskBytes = 8 << 20

// rowBytes is what a task keeps of a row of its batch beside targets: where it is.
const rowBytes = 32

// maxLeaves bounds the micro-batches that are reckoned with: no spec may have more.
const maxLeaves = 1 << 16

// NeedOf works out what a plan's job takes.
func NeedOf(p *plan.Plan) (Need, error) {
	network, err := p.Network()
	if err != nil {
		return Need{}, err
	}
	fold, err := optim.New(p.Spec.Optimizer)
	if err != nil {
		return Need{}, err
	}
	format, err := wire.FormatOf(p.Spec.Wire, p.Spec.WireKeep)
	if err != nil {
		return Need{}, err
	}
	vector := 4 * int64(network.Params())
	copies := int64(1 + fold.Vectors()) // in a snapshot
	initial := int64(0)
	if p.Init != "" {
		initial = 2
	}
	n := Need{network: network, rows: min(p.Spec.Batch, p.TrainRows()), leaves: min(max(1, p.Spec.Microbatches), maxLeaves)}
	for _, split := range job.Splits {
		for _, ref := range p.Dataset.Splits[split] {
			n.blockRows, n.blockBytes = max(n.blockRows, ref.Rows), max(n.blockBytes, ref.Bytes)
		}
	}
	n.Program = (copies+1+initial)*vector + (1+initial)*4*int64(network.Frozen())
	held := int64(2)
	n.gradient = taskBytes + int64(n.rows)*(rowBytes+4*int64(p.Dataset.Targets))
	if n.leaves > 1 {
		n.gradient += min(ReduceBytes, int64(n.leaves-1)*vector)
		held++
	}
	switch {
	case format.Lossy():
		held += max(1, int64(bits.Len(uint(n.leaves-1)))) + 2
		copies++
		n.leaves, n.rows = 1, (n.rows+n.leaves-1)/n.leaves // it computes leaf by leaf
	case vector <= LeapBytes:
		held = max(held, 2+copies)
	}
	n.gradient += held * vector
	n.copy = copies*vector + taskBytes
	n.Coordinator = max(n.Program, 2*vector+initial*vector) + taskBytes
	return n, nil
}

// evaluation is what the evaluation of the largest block takes: the executor, where the rows
// are, the figures made of them, and the block, decoded and not.
func (n *Need) evaluation(threads int) int64 {
	rows := int64(n.blockRows)
	return taskBytes + executor.ForwardBytes(n.network, n.blockRows, threads) + (rowBytes+16)*rows + 2*int64(n.blockBytes)
}

// Task is what a task of a kind takes, a gradient task with so many threads.
func (n *Need) Task(k job.Kind, threads int) int64 {
	switch k {
	case job.Evaluate:
		return n.evaluation(threads)
	case job.Snapshot, job.Save:
		return n.copy
	default:
		return n.gradient + executor.GradientBytes(n.network, n.rows, n.leaves, threads)
	}
}

// Params is the number of parameters.
func (n *Need) Params() int { return n.network.Params() }

// Worker is the least memory of a worker that the whole job can be done in: its program, a
// gradient task of one thread, and one other task beside it.
func (n *Need) Worker() int64 {
	return n.Program + n.Task(job.Gradient, 1) + max(n.copy, n.evaluation(1))
}
