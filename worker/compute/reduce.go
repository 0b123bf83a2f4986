package compute

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/numeric"
	"tributary/shared/rounding"
	"tributary/shared/tree"
	"tributary/shared/wire"
)

// share stores a node's partial, and finishes the chunks that it completes: they
// are summed up in the partial's own place, and appended.
func (sp *span) share(ctx context.Context, t job.Task, partial ledger.Partial, chain ledger.Chain) error {
	arrivals, err := sp.ledger.Put(ctx, sp.p.layout, t.Step, t.Node, partial)
	if err != nil {
		return fmt.Errorf("store partial: %w", err)
	}
	sp.h.Progress()
	sp.lap(Storing)
	var chunks []int
	root := ledger.Partial{Gradient: partial.Gradient}
	for _, g := range group(arrivals) {
		sums, err := sp.reduce(ctx, t, partial, g, chain)
		if errors.Is(err, job.ErrNotFound) || errors.Is(err, job.ErrStale) {
			continue // another worker has finished these chunks meanwhile
		}
		if err != nil {
			return fmt.Errorf("reduce step %d: %w", t.Step, err)
		}
		root.Sums = sums
		for _, c := range g.chunks {
			chunks = append(chunks, c.index)
		}
	}
	if len(chunks) == 0 {
		return nil
	}
	slices.Sort(chunks)
	sp.lap(Reducing)
	return sp.finish(ctx, t, chunks, root, chain)
}

// finish appends chunks of a root, and folds it when it is whole: at once, and
// appends it meanwhile, when there is a next step to go on with.
func (sp *span) finish(ctx context.Context, t job.Task, chunks []int, root ledger.Partial, chain ledger.Chain) error {
	whole := len(chunks) == sp.p.layout.Chunks()
	if whole && sp.leaps(t) {
		if done, err := sp.leap(ctx, t, root, chain); done || err != nil {
			return err
		}
	}
	if whole && t.Step+1 < sp.t.End() && sp.p.replica.Speculate(ctx, sp.s.Team(), t.Step, root.Gradient, root.Sums, nil, false) {
		sp.lap(Folding)
		sp.begin(ctx, t, root, chain)
		return nil
	}
	after, err := sp.append(ctx, sp.p, t.Step, chunks, root, sp.carried.v, chain, false)
	sp.lap(Committing)
	if err != nil {
		return err
	}
	if whole {
		sp.p.replica.Offer(ctx, sp.s.Team(), t.Step, root.Gradient, root.Sums, after)
		sp.lap(Folding)
	} else {
		sp.part = &part{step: t.Step, root: root.Gradient, chunks: chunks, after: after}
	}
	return nil
}

// part is the chunks of a step's root that this worker has appended itself, and
// need not read from the log.
type part struct {
	step   int64
	root   []float32 // [P]; chunks of it are the root's
	chunks []int
	after  ledger.Chain // past the step for these chunks
}

// complete folds a step that is committed and of whose root this worker appended a
// part: only the other chunks are read. Where that fails all of it is read from the log
// as usual.
func (sp *span) complete(ctx context.Context, step int64) {
	own := sp.part
	if sp.part = nil; own == nil || own.step != step {
		return
	}
	if err := sp.p.replica.Complete(ctx, sp.s.Team(), sp.ledger, own.step, own.root, own.chunks, own.after); err != nil {
		sp.log.Debug().Err(err).Msg("complete a root from the log")
	}
}

// arrived is a chunk that is complete.
type arrived struct {
	index  int
	values []ledger.Partial // of the cover's nodes; nil: to be read
}

// chunkGroup is chunks that one cover completes.
type chunkGroup struct {
	cover  []tree.Node
	chunks []arrived
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
		groups[i].chunks = append(groups[i].chunks, arrived{chunk, a.Values})
	}
	return groups
}

