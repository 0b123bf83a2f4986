package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"

	goredis "github.com/redis/go-redis/v9"

	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/tree"
	"tributary/shared/wire"
)

// Ways in which the arrive script is called.
const (
	howAsk    = "ask"    // would the node complete the chunk?
	howStored = "stored" // the floats were stored just before
	howInline = "inline" // the floats are in the call
)

// Bounds of a chunk's floats, in bytes: tiny ones go through scripts, which cost
// the server several copies but only one command; small ones are stored without
// asking, which costs less than a second round trip.
const (
	tinyBytes  = 2 << 10
	smallChunk = 64 << 10
	// A script returns at most so many bytes of floats.
	inlineReturn = 64 << 10
)

// putting is a partial on its way into the ledger.
type putting struct {
	*Ledger
	lay      ledger.Layout
	keys     keys
	step     int64
	node     tree.Node
	partial  ledger.Partial
	seals    []byte
	arrivals []ledger.Arrival
}

// Put sends tiny chunks in the call of the arrive script, and stores small ones
// just before it, reading what the node's sibling may have stored. Of larger
// ones it asks first, and stores only those that it would not complete.
func (l *Ledger) Put(ctx context.Context, lay ledger.Layout, step int64, node tree.Node, p ledger.Partial) ([]ledger.Arrival, error) {
	if err := lay.CheckPut(step, node, p); err != nil {
		return nil, err
	}
	put := &putting{
		Ledger: l, lay: lay, keys: keysOf(lay), step: step, node: node, partial: p,
		arrivals: make([]ledger.Arrival, lay.Chunks()),
	}
	do := put.ask
	switch size := chunkBytes(lay); {
	case l.inlines(lay):
		do = put.inline
	case size <= l.limits.small:
		do = put.direct
	}
	if err := do(ctx); err != nil {
		return nil, fmt.Errorf("put partial %d of step %d: %w", node, step, err)
	}
	return put.arrivals, nil
}

// limits are the bounds of chunks that are put in one way or another, in bytes
// of floats.
type limits struct{ tiny, small int }

// chunkBytes is the most bytes of a partial's floats in the layout's largest chunk.
func chunkBytes(lay ledger.Layout) int {
	return lay.Wire.Partials().Size(min(lay.ChunkLen, lay.Params))
}

// inlines reports that the layout's chunks go through scripts.
func (l *Ledger) inlines(lay ledger.Layout) bool {
	size := chunkBytes(lay)
	return size > 0 && size <= l.limits.tiny
}

