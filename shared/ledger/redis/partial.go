package redis

import (
	"context"
	"fmt"
	"slices"

	goredis "github.com/redis/go-redis/v9"

	"tributary/shared/ledger"
	"tributary/shared/tree"
	"tributary/shared/wire"
)

// Arrived returns the nodes that have arrived in every chunk that is not committed. It
// reads a chunk's partials before its log, so that a chunk that is committed in between
// counts as committed, not as empty. It also runs commitChunks for the chunks in the log:
// the worker that appended them may have died before it could.
func (l *Ledger) Arrived(ctx context.Context, lay ledger.Layout, step int64) ([]tree.Node, error) {
	if err := lay.CheckStep(step); err != nil {
		return nil, err
	}
	k := keysOf(lay)
	count, open := map[int64]int{}, 0
	var logged []int
	for chunks := range slices.Chunk(lay.AllChunks(), pipelineChunks) {
		pipe := l.pipeline(0)
		partials, done := make([]*goredis.StringSliceCmd, len(chunks)), make([]*goredis.BoolCmd, len(chunks))
		for i, c := range chunks {
			partials[i] = pipe.HKeys(ctx, k.partials(c, step))
			done[i] = pipe.HExists(ctx, k.log(c), sealPrefix+field(step))
		}
		if err := pipe.exec(ctx); err != nil {
			return nil, fmt.Errorf("list partials of step %d: %w", step, err)
		}
		for i := range chunks {
			if done[i].Val() {
				logged = append(logged, chunks[i])
				continue
			}
			open++
			for _, f := range partials[i].Val() {
				if n, ok := arrivedNode(f); ok {
					count[n]++
				}
			}
		}
	}
	if err := l.commitFound(ctx, lay, step, logged); err != nil {
		return nil, fmt.Errorf("record the logged chunks of step %d: %w", step, err)
	}
	var nodes []tree.Node
	for n, chunks := range count {
		if chunks == open {
			nodes = append(nodes, tree.Node(n))
		}
	}
	slices.Sort(nodes)
	return nodes, nil
}

// Partial reads chunks of a node's partial, and checks them against the seals with which
// they arrived.
func (l *Ledger) Partial(ctx context.Context, lay ledger.Layout, r ledger.PartialRead) (ledger.Sums, error) {
	if err := lay.CheckPartialRead(r); err != nil {
		return ledger.Sums{}, err
	}
	k := keysOf(lay)
	per, bytes := partialBatches(lay)
	var sums agreedSums
	for group := range slices.Chunk(r.Chunks, per) {
		floats, seals := make([]*vector, len(group)), make([]*goredis.SliceCmd, len(group))
		err := l.read(ctx, bytes*len(group), func(pipe *pipeline) {
			for i, c := range group {
				lo, hi := lay.Chunk(c)
				key, name := k.partials(c, r.Step), field(r.Node)
				floats[i], seals[i] = pipe.vector(ctx, key, name, r.Dst[lo:hi], lay.Wire.Partials()), pipe.HMGet(ctx, key, digestPrefix+name)
			}
		})
		if err != nil {
			return ledger.Sums{}, fmt.Errorf("read partial %d of step %d: %w", r.Node, r.Step, err)
		}
		for i, c := range group {
			want := partialHeader(r.Step, r.Node, c, ledger.Sums{})
			_, err := sums.decode(floats[i], only(seals[i]), wire.Partial, func(h wire.Header) error { return same(h, want) })
			if err != nil {
				return ledger.Sums{}, fmt.Errorf("read partial %d of step %d: chunk %d: %w", r.Node, r.Step, c, err)
			}
		}
	}
	return sums.Sums, nil
}