// reduce sums a group's chunks along the tree, in the place of the worker's own
// partial, and returns the sums beside them. It takes some chunks at a time, so that what it
// reads is bounded, however many nodes there are. When it fails the partial holds anything.
func (sp *span) reduce(ctx context.Context, t job.Task, own ledger.Partial, g chunkGroup, chain ledger.Chain) (sums ledger.Sums, err error) {
	floats := sp.reading / max(1, len(g.cover)-1)
	for part := range slices.Chunk(g.chunks, max(1, floats/sp.p.layout.ChunkLen)) {
		if sums, err = sp.reducePart(ctx, t, own, chunkGroup{g.cover, part}); err != nil {
			return sums, err
		}
	}
	chunks := make([]int, len(g.chunks))
	for i, c := range g.chunks {
		chunks[i] = c.index
	}
	return sums, sp.round(ctx, t.Step, chunks, own.Gradient, chain)
}

// reducePart sums chunks that fit in memory for all nodes.
func (sp *span) reducePart(ctx context.Context, t job.Task, own ledger.Partial, g chunkGroup) (sums ledger.Sums, err error) {
	others, err := sp.read(ctx, t, g)
	if err != nil {
		return ledger.Sums{}, err
	}
	at := 0 // of the chunk in what was read
	for _, c := range g.chunks {
		lo, hi := sp.p.layout.Chunk(c.index)
		value := func(n tree.Node) operand {
			i := slices.Index(g.cover, n)
			switch {
			case n == t.Node:
				return operand{ledger.Partial{Gradient: own.Gradient[lo:hi], Sums: own.Sums}, n, true}
			case c.values != nil:
				return operand{c.values[i], n, false}
			}
			return operand{ledger.Partial{Gradient: others[i].Gradient[at:][:hi-lo], Sums: others[i].Sums}, n, false}
		}
		add := func(left, right operand) operand { return add(sp.p.layout.Wire, left, right) }
		root, ok := tree.Sum(sp.p.layout.Microbatch, g.cover, value, add)
		if !ok || !root.own {
			return sums, fmt.Errorf("nodes %v cover no tree of %d micro-batches, or none with node %d: %w", g.cover, sp.p.layout.Microbatch, t.Node, job.ErrCorrupt)
		}
		sums = root.Sums
		if c.values == nil {
			at += hi - lo
		}
	}
	return sums, nil
}

// operand is a chunk of a partial; the worker's own is where the sum is to be.
type operand struct {
	ledger.Partial
	node tree.Node
	own  bool
}

// add returns the value of left's and right's parent, in the own one's place if it is
// one of them. That of the root is not rounded yet.
func add(f wire.Format, left, right operand) operand {
	dst := left
	if right.own {
		dst.Gradient, dst.own = right.Gradient, true
	}
	numeric.Add(dst.Gradient, left.Gradient, right.Gradient)
	dst.Sums, dst.node = left.Sums.Add(right.Sums), left.node.Parent()
	if dst.node != tree.Root {
		rounding.Inner(f, dst.Gradient)
	}
	return dst
}

// read reads the partials of a group's other nodes, in the cover's order, unless
// they came with the arrival. Of each it returns only the chunks that were read, one after the other.
func (sp *span) read(ctx context.Context, t job.Task, g chunkGroup) ([]ledger.Partial, error) {
	others := make([]ledger.Partial, len(g.cover))
	var chunks []int
	size := 0
	for _, c := range g.chunks {
		if c.values == nil {
			chunks = append(chunks, c.index)
			lo, hi := sp.p.layout.Chunk(c.index)
			size += hi - lo
		}
	}
	if len(chunks) == 0 {
		return others, nil
	}
	whole := sp.s.Vector(sp.p.layout.Params)
	defer sp.s.Free(whole)
	room := sp.s.room(size * (len(g.cover) - 1))
	for i, n := range g.cover {
		if n == t.Node {
			continue
		}
		sums, err := sp.ledger.Partial(ctx, sp.p.layout, ledger.PartialRead{Step: t.Step, Node: n, Chunks: chunks, Dst: whole})
		if err != nil {
			return nil, fmt.Errorf("partial of node %d: %w", n, err)
		}
		read := room[:0:size]
		room = room[size:]
		for _, c := range chunks {
			lo, hi := sp.p.layout.Chunk(c)
			read = append(read, whole[lo:hi]...)
		}
		others[i] = ledger.Partial{Gradient: read, Sums: sums}
	}
	return others, nil
}
