package memory

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"slices"

	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/tree"
)

// Put stores the node's partial in every chunk that has no root yet and that this partial
// does not complete.
func (l *Ledger) Put(ctx context.Context, lay ledger.Layout, n int64, node tree.Node, p ledger.Partial) ([]ledger.Arrival, error) {
	t, err := l.write(ctx, lay, lay.CheckPut(n, node, p))
	if err != nil {
		return nil, err
	}
	defer l.mu.Unlock()
	if lay.Wire.Lossy() {
		for i := range lay.Chunks() {
			lo, hi := lay.Chunk(i)
			if _, err := lay.Wire.Partials().Payload(p.Gradient[lo:hi]); err != nil {
				return nil, fmt.Errorf("put partial %d of step %d: chunk %d: %w", node, n, i, err)
			}
		}
	}
	arrivals := make([]ledger.Arrival, lay.Chunks())
	for i := range arrivals {
		if n < t.floor {
			arrivals[i].Committed = true
			continue
		}
		c := &t.keep(n).chunks[i]
		if c.root != nil {
			arrivals[i].Committed = true
			continue
		}
		partial := cut(lay, i, p.Gradient, p.Sums)
		if was, ok := c.partials[node]; ok && !equal(was, partial) {
			return nil, fmt.Errorf("put partial %d of step %d: chunk %d: it arrived before with other bytes: %w", node, n, i, job.ErrCorrupt)
		}
		cover, missing := tree.Resolve(lay.Microbatch, func(n tree.Node) bool { _, ok := c.partials[n]; return ok || n == node })
		if len(missing) == 0 {
			arrivals[i].Cover = cover
			continue
		}
		c.partials[node] = partial
	}
	return arrivals, nil
}

// Arrived returns the nodes that have arrived in every chunk without a root.
func (l *Ledger) Arrived(ctx context.Context, lay ledger.Layout, n int64) ([]tree.Node, error) {
	t, err := l.read(ctx, lay, lay.CheckStep(n))
	if err != nil {
		return nil, err
	}
	defer l.mu.Unlock()
	count, open := map[tree.Node]int{}, 0
	for _, c := range t.at(n).chunks {
		if c.root != nil {
			continue
		}
		open++
		for node := range c.partials {
			count[node]++
		}
	}
	var nodes []tree.Node
	for node, chunks := range count {
		if chunks == open {
			nodes = append(nodes, node)
		}
	}
	slices.Sort(nodes)
	return nodes, nil
}

// Partial copies chunks of a node's partial.
func (l *Ledger) Partial(ctx context.Context, lay ledger.Layout, r ledger.PartialRead) (ledger.Sums, error) {
	t, err := l.read(ctx, lay, lay.CheckPartialRead(r))
	if err != nil {
		return ledger.Sums{}, err
	}
	defer l.mu.Unlock()
	var sums ledger.Sums
	for _, i := range r.Chunks {
		p, ok := t.at(r.Step).chunks[i].partials[r.Node]
		if !ok {
			return ledger.Sums{}, fmt.Errorf("read partial %d of step %d: chunk %d: %w", r.Node, r.Step, i, job.ErrNotFound)
		}
		copyChunk(lay, i, r.Dst, p)
		sums = p.Sums
	}
	return sums, nil
}

// Append stores chunks of a root, and commits the steps that are next in order.
func (l *Ledger) Append(ctx context.Context, lay ledger.Layout, w ledger.LogWrite) (bool, ledger.Chain, error) {
	t, err := l.write(ctx, lay, lay.CheckAppend(w))
	if err != nil {
		return false, nil, err
	}
	defer l.mu.Unlock()
	after := slices.Clone(w.Before)
	for _, i := range w.Chunks {
		entry, sum, err := lay.EncodeRoot(nil, w.Step, i, w.Root.Gradient, w.Root.Sums, w.Before[i])
		if err != nil {
			return false, nil, fmt.Errorf("append root of step %d: chunk %d: %w", w.Step, i, err)
		}
		after[i] = w.Before[i].Next(sum)
		if w.Step < t.floor {
			continue
		}
		c := &t.keep(w.Step).chunks[i]
		if c.root != nil && !bytes.Equal(c.root, entry) {
			return false, nil, fmt.Errorf("append root of step %d: chunk %d: %w", w.Step, i, ledger.Differs(c.root, entry))
		}
		if lay.Wire.Lossy() {
			kept, err := lay.EncodeResidual(w.Step, i, w.Residual, after[i])
			if err != nil {
				return false, nil, fmt.Errorf("append root of step %d: %w", w.Step, err)
			}
			if c.residual != nil && !bytes.Equal(c.residual, kept) {
				return false, nil, fmt.Errorf("append root of step %d: chunk %d: %w", w.Step, i, ledger.ErrResidual)
			}
			c.residual = kept
		}
		c.root, c.partials = entry, nil
	}
	committed := t.committed
	t.advance()
	return committed <= w.Step && w.Step < t.committed, after, nil
}

