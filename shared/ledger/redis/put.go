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

// How the arrive script is called.
const (
	howAsk    = "ask"    // asks whether the node would complete the chunk
	howStored = "stored" // the floats were stored just before, in the same pipeline
	howInline = "inline" // the floats are arguments of the call
)

// Bounds of a chunk's floats, in bytes. Tiny chunks are arguments of scripts: that costs
// the server several copies, but only one command. Small chunks are stored without asking
// first: that costs less than a second round trip.
const (
	tinyBytes  = 2 << 10
	smallChunk = 64 << 10
	// inlineReturn bounds the bytes of floats that a script returns.
	inlineReturn = 64 << 10
)

// putting is one call of Put.
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

// Put stores a partial in one of three ways, by the size of the chunks:
//   - tiny: the call of the arrive script carries the floats.
//   - small: Put stores the floats just before the script, and reads the partial of the
//     node's sibling, which may be there.
//   - large: Put asks the script first, and stores only the chunks that it would not
//     complete.
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

// limits are the largest tiny and the largest small chunk, in bytes of floats.
type limits struct{ tiny, small int }

// chunkBytes returns the bytes of floats that a partial has in the largest chunk of the
// layout.
func chunkBytes(lay ledger.Layout) int {
	return lay.Wire.Partials().Size(min(lay.ChunkLen, lay.Params))
}

// inlines reports whether the layout's chunks are tiny, so that scripts carry their floats.
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
			if _, err := p.readArrival(c, calls[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// direct stores small chunks without asking first. It also reads the sibling's partial:
// mostly two nodes cover a tree, and then the reduction needs exactly that.
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
			if _, err := p.readArrival(c, calls[i]); err != nil {
				return err
			}
			if err := p.sibling(c, siblings[i].Val()); err != nil {
				return fmt.Errorf("chunk %d: %w", c, err)
			}
		}
	}
	return nil
}

// sibling sets the values of a complete chunk from the sibling's stored floats and seal. It
// does so only if they exist and the cover needs nothing else.
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

// store adds commands to a pipeline that store a chunk and record its arrival.
func (p *putting) store(ctx context.Context, pipe *pipeline, chunk int) (*call, error) {
	payload, seal, err := p.encode(chunk)
	if err != nil {
		return nil, err
	}
	pipe.SAdd(ctx, p.keys.steps(chunk), p.step)
	pipe.HSetNX(ctx, p.keys.partials(chunk, p.step), field(p.node), payload)
	return p.arrive(ctx, pipe, chunk, howStored, seal), nil
}

// ask handles large chunks, in batches. It begins at the node's own place in the vector. So
// workers that finish together store different chunks, and each finds the others' chunks
// complete. One pipeline carries the questions for a batch and the storing of the batch
// before. When there is nothing to store, the next pipeline asks for up to pipelineChunks
// chunks. There are at least two batches, so that workers that finish together meet in the
// middle.
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

// order returns all chunks, starting with the chunk whose place in the vector corresponds
// to the node's place among the leaves.
func (p *putting) order() []int {
	first, _, _ := p.node.Leaves(p.lay.Microbatch)
	order := p.lay.AllChunks()
	at := first * len(order) / p.lay.Microbatch
	return append(order[at:len(order):len(order)], order[:at]...)
}

// send stores the chunks in store and asks about the chunks in ask. It returns the chunks
// that must be stored next.
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
		todo, err := p.readArrival(c, calls[i])
		if err != nil {
			return nil, err
		}
		if todo {
			open = append(open, c)
		}
	}
	return open, nil
}

// floats returns a chunk of the gradient.
func (p *putting) floats(chunk int) []float32 {
	lo, hi := p.lay.Chunk(chunk)
	return p.partial.Gradient[lo:hi]
}

// encode returns the stored form of a chunk and its seal. It appends the seal to p.seals,
// which must have room for it.
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

// readArrival reads the answer of the arrive script for a chunk; open reports whether the
// chunk must be stored.
func (p *putting) readArrival(chunk int, c *call) (open bool, err error) {
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

// cover returns the cover of the tree. The arrived nodes are every stride-th string of
// reply, and the node of the call itself.
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

// values decodes the partials of the cover except the caller's own. reply has a node, a
// seal and floats for each.
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
