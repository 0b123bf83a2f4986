package gradient

import (
	"context"
	"errors"
	"fmt"

	"tributary/shared/executor"
	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/lifecycle"
	"tributary/shared/metric"
	"tributary/shared/model"
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
	defer s.release()
	if err := e.gather(ctx, &s.gathered, job.Train, s.rows); err != nil {
		return ledger.Sums{}, err
	}
	s.training = model.Training{Seed: e.Plan.Spec.Seed, Step: step, Sample: first}
	s.losses, s.terms = grow(s.losses, hi-lo), grow(s.terms, hi-lo)
	for i := range s.terms {
		s.terms[i] = e.count(&s.gathered, s.bounds[i], s.bounds[i+1])
	}
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

// count returns the number of terms of the samples lo to hi of g, or the sum of their
// weights in units.
func (e *Engine) count(g *gathered, lo, hi int) int64 {
	if sum, weighted := e.Objective.Units(g.y[lo*e.targets : hi*e.targets]); weighted {
		return sum
	}
	return e.termsOf(g, lo, hi)
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
		batch := executor.Batch{X: s.x[:], Y: s.y, Bounds: s.bounds, Training: s.training}
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

// Evaluate computes what one block of a split contributes to its metrics, with the
// parameters params. It fails with job.ErrPoison if the split has no such block.
func (e *Engine) Evaluate(ctx context.Context, s *Scratch, params []float32, split job.Split, block int) (*metric.Sums, error) {
	refs := e.Plan.Dataset.Splits[split]
	if block < 0 || block >= len(refs) {
		return nil, fmt.Errorf("block %d of the %s split: it has %d: %w", block, split, len(refs), job.ErrPoison)
	}
	b, err := e.block(ctx, split, block)
	if err != nil {
		return nil, err
	}
	defer s.release()
	s.y, s.counts, s.ids = s.y[:0], s.counts[:0], s.ids[:0]
	for row := range b.Rows {
		e.append(&s.gathered, b, row)
	}
	count := e.Metrics.Count()
	err = s.executor.Forward(e.under(params), s.x[:], b.Rows, func(lo, hi int, z []float32) error {
		y, terms := s.y[lo*e.targets:hi*e.targets], (hi-lo)*e.terms
		if e.masked {
			terms = unmasked(z, y, e.Metrics.Outputs)
			y = y[:terms]
		}
		count.Add(z, y, terms)
		return ctx.Err()
	})
	if err != nil {
		return nil, Contained(err)
	}
	return count.Sums(), nil
}