func (p *putting) inline(ctx context.Context) error {
	per, size := partialBatches(p.lay)
	for chunks := range slices.Chunk(p.lay.AllChunks(), per) {
		pipe := p.pipeline(size * len(chunks))
		p.seals = slices.Grow(p.seals[:0], wire.SealSize*len(chunks))
		calls := make([]*call, len(chunks))
		for i, c := range chunks {
			payload, seal, err := p.encode(c)
			if err != nil {
				return err
			}
			calls[i] = p.arrive(ctx, pipe, c, howInline, seal, payload, inlineReturn)
		}
		if err := pipe.exec(ctx); err != nil {
			return err
		}
		for i, c := range chunks {
			if _, err := p.settle(c, calls[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// direct stores the chunks unasked. Two nodes mostly cover a tree, so that the
// sibling's partial, where it is there, is what the reduction needs.
func (p *putting) direct(ctx context.Context) error {
	per, size := partialBatches(p.lay)
	for chunks := range slices.Chunk(p.lay.AllChunks(), per) {
		pipe := p.pipeline(size * len(chunks))
		p.seals = slices.Grow(p.seals[:0], wire.SealSize*len(chunks))
		calls, siblings := make([]*call, len(chunks)), make([]*goredis.SliceCmd, len(chunks))
		for i, c := range chunks {
			key, sibling := p.keys.partials(c, p.step), field(p.node.Sibling())
			siblings[i] = pipe.HMGet(ctx, key, sibling, digestPrefix+sibling)
			var err error
			if calls[i], err = p.store(ctx, pipe, c); err != nil {
				return err
			}
		}
		if err := pipe.exec(ctx); err != nil {
			return err
		}
		for i, c := range chunks {
			if _, err := p.settle(c, calls[i]); err != nil {
				return err
			}
			if err := p.sibling(c, siblings[i].Val()); err != nil {
				return fmt.Errorf("chunk %d: %w", c, err)
			}
		}
	}
	return nil
}

// sibling makes the values of a complete chunk of the sibling's partial, floats
// and seal, if it is there and all that the cover needs.
func (p *putting) sibling(chunk int, stored []any) error {
	a := &p.arrivals[chunk]
	if len(stored) != 2 || len(a.Cover) == 0 {
		return nil
	}
	floats, ok := stored[0].(string)
	seal, sealed := stored[1].(string)
	sibling := p.node.Sibling()
	if !ok || !sealed || slices.ContainsFunc(a.Cover, func(n tree.Node) bool { return n != p.node && n != sibling }) {
		return nil
	}
	values, err := p.values(chunk, a.Cover, []string{field(sibling), seal, floats})
	a.Values = values
	return err
}

// store adds the storing of a chunk and its arrival to a pipeline.
func (p *putting) store(ctx context.Context, pipe *pipeline, chunk int) (*call, error) {
	payload, seal, err := p.encode(chunk)
	if err != nil {
		return nil, err
	}
	pipe.SAdd(ctx, p.keys.steps(chunk), p.step)
	pipe.HSetNX(ctx, p.keys.partials(chunk, p.step), field(p.node), payload)
	return p.arrive(ctx, pipe, chunk, howStored, seal), nil
}

// ask goes through the chunks in batches, from the node's own place on, so that
// workers that finish together store different chunks and each finds complete
// what the others have stored. A batch's questions go with the storing of the
// batch before; when there is nothing to store they go for all that is left. There
// are two batches at least, for workers that finish together to meet in the middle.
func (p *putting) ask(ctx context.Context) error {
	per, size := partialBatches(p.lay)
	per = min(per, (p.lay.Chunks()+1)/2)
	rest := p.order()
	var store []int
	for n := per; len(rest) > 0 || len(store) > 0; {
		asked := rest[:min(n, len(rest))]
		rest = rest[len(asked):]
		open, err := p.send(ctx, size, store, asked)
		if err != nil {
			return err
		}
		store, n = open, per
		if len(store) == 0 {
			n = pipelineChunks
		}
	}
	return nil
}

// order is all chunks, from the one on that stands in the vector where the node
// stands among the leaves.
func (p *putting) order() []int {
	first, _, _ := p.node.Leaves(p.lay.Microbatch)
	order := p.lay.AllChunks()
	at := first * len(order) / p.lay.Microbatch
	return append(order[at:len(order):len(order)], order[:at]...)
}

// send stores chunks and asks for others, and returns those of the latter that
// are to be stored.
func (p *putting) send(ctx context.Context, size int, store, ask []int) (open []int, err error) {
	pipe := p.pipeline(size * len(store))
	p.seals = slices.Grow(p.seals[:0], wire.SealSize*len(store))
	calls := make([]*call, 0, len(store)+len(ask))
	for _, c := range store {
		call, err := p.store(ctx, pipe, c)
		if err != nil {
			return nil, err
		}
		calls = append(calls, call)
	}
	for _, c := range ask {
		calls = append(calls, p.arrive(ctx, pipe, c, howAsk, nil))
	}
	if err := pipe.exec(ctx); err != nil {
		return nil, err
	}
	for i, c := range slices.Concat(store, ask) {
		todo, err := p.settle(c, calls[i])
		if err != nil {
			return nil, err
		}
		if todo {
			open = append(open, c)
		}
	}
	return open, nil
}

// floats is a chunk of the gradient.
func (p *putting) floats(chunk int) []float32 {
	lo, hi := p.lay.Chunk(chunk)
	return p.partial.Gradient[lo:hi]
}

// encode returns a chunk as it is stored, and its seal, in the room that p.seals has.
func (p *putting) encode(chunk int) (payload, seal []byte, err error) {
	format, v := p.lay.Wire.Partials(), p.floats(chunk)
	if payload, err = format.Payload(v); err != nil {
		return nil, nil, fmt.Errorf("chunk %d: %w", chunk, err)
	}
	start := len(p.seals)
	p.seals, _ = format.AppendSeal(p.seals, partialHeader(p.step, p.node, chunk, p.partial.Sums), len(v), payload)
	return payload, p.seals[start:len(p.seals):len(p.seals)], nil
}

func (p *putting) arrive(ctx context.Context, pipe *pipeline, chunk int, how string, seal []byte, more ...any) *call {
	k := p.keys
	args := append([]any{p.step, field(p.node), how, seal, partialsLife.Milliseconds(), jobLife.Milliseconds()}, more...)
	return pipe.run(ctx, arriveScript, []string{k.partials(chunk, p.step), k.log(chunk), k.steps(chunk)}, args...)
}

// settle reads what the arrive script says of a chunk; open tells that the chunk
// is to be stored.
func (p *putting) settle(chunk int, c *call) (open bool, err error) {
	reply, err := c.StringSlice()
	if err == nil && len(reply) > 0 && (reply[0] == "open" || reply[0] == "again") {
		return true, nil
	}
	if err == nil {
		p.arrivals[chunk], err = p.arrival(chunk, reply)
	}
	if err != nil {
		return false, fmt.Errorf("chunk %d: %w", chunk, err)
	}
	return false, nil
}

func (p *putting) arrival(chunk int, reply []string) (ledger.Arrival, error) {
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
		cover, err := p.cover(reply[1:], 1)
		return ledger.Arrival{Cover: cover}, err
	case "values":
		cover, err := p.cover(reply[1:], 3)
		if err != nil {
			return ledger.Arrival{}, err
		}
		values, err := p.values(chunk, cover, reply[1:])
		return ledger.Arrival{Cover: cover, Values: values}, err
	default:
		return ledger.Arrival{}, fmt.Errorf("the arrive script answered %.40q", reply[0])
	}
}

// cover resolves the nodes that stand at every stride-th place, and the putting's own.
func (p *putting) cover(reply []string, stride int) ([]tree.Node, error) {
	arrived := func(n tree.Node) bool {
		if n == p.node {
			return true
		}
		name := field(n)
		for i := 0; i < len(reply); i += stride {
			if reply[i] == name {
				return true
			}
		}
		return false
	}
	cover, missing := tree.Resolve(p.lay.Microbatch, arrived)
	if len(missing) > 0 {
		return nil, fmt.Errorf("the tree is marked covered and lacks %v: %w", missing, job.ErrCorrupt)
	}
	return cover, nil
}

// values decodes node, seal and floats of each partial that the cover has beside
// the putting's own.
func (p *putting) values(chunk int, cover []tree.Node, reply []string) ([]ledger.Partial, error) {
	size := len(p.floats(chunk))
	room := make([]float32, size*len(cover))
	values := make([]ledger.Partial, len(cover))
	for i := 0; i+2 < len(reply); i += 3 {
		n, _ := number(reply[i])
		at := slices.Index(cover, tree.Node(n))
		if at < 0 || tree.Node(n) == p.node {
			continue
		}
		v := room[at*size : (at+1)*size : (at+1)*size]
		h, _, err := p.lay.Wire.Partials().OpenSeal(v, bytesOf(reply[i+1]), wire.Partial, bytesOf(reply[i+2]))
		if err == nil {
			err = same(h, partialHeader(p.step, tree.Node(n), chunk, ledger.Sums{}))
		}
		if err != nil {
			return nil, fmt.Errorf("partial of node %d: %w", n, err)
		}
		values[at] = ledger.Partial{Gradient: v, Sums: ledger.Sums{Examples: h.Examples, Loss: h.Loss}}
	}
	return values, nil
}