// Residual copies chunks of the residual before a step.
func (l *Ledger) Residual(ctx context.Context, lay ledger.Layout, r ledger.LogRead) error {
	t, err := l.read(ctx, lay, lay.CheckResidualRead(r))
	if err != nil {
		return err
	}
	defer l.mu.Unlock()
	for _, i := range r.Chunks {
		if err := t.residual(r, i); err != nil {
			return fmt.Errorf("read residual before step %d: chunk %d: %w", r.Step, i, err)
		}
	}
	return nil
}

// residual copies one chunk of the residual.
func (t *training) residual(r ledger.LogRead, i int) error {
	lo, hi := t.layout.Chunk(i)
	switch {
	case r.Step == 0:
		clear(r.Dst[lo:hi])
	case r.Step > t.committed:
		return fmt.Errorf("%d steps are committed: %w", t.committed, job.ErrNotFound)
	case r.Step > t.floor:
		return t.layout.DecodeResidual(r.Dst, r.Step-1, i, t.steps[r.Step-1].chunks[i].residual, r.Before[i])
	case t.snapshot == nil || t.snapshot.Step != r.Step:
		return fmt.Errorf("the log begins with step %d: %w", t.floor, job.ErrStale)
	case t.snapshot.Chain[i] != r.Before[i]:
		return ledger.Forked(t.snapshot.Chain[i], r.Before[i])
	default:
		copy(r.Dst[lo:hi], t.snapshot.Vectors[len(t.snapshot.Vectors)-1][lo:hi])
	}
	return nil
}

// Root copies chunks of a committed root.
func (l *Ledger) Root(ctx context.Context, lay ledger.Layout, r ledger.LogRead) (ledger.Sums, ledger.Chain, error) {
	t, err := l.read(ctx, lay, lay.CheckLogRead(r))
	if err != nil {
		return ledger.Sums{}, nil, err
	}
	defer l.mu.Unlock()
	switch {
	case r.Step >= t.committed:
		return ledger.Sums{}, nil, fmt.Errorf("read root of step %d: %d steps are committed: %w", r.Step, t.committed, job.ErrNotFound)
	case r.Step < t.floor:
		return ledger.Sums{}, nil, fmt.Errorf("read root of step %d: the log begins with step %d: %w", r.Step, t.floor, job.ErrStale)
	}
	after := slices.Clone(r.Before)
	var sums ledger.Sums
	for _, i := range r.Chunks {
		var sum uint64
		if sums, sum, err = lay.DecodeRoot(r.Dst, r.Step, i, t.steps[r.Step].chunks[i].root, r.Before[i]); err != nil {
			return ledger.Sums{}, nil, fmt.Errorf("read root of step %d: chunk %d: %w", r.Step, i, err)
		}
		after[i] = r.Before[i].Next(sum)
	}
	return sums, after, nil
}

// cut copies a chunk out of a vector.
func cut(lay ledger.Layout, chunk int, v []float32, s ledger.Sums) ledger.Partial {
	lo, hi := lay.Chunk(chunk)
	return ledger.Partial{Gradient: slices.Clone(v[lo:hi]), Sums: s}
}

// copyChunk copies a chunk to its place in a vector [P].
func copyChunk(lay ledger.Layout, chunk int, dst []float32, p ledger.Partial) {
	lo, hi := lay.Chunk(chunk)
	copy(dst[lo:hi], p.Gradient)
}

// equal compares two partials bit for bit, as checksums do.
func equal(a, b ledger.Partial) bool {
	return a.Sums.Examples == b.Sums.Examples && math.Float64bits(a.Sums.Loss) == math.Float64bits(b.Sums.Loss) &&
		sameBits(a.Gradient, b.Gradient)
}

func sameBits(a, b []float32) bool {
	return slices.EqualFunc(a, b, func(x, y float32) bool { return math.Float32bits(x) == math.Float32bits(y) })
}
