package gradient

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"tributary/shared/dataset"
	"tributary/shared/executor"
	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/lifecycle"
	"tributary/shared/metric"
	"tributary/shared/numeric/team"
	"tributary/shared/tree"
)

// Node computes the partial of node at step with the parameters params [P]. It writes the
// gradient sum to dst [P] and returns the other sums. With a lossy wire, the value of every
// node except the root is rounded (package rounding). For the root, dst is the sum of its
// children; the owner of the residual makes the root gradient from it. Node calls progress
// once per micro-batch while it computes. It fails with job.ErrPoison if the job has no
// such step or the tree has no such node.
func (e *Engine) Node(ctx context.Context, dst []float32, s *Scratch, params []float32, step int64, node tree.Node, progress func()) (ledger.Sums, error) {
	return e.NodeInParts(ctx, dst, s, params, step, node, Hooks{Progress: progress})
}

// Hooks are functions that the computation of a node calls. Nil functions are not called.
type Hooks struct {
	// Progress is called once per micro-batch of the node, while the work goes on.
	Progress func()
	// Final is called when the range [lo, hi) of the gradient will not change any more. Any
	// goroutine may call it, but only one at a time. The work waits until it returns, so it
	// should only pass the range on.
	Final func(lo, hi int)
}

// NodeInParts is Node, but it also reports which ranges of the partial's gradient are
// final.
func (e *Engine) NodeInParts(ctx context.Context, dst []float32, s *Scratch, params []float32, step int64, node tree.Node, h Hooks) (ledger.Sums, error) {
	m := e.Plan.Spec.Microbatches
	lo, hi, ok := node.Leaves(m)
	if !ok || step < 0 || step >= e.Plan.Steps() {
		return ledger.Sums{}, fmt.Errorf("step %d node %d: the job has %d steps of %d micro-batches: %w", step, node, e.Plan.Steps(), m, job.ErrPoison)
	}
	if err := ctx.Err(); err != nil {
		return ledger.Sums{}, err
	}
	s.team.Rouse()
	epoch, begin, end := e.Plan.Batch(step)
	first, _ := e.Plan.Microbatch(end-begin, lo)
	s.bounds = append(s.bounds[:0], 0)
	for leaf := lo; leaf < hi; leaf++ {
		_, to := e.Plan.Microbatch(end-begin, leaf)
		s.bounds = append(s.bounds, to-first)
	}
	s.rows = e.order(epoch).Rows(s.rows[:0], begin+first, begin+first+s.bounds[hi-lo])
	defer func() { clear(s.x) }() // blocks belong to the cache
	if err := e.gather(ctx, s, job.Train); err != nil {
		return ledger.Sums{}, err
	}
	s.losses = grow(s.losses, hi-lo)
	s.ctx, s.told, s.progress = ctx, 0, h.Progress
	err := e.compute(dst, s, params, node, h.Final)
	if err == nil && !s.tell(hi-lo) {
		err = executor.ErrStopped
	}
	err = Contained(err)
	if errors.Is(err, executor.ErrStopped) {
		err = ctx.Err()
	}
	s.ctx, s.progress = nil, nil
	if err != nil {
		return ledger.Sums{}, err
	}
	return s.sum(0, hi-lo), nil
}

// Contained turns a panic in a thread of a team into a lifecycle.PanicError, as
// lifecycle.Contain does. It returns other errors unchanged.
func Contained(err error) error {
	if broken := (*team.Panic)(nil); errors.As(err, &broken) {
		return &lifecycle.PanicError{What: fmt.Sprintf("thread %d", broken.Thread), Value: broken.Value, Stack: broken.Stack}
	}
	return err
}

// compute computes the gradient of a node from the rows that s has gathered.
func (e *Engine) compute(dst []float32, s *Scratch, params []float32, node tree.Node, final func(lo, hi int)) error {
	if !e.layout.Wire.Lossy() {
		batch := executor.Batch{X: s.x, Y: s.y, Bounds: s.bounds}
		return s.executor.Gradient(dst, s.losses, e.under(params), batch, executor.Hooks{Step: s.step, Final: final})
	}
	if err := e.rounded(dst, s, params, node, 0, len(s.bounds)-1); err != nil {
		return err
	}
	if final != nil {
		final(0, len(dst))
	}
	return nil
}

// gather sets s.x to the rows s.rows of a split, without copying them from the cache's
// blocks. It copies their targets to s.y [rows, targets].
func (e *Engine) gather(ctx context.Context, s *Scratch, split job.Split) error {
	f, g := e.Plan.Dataset.Features, e.Plan.Dataset.Targets
	s.x, s.y = grow(s.x, len(s.rows)), grow(s.y, len(s.rows)*g)
	refs := e.Plan.Dataset.Splits[split]
	var block *dataset.Block
	at := int32(-1)
	for i, r := range s.rows {
		if r.Block != at {
			var err error
			if block, err = e.blocks.Get(ctx, refs[r.Block]); err != nil {
				return blockError(split, int(r.Block), err)
			}
			at = r.Block
		}
		s.x[i] = block.X[int(r.Row)*f:][:f]
		copy(s.y[i*g:(i+1)*g], block.Y[int(r.Row)*g:])
	}
	return nil
}

// Evaluate computes what one block of a split contributes to its metrics, with the
// parameters params. It fails with job.ErrPoison if the split has no such block.
func (e *Engine) Evaluate(ctx context.Context, s *Scratch, params []float32, split job.Split, block int) (*metric.Sums, error) {
	refs := e.Plan.Dataset.Splits[split]
	if block < 0 || block >= len(refs) {
		return nil, fmt.Errorf("block %d of the %s split: it has %d: %w", block, split, len(refs), job.ErrPoison)
	}
	b, err := e.blocks.Get(ctx, refs[block])
	if err != nil {
		return nil, blockError(split, block, err)
	}
	s.x = slices.AppendSeq(s.x[:0], slices.Chunk(b.X[:b.Rows*b.Features], b.Features))
	defer func() { clear(s.x) }() // blocks belong to the cache
	count := e.Metrics.Count()
	err = s.executor.Forward(e.under(params), s.x, func(lo, hi int, z []float32) error {
		count.Add(z, b.Y[lo*b.Targets:hi*b.Targets], hi-lo)
		return ctx.Err()
	})
	if err != nil {
		return nil, Contained(err)
	}
	return count.Sums(), nil
}

// blockError adds to err which block could not be read. A missing block also gets
// job.ErrPoison: the cache has tried twice, so the block will be missing for the next
// worker too.
func blockError(split job.Split, block int, err error) error {
	if errors.Is(err, job.ErrNotFound) {
		err = errors.Join(err, job.ErrPoison)
	}
	return fmt.Errorf("read block %d of the %s split: %w", block, split, err)
}
