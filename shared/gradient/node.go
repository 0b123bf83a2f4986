package gradient

import (
	"context"
	"errors"
	"fmt"

	"tributary/shared/dataset"
	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/metric"
	"tributary/shared/model"
	"tributary/shared/tree"
)

// Node computes the partial of node at step under params [P]: the gradient
// sum into dst [P], and the other sums. With a lossy wire the value of every node but
// the root is rounded (package rounding); what is returned of the root is the sum of
// its children, which whoever has the residual makes the root gradient of. progress is called as often as the node
// has micro-batches, as the work goes on. It fails with job.ErrPoison when the
// tree has no such node.
func (e *Engine) Node(ctx context.Context, dst []float32, s *Scratch, params []float32, step int64, node tree.Node, progress func()) (ledger.Sums, error) {
	return e.NodeInParts(ctx, dst, s, params, step, node, Hooks{Progress: progress})
}

// Hooks is what the computation of a node tells meanwhile; nil functions are not
// called.
type Hooks struct {
	// Progress is called as often as the node has micro-batches, as the work goes on.
	Progress func()
	// Final is called, by one goroutine at a time, when the range [lo, hi) of the
	// gradient will not change any more. It holds up the work, so it should hand the
	// range on and return.
	Final func(lo, hi int)
}

// NodeInParts is Node that tells which parts of the partial's gradient are there.
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
	if err := e.gather(ctx, s, job.Train); err != nil {
		return ledger.Sums{}, err
	}
	s.losses = grow(s.losses, hi-lo)
	s.ctx, s.told, s.progress = ctx, 0, h.Progress
	var whole bool
	if e.wire.Lossy() {
		whole = e.rounded(dst, s, params, node, 0, hi-lo)
		if whole && h.Final != nil {
			h.Final(0, len(dst))
		}
	} else {
		batch := model.Batch{X: s.x, Y: s.y, Bounds: s.bounds}
		whole = e.Network.SumGradient(dst, s.losses, s.pass, params, batch, model.Hooks{Step: s.step, Final: h.Final})
	}
	clear(s.x) // blocks belong to the cache
	err := ctx.Err()
	if whole && s.tell(hi-lo) {
		err = nil
	}
	s.ctx, s.progress = nil, nil
	if err != nil {
		return ledger.Sums{}, err
	}
	return s.sum(0, hi-lo), nil
}

// gather points s.x at the rows s.rows of a split, where they lie in the cache's
// blocks, and copies their targets to s.y [rows, targets].
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

// Evaluate computes what one block of a split contributes to its metrics
// under params.
func (e *Engine) Evaluate(ctx context.Context, s *Scratch, params []float32, split job.Split, block int) (*metric.Sums, error) {
	refs := e.Plan.Dataset.Splits[split]
	if block < 0 || block >= len(refs) {
		return nil, fmt.Errorf("block %d of the %s split: it has %d: %w", block, split, len(refs), job.ErrPoison)
	}
	b, err := e.blocks.Get(ctx, refs[block])
	if err != nil {
		return nil, blockError(split, block, err)
	}
	outputs := e.forward(s, params, b)
	loss := e.Network.Loss(outputs, b.Y, b.Rows)
	return e.Metrics.Unit(outputs, b.Y, b.Rows, loss), nil
}

// forward returns the outputs [rows, Outputs] of a block, until the next call. It takes
// the rows in slices: the layers' outputs of all rows of a block of a narrow dataset
// would be many times the block.
func (e *Engine) forward(s *Scratch, params []float32, b *dataset.Block) []float32 {
	step, o := e.Network.ForwardRows(), e.Network.Outputs()
	if b.Rows <= step {
		return e.Network.Forward(s.work, params, b.X, b.Rows)
	}
	s.outputs = grow(s.outputs, b.Rows*o)
	for lo := 0; lo < b.Rows; lo += step {
		hi := min(lo+step, b.Rows)
		copy(s.outputs[lo*o:hi*o], e.Network.Forward(s.work, params, b.X[lo*b.Features:hi*b.Features], hi-lo))
	}
	return s.outputs
}

// blockError tells which block could not be read. One that is not there (the
// cache has tried twice) will not be there for the next worker either.
func blockError(split job.Split, block int, err error) error {
	if errors.Is(err, job.ErrNotFound) {
		err = errors.Join(err, job.ErrPoison)
	}
	return fmt.Errorf("read block %d of the %s split: %w", block, split, err)
}
