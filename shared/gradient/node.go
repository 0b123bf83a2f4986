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
	"tributary/shared/numeric"
	"tributary/shared/tree"
)

// Scratch is one goroutine's buffers, reused from task to task.
type Scratch struct {
	work *model.Workspace
	rows []dataset.RowRef
	x, y []float32
	sums [][]float32 // one gradient per level of the tree below the node
}

// NewScratch returns empty buffers; they grow to what the tasks need.
func NewScratch() *Scratch { return &Scratch{work: model.NewWorkspace()} }

// level returns the gradient buffer [n] of a level.
func (s *Scratch) level(depth, n int) []float32 {
	for len(s.sums) <= depth {
		s.sums = append(s.sums, nil)
	}
	s.sums[depth] = grow(s.sums[depth], n)
	return s.sums[depth]
}

func grow[T any](b []T, n int) []T {
	if cap(b) < n {
		return make([]T, n)
	}
	return b[:n]
}

// Node computes the partial of node at step under params [P]: the gradient
// sum into dst [P], and the other sums. progress is called after each
// micro-batch. It fails with job.ErrPoison when the tree has no such node.
func (e *Engine) Node(ctx context.Context, dst []float32, s *Scratch, params []float32, step int64, node tree.Node, progress func()) (ledger.Sums, error) {
	m := e.Plan.Spec.Microbatches
	lo, hi, ok := node.Leaves(m)
	if !ok || step < 0 || step >= e.Plan.Steps() {
		return ledger.Sums{}, fmt.Errorf("step %d node %d: the job has %d steps of %d micro-batches: %w", step, node, e.Plan.Steps(), m, job.ErrPoison)
	}
	t := task{e: e, ctx: ctx, s: s, params: params, progress: progress}
	var epoch int64
	epoch, t.lo, t.hi = e.Plan.Batch(step)
	t.order = e.order(epoch)
	return t.sum(dst, lo, hi, 0)
}

// task is one call of Node.
type task struct {
	e        *Engine
	ctx      context.Context //nolint:containedctx // lives for the one call
	s        *Scratch
	params   []float32
	order    *dataset.Order
	lo, hi   int // the batch's positions in the epoch's order
	progress func()
}

// sum computes the node over the leaves [lo, hi) into dst: left + right.
func (t *task) sum(dst []float32, lo, hi, depth int) (ledger.Sums, error) {
	if hi-lo == 1 {
		return t.leaf(dst, lo)
	}
	mid := tree.Split(lo, hi)
	left, err := t.sum(dst, lo, mid, depth+1)
	if err != nil {
		return left, err
	}
	other := t.s.level(depth, len(dst))
	right, err := t.sum(other, mid, hi, depth+1)
	if err != nil {
		return right, err
	}
	numeric.Add(dst, dst, other)
	return left.Add(right), nil
}

// leaf computes one micro-batch's gradient into dst.
func (t *task) leaf(dst []float32, leaf int) (ledger.Sums, error) {
	if err := t.ctx.Err(); err != nil {
		return ledger.Sums{}, err
	}
	lo, hi := t.e.Plan.Microbatch(t.hi-t.lo, leaf)
	rows := hi - lo
	t.s.rows = t.order.Rows(t.s.rows[:0], t.lo+lo, t.lo+hi)
	if err := t.e.gather(t.ctx, t.s, job.Train); err != nil {
		return ledger.Sums{}, err
	}
	loss := t.e.Network.Gradient(dst, t.s.work, t.params, t.s.x, t.s.y, rows)
	if t.progress != nil {
		t.progress()
	}
	return ledger.Sums{Examples: int64(rows), Loss: loss}, nil
}

// gather copies the rows s.rows of a split into s.x [rows, features] and s.y [rows, targets].
func (e *Engine) gather(ctx context.Context, s *Scratch, split job.Split) error {
	f, g := e.Plan.Dataset.Features, e.Plan.Dataset.Targets
	s.x, s.y = grow(s.x, len(s.rows)*f), grow(s.y, len(s.rows)*g)
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
		copy(s.x[i*f:(i+1)*f], block.X[int(r.Row)*f:])
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
	outputs := e.Network.Forward(s.work, params, b.X, b.Rows)
	loss := e.Network.Loss(outputs, b.Y, b.Rows)
	return e.Metrics.Unit(outputs, b.Y, b.Rows, loss), nil
}

// blockError tells which block could not be read. One that is not there (the
// cache has tried twice) will not be there for the next worker either.
func blockError(split job.Split, block int, err error) error {
	if errors.Is(err, job.ErrNotFound) {
		err = errors.Join(err, job.ErrPoison)
	}
	return fmt.Errorf("read block %d of the %s split: %w", block, split, err)
}
