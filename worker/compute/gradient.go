package compute

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/notice"
	"tributary/shared/numeric"
	"tributary/shared/tree"
)

// share stores a node's partial and finishes the chunks that it completes.
func (sp *span) share(ctx context.Context, t job.Task, partial ledger.Partial, chain ledger.Chain) error {
	arrivals, err := sp.ledger.Put(ctx, sp.p.layout, t.Step, t.Node, partial)
	if err != nil {
		return fmt.Errorf("store partial: %w", err)
	}
	sp.h.Progress()
	sp.clock.lap(Storing)
	for _, g := range group(arrivals) {
		root, err := sp.reduce(ctx, sp.p, sp.s, t, partial, g)
		if err != nil {
			if errors.Is(err, job.ErrNotFound) {
				continue // another worker has finished these chunks meanwhile
			}
			return fmt.Errorf("reduce step %d: %w", t.Step, err)
		}
		sp.clock.lap(Reducing)
		_, err = sp.commit(ctx, sp.p, t.Step, g.chunks, root, chain)
		sp.s.free(root.Gradient)
		sp.clock.lap(Committing)
		if err != nil {
			return err
		}
	}
	return nil
}

// view brings the replica to the task's step, which is progress. A task of a
// step that is committed is stale, and so is one that the ledger is not ready
// for: the job is over, or the ledger has lost steps before it. When it is
// this very step that the ledger has lost, the replica has folded what is no
// more and starts again from what there is.
func (c *Computer) view(ctx context.Context, p *program, t job.Task, progress func(), use func([]float32, ledger.Chain) error) error {
	ready := func(params []float32, chain ledger.Chain) error {
		progress()
		return use(params, chain)
	}
	err := p.replica.View(ctx, c.ledger, t.Step, ready)
	if !errors.Is(err, job.ErrStale) && !errors.Is(err, job.ErrNotFound) {
		return err
	}
	if p.replica.Leads(ctx) {
		// A step that this worker knows is being appended: this one, or one before it.
		if settled := p.replica.Settled(ctx); settled != nil {
			return settled
		}
		if err = p.replica.View(ctx, c.ledger, t.Step, ready); !errors.Is(err, job.ErrStale) && !errors.Is(err, job.ErrNotFound) {
			return err
		}
	}
	state, stateErr := c.ledger.State(ctx, p.layout)
	if stateErr != nil {
		return fmt.Errorf("is step %d stale? %w", t.Step, stateErr)
	}
	p.horizon.corrected(state.Committed)
	switch {
	case state.Committed < t.Step:
		return fmt.Errorf("step %d: the ledger has %d steps: %w", t.Step, state.Committed, job.ErrStale)
	case errors.Is(err, job.ErrNotFound):
		return err
	case state.Committed > t.Step:
		c.announced(c.announce.PublishCommit(notice.Commit{Ref: t.Ref, Step: t.Step, Committed: state.Committed}))
		return err
	}
	if err := p.replica.Forget(ctx); err != nil {
		return err
	}
	return p.replica.View(ctx, c.ledger, t.Step, ready)
}

// commit appends root-gradient chunks to the log, and has the replica fold a whole one.
func (c *Computer) commit(ctx context.Context, p *program, step int64, chunks []int, root ledger.Partial, before ledger.Chain) (after ledger.Chain, err error) {
	after, err = c.append(ctx, p, step, chunks, root, before)
	if err == nil && len(chunks) == p.layout.Chunks() {
		p.replica.Offer(ctx, step, root.Gradient, root.Sums, after)
	}
	return after, err
}

// append appends root-gradient chunks to the log and announces the step when
// that committed it.
func (c *Computer) append(ctx context.Context, p *program, step int64, chunks []int, root ledger.Partial, before ledger.Chain) (ledger.Chain, error) {
	committed, after, err := c.ledger.Append(ctx, p.layout, step, chunks, root.Gradient, root.Sums, before)
	if err != nil {
		return nil, fmt.Errorf("append root gradient: %w", err)
	}
	if committed {
		p.horizon.reached(step + 1)
		c.announced(c.announce.PublishCommit(notice.Commit{Ref: p.layout.Ref, Step: step, Committed: step + 1}))
	}
	return after, nil
}

// chunkGroup is chunks that one cover completes.
type chunkGroup struct {
	cover  []tree.Node
	chunks []int
}

// group gathers the chunks that are complete, by cover; nearly always there is
// one cover for all.
func group(arrivals []ledger.Arrival) []chunkGroup {
	var groups []chunkGroup
	for chunk, a := range arrivals {
		if len(a.Cover) == 0 {
			continue
		}
		i := slices.IndexFunc(groups, func(g chunkGroup) bool { return slices.Equal(g.cover, a.Cover) })
		if i < 0 {
			i = len(groups)
			groups = append(groups, chunkGroup{cover: a.Cover})
		}
		groups[i].chunks = append(groups[i].chunks, chunk)
	}
	return groups
}

// reduce sums a group's chunks along the tree: the worker's own partial from
// memory, the others from the ledger. Only the group's chunks of the result
// have a meaning; the caller frees it.
func (c *Computer) reduce(ctx context.Context, p *program, s *scratch, t job.Task, own ledger.Partial, g chunkGroup) (ledger.Partial, error) {
	var failed error
	read := func(n tree.Node) ledger.Partial {
		v := s.vector(p.layout.Params)
		if n == t.Node {
			copyChunks(p.layout, g.chunks, v, own.Gradient)
			return ledger.Partial{Gradient: v, Sums: own.Sums}
		}
		sums, err := c.ledger.Partial(ctx, p.layout, t.Step, n, g.chunks, v)
		if err != nil && failed == nil {
			failed = fmt.Errorf("partial of node %d: %w", n, err)
		}
		return ledger.Partial{Gradient: v, Sums: sums}
	}
	add := func(left, right ledger.Partial) ledger.Partial {
		for _, chunk := range g.chunks {
			lo, hi := p.layout.Chunk(chunk)
			numeric.Add(left.Gradient[lo:hi], left.Gradient[lo:hi], right.Gradient[lo:hi])
		}
		s.free(right.Gradient)
		return ledger.Partial{Gradient: left.Gradient, Sums: left.Sums.Add(right.Sums)}
	}
	root, ok := tree.Sum(p.layout.Microbatch, g.cover, read, add)
	if failed == nil && !ok {
		failed = fmt.Errorf("nodes %v cover no tree of %d micro-batches: %w", g.cover, p.layout.Microbatch, job.ErrCorrupt)
	}
	return root, failed
}

func copyChunks(l ledger.Layout, chunks []int, dst, src []float32) {
	for _, chunk := range chunks {
		lo, hi := l.Chunk(chunk)
		copy(dst[lo:hi], src[lo:hi])
	}
}
