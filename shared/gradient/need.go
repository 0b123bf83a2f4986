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

// Need is the memory, in bytes, that a job takes. A vector is P float32. For allocations
// that soon become garbage, Need counts one at a time: the garbage collector frees the
// others when the process comes near its memory limit.
type Need struct {
	network *model.Network
	rows    int // of the largest batch
	leaves  int
	// Program is what a worker keeps once per job: the replica (the parameters, the
	// optimizer's vectors, a root gradient), the frozen parameters, and initial weights
	// that the spec names. These weights are in memory twice while they are read.
	Program int64
	// gradient is what a gradient task takes beside the buffers of package executor. It has
	// two results, because one may still be on its way to the ledger. It also has the
	// larger of two needs that do not occur at the same time: the snapshot of a batch
	// commit (see BatchBytes), or a partial that the task reads plus ReduceBytes of others
	// to add up. With a lossy wire, it has instead a vector for each level of the tree, the
	// residual, and the encoded root and residual.
	gradient int64
	// copy is what a snapshot or a checkpoint takes: a copy of the replica, and the
	// residual of a lossy wire.
	copy int64
	// The rows and the bytes of the largest block that is evaluated.
	blockRows, blockBytes int
	// Coordinator is what the coordinator takes at the end of the job: the replica that it
	// makes the model from, or the parameters and their file. Restoring a checkpoint takes
	// no more.
	Coordinator int64
}

// BatchBytes is the largest vector, in bytes, of a job whose steps are committed in batches
// by a snapshot. With a longer vector, a step takes so long that logging each step costs
// little.
const BatchBytes = 256 << 20

// ReduceBytes limits how many bytes of other nodes' partials a worker reads before it adds
// them up. The worker reads more only if one chunk of each partial is more.
const ReduceBytes = 64 << 20

// taskBytes is what every task takes: the workspaces of kernels, the pipelines of the
// ledger, and a block that is being decoded.
const taskBytes = 8 << 20

// rowBytes is what a task keeps per row of its batch, beside the targets: the location of
// the row.
const rowBytes = 32

// maxLeaves limits the number of micro-batches in the estimate. No spec may have more.
const maxLeaves = 1 << 16

// NeedOf estimates the memory that the job of a plan takes.
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
	fields, err := p.Fields()
	if err != nil {
		return Need{}, err
	}
	targets := fields.Schema[fields.Target].Elements()
	vector := 4 * int64(network.Params())
	copies := int64(1 + fold.Vectors()) // in a snapshot
	if p.Spec.EarlyStopping.RestoresBest() {
		copies++
	}
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
	n.gradient = taskBytes + int64(n.rows)*(rowBytes+4*int64(targets))
	if n.leaves > 1 {
		n.gradient += min(ReduceBytes, int64(n.leaves-1)*vector)
		held++
	}
	switch {
	case format.Lossy():
		held += max(1, int64(bits.Len(uint(n.leaves-1)))) + 2
		copies++
		n.leaves, n.rows = 1, (n.rows+n.leaves-1)/n.leaves // the task computes leaf by leaf
	case vector <= BatchBytes:
		held = max(held, 2+copies)
	}
	n.gradient += held * vector
	n.copy = copies*vector + taskBytes
	frozen := 4 * int64(network.Frozen())
	n.Coordinator = max(n.Program, (2+initial)*vector+2*frozen) + taskBytes
	return n, nil
}

// evaluation returns what the evaluation of the largest block takes: the executor, the
// locations of the rows, the figures, and the block, both encoded and decoded.
func (n *Need) evaluation(threads int) int64 {
	rows := int64(n.blockRows)
	return taskBytes + executor.ForwardBytes(n.network, n.blockRows, threads) + (rowBytes+16)*rows + 2*int64(n.blockBytes)
}

// Task returns the memory, in bytes, that a task of a kind takes. threads is the number of
// threads of a gradient task.
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

// Params returns the number of parameters.
func (n *Need) Params() int { return n.network.Params() }

// Worker returns the least memory, in bytes, of a worker that can do the whole job:
// Program, a gradient task with one thread, and one other task at the same time.
func (n *Need) Worker() int64 {
	return n.Program + n.Task(job.Gradient, 1) + max(n.copy, n.evaluation(1))
}
