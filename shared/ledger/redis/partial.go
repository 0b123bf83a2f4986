package redis

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	goredis "github.com/redis/go-redis/v9"

	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/tree"
)

// Put stores each chunk of the partial and runs the arrive script behind it.
func (l *Ledger) Put(ctx context.Context, lay ledger.Layout, step int64, node tree.Node, p ledger.Partial) ([]ledger.Arrival, error) {
	if err := cmp.Or(lay.CheckStep(step), lay.CheckNode(node), lay.CheckVector("partial", p.Gradient)); err != nil {
		return nil, err
	}
	arrivals := make([]ledger.Arrival, 0, lay.Chunks())
	per, _ := batches(lay, 1)
	for chunks := range slices.Chunk(lay.AllChunks(), per) {
		some, err := l.putChunks(ctx, lay, step, node, p, chunks)
		if err != nil {
			return nil, fmt.Errorf("put partial %d of step %d: %w", node, step, err)
		}
		arrivals = append(arrivals, some...)
	}
	return arrivals, nil
}

func (l *Ledger) putChunks(ctx context.Context, lay ledger.Layout, step int64, node tree.Node, p ledger.Partial, chunks []int) ([]ledger.Arrival, error) {
	k := keysOf(lay)
	_, bytes := batches(lay, 1)
	a := newArena(bytes * len(chunks))
	defer a.free()
	pipe := l.pipeline(bytes * len(chunks))
	calls := make([]*call, len(chunks))
	for i, c := range chunks {
		lo, hi := lay.Chunk(c)
		data, sum := a.encode(partialHeader(step, node, c, p.Sums), p.Gradient[lo:hi])
		partials := k.partials(c, step)
		pipe.SAdd(ctx, k.steps(c), step)
		pipe.HSetNX(ctx, partials, field(node), data)
		calls[i] = pipe.run(ctx, arriveScript, []string{partials, k.log(c), k.steps(c)},
			step, field(node), hex(sum), partialsLife.Milliseconds(), jobLife.Milliseconds())
	}
	if err := pipe.exec(ctx); err != nil {
		return nil, err
	}
	arrivals := make([]ledger.Arrival, len(chunks))
	for i, c := range chunks {
		reply, err := calls[i].StringSlice()
		if err == nil {
			arrivals[i], err = arrival(lay.Microbatch, reply)
		}
		if err != nil {
			return nil, fmt.Errorf("chunk %d: %w", c, err)
		}
	}
	return arrivals, nil
}

// arrival reads what the arrive script says of a chunk.
func arrival(m int, reply []string) (ledger.Arrival, error) {
	if len(reply) == 0 {
		return ledger.Arrival{}, errors.New("the arrive script answered nothing")
	}
	switch reply[0] {
	case "committed":
		return ledger.Arrival{Committed: true}, nil
	case "arrived":
		return ledger.Arrival{}, nil
	case "differs":
		return ledger.Arrival{}, fmt.Errorf("it arrived before with other bytes: %w", job.ErrCorrupt)
	case "missing":
		return ledger.Arrival{}, errors.New("it vanished before its arrival was recorded")
	case "complete":
		arrived := make(map[tree.Node]bool, len(reply))
		for _, f := range reply[1:] {
			if n, ok := number(f); ok {
				arrived[tree.Node(n)] = true
			}
		}
		cover, missing := tree.Resolve(m, func(n tree.Node) bool { return arrived[n] })
		if len(missing) > 0 {
			return ledger.Arrival{}, fmt.Errorf("the tree is marked covered and lacks %v: %w", missing, job.ErrCorrupt)
		}
		return ledger.Arrival{Cover: cover}, nil
	default:
		return ledger.Arrival{}, fmt.Errorf("the arrive script answered %.40q", reply[0])
	}
}

// Arrived intersects the nodes of the chunks that are not committed. It reads
// a chunk's partials before its log, so that a chunk committed in between
// counts as committed and not as empty. Chunks in the log are landed on the
// way: whoever appended them may have died before it could.
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
			done[i] = pipe.HExists(ctx, k.log(c), field(step))
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
	if err := l.landAgain(ctx, lay, step, logged); err != nil {
		return nil, fmt.Errorf("land step %d: %w", step, err)
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

// Partial reads chunks of a node's partial and holds them against the
// checksums they arrived with.
func (l *Ledger) Partial(ctx context.Context, lay ledger.Layout, step int64, node tree.Node, chunks []int, dst []float32) (ledger.Sums, error) {
	err := cmp.Or(lay.CheckStep(step), lay.CheckNode(node), lay.CheckChunks(chunks), lay.CheckVector("destination", dst))
	if err != nil {
		return ledger.Sums{}, err
	}
	k := keysOf(lay)
	per, bytes := batches(lay, 1)
	var sums agreedSums
	for part := range slices.Chunk(chunks, per) {
		pipe := l.pipeline(bytes * len(part))
		data, digests := make([]*goredis.StringCmd, len(part)), make([]*goredis.StringCmd, len(part))
		for i, c := range part {
			data[i] = pipe.HGet(ctx, k.partials(c, step), field(node))
			digests[i] = pipe.HGet(ctx, k.partials(c, step), digestPrefix+field(node))
		}
		if err := pipe.exec(ctx); err != nil {
			return ledger.Sums{}, fmt.Errorf("read partial %d of step %d: %w", node, step, err)
		}
		for i, c := range part {
			if err := sums.decode(lay, c, partialHeader(step, node, c, ledger.Sums{}), data[i], digests[i], dst); err != nil {
				return ledger.Sums{}, fmt.Errorf("read partial %d of step %d: chunk %d: %w", node, step, c, err)
			}
		}
	}
	return sums.Sums, nil
}
