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
	"tributary/worker/course"
)

// store stores a node's partial, and adds up the chunks that the partial completes. The
// sums replace those chunks of the partial.
func (st *stepper) store(ctx context.Context, t job.Task) (course.Event, error) {
	arrivals, err := st.ledger.Put(ctx, st.p.layout, t.Step, t.Node, st.partial)
	if err != nil {
		return course.Event{}, fmt.Errorf("store partial: %w", err)
	}
	st.h.Progress()
	st.endPhase(Storing)
	st.root, st.chunks = ledger.Partial{Gradient: st.partial.Gradient}, nil
	for _, g := range group(arrivals) {
		sums, err := st.reduce(ctx, t, st.partial, g, st.chain)
		if errors.Is(err, job.ErrNotFound) || errors.Is(err, job.ErrStale) {
			continue // another worker has completed these chunks meanwhile
		}
		if err != nil {
			return course.Event{}, fmt.Errorf("reduce step %d: %w", t.Step, err)
		}
		st.root.Sums = sums
		for _, c := range g.chunks {
			st.chunks = append(st.chunks, c.index)
		}
	}
	if len(st.chunks) == 0 {
		return course.Event{Is: course.Stored}, nil
	}
	slices.Sort(st.chunks)
	st.endPhase(Reducing)
	if len(st.chunks) < st.p.layout.Chunks() {
		return course.Event{Is: course.StoredChunks}, nil
	}
	return course.Event{Is: course.StoredRoot}, nil
}

// arrived is a complete chunk: the partials of all nodes of a cover are there.
type arrived struct {
	index  int
	values []ledger.Partial // the values of the cover's nodes; nil: to be read from the ledger
}

// chunkGroup is a group of chunks that the same cover completes.
type chunkGroup struct {
	cover  []tree.Node
	chunks []arrived
}

// group collects the complete chunks by their cover. Nearly always all chunks have the
// same cover.
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

// reduce sums a group's chunks along the tree, in place of the worker's own partial, and
// returns the sums of the scalars. It takes a few chunks at a time, so that the memory
// for what it reads is bounded for any number of nodes. After an error the content of the
// partial is undefined.
func (st *stepper) reduce(ctx context.Context, t job.Task, own ledger.Partial, g chunkGroup, chain ledger.Chain) (sums ledger.Sums, err error) {
	floats := st.reading / max(1, len(g.cover)-1)
	for few := range slices.Chunk(g.chunks, max(1, floats/st.p.layout.ChunkLen)) {
		if sums, err = st.reduceChunks(ctx, t, own, chunkGroup{g.cover, few}); err != nil {
			return sums, err
		}
	}
	chunks := make([]int, len(g.chunks))
	for i, c := range g.chunks {
		chunks[i] = c.index
	}
	return sums, st.round(ctx, t.Step, chunks, own.Gradient, chain)
}

// reduceChunks sums so few chunks that the values of all nodes fit in memory.
func (st *stepper) reduceChunks(ctx context.Context, t job.Task, own ledger.Partial, g chunkGroup) (sums ledger.Sums, err error) {
	others, err := st.read(ctx, t, g)
	if err != nil {
		return ledger.Sums{}, err
	}
	at := 0 // offset of the chunk in the values that were read
	for _, c := range g.chunks {
		lo, hi := st.p.layout.Chunk(c.index)
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
		add := func(left, right operand) operand { return add(st.p.layout.Wire, left, right) }
		root, ok := tree.Sum(st.p.layout.Microbatch, g.cover, value, add)
		if !ok || !root.own {
			return sums, fmt.Errorf("nodes %v cover no tree of %d micro-batches, or none with node %d: %w", g.cover, st.p.layout.Microbatch, t.Node, job.ErrCorrupt)
		}
		sums = root.Sums
		if c.values == nil {
			at += hi - lo
		}
	}
	return sums, nil
}

// operand is one chunk of a node's partial. own marks the worker's own partial: the sum
// is stored in its place.
type operand struct {
	ledger.Partial
	node tree.Node
	own  bool
}

// add returns the value of the parent of left and right. If one of them is the own one,
// the sum is stored in its place. add does not round the value of the root yet.
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

// read reads the partials of a group's other nodes, in the cover's order, unless the
// values came with the arrival. For each node it returns only the chunks that it read,
// one after another.
func (st *stepper) read(ctx context.Context, t job.Task, g chunkGroup) ([]ledger.Partial, error) {
	others := make([]ledger.Partial, len(g.cover))
	var chunks []int
	size := 0
	for _, c := range g.chunks {
		if c.values == nil {
			chunks = append(chunks, c.index)
			lo, hi := st.p.layout.Chunk(c.index)
			size += hi - lo
		}
	}
	if len(chunks) == 0 {
		return others, nil
	}
	whole := st.s.Vector(st.p.layout.Params)
	defer st.s.Free(whole)
	room := st.s.room(size * (len(g.cover) - 1))
	for i, n := range g.cover {
		if n == t.Node {
			continue
		}
		sums, err := st.ledger.Partial(ctx, st.p.layout, ledger.PartialRead{Step: t.Step, Node: n, Chunks: chunks, Dst: whole})
		if err != nil {
			return nil, fmt.Errorf("partial of node %d: %w", n, err)
		}
		read := room[:0:size]
		room = room[size:]
		for _, c := range chunks {
			lo, hi := st.p.layout.Chunk(c)
			read = append(read, whole[lo:hi]...)
		}
		others[i] = ledger.Partial{Gradient: read, Sums: sums}
	}
	return others, nil
}
