package redis

import (
	"context"
	"errors"
	"slices"
	"sync"

	goredis "github.com/redis/go-redis/v9"

	"tributary/shared/ledger"
	"tributary/shared/wire"
)

// Bounds of a pipeline; longer work goes as several, one after the other.
const (
	pipelineBytes  = 1 << 20 // of vectors in flight: what caches hold between the checksum, the sockets and the server
	pipelineChunks = 1024    // chunks, so that replies are bounded when chunks are tiny
	smallBytes     = 64 << 10
)

// pipeline gathers commands and scripts that are sent in one go. Commands on
// keys of one slot are executed in order.
type pipeline struct {
	goredis.Pipeliner
	calls []*call
	plain bool // vectors are read by way of strings
}

// call is a script in a pipeline. Its result is there after exec.
type call struct {
	*goredis.Cmd
	script *script
	keys   []string
	args   []any
}

// pipeline begins a pipeline that moves about that many bytes of vectors. Big
// ones have connections of their own, so that small commands never wait
// behind them.
func (l *Ledger) pipeline(bytes int) *pipeline {
	client := l.control
	if bytes > smallBytes {
		client = l.vectors
	}
	return &pipeline{Pipeliner: client.Pipeline()}
}

// run adds a script by its digest.
func (p *pipeline) run(ctx context.Context, s *script, keys []string, args ...any) *call {
	c := &call{p.EvalSha(ctx, s.digest, keys, args...), s, keys, args}
	p.calls = append(p.calls, c)
	return c
}

// exec sends the pipeline and returns the first command's error, other than
// that there is no such value. Scripts a server has not seen yet are sent
// again by their source, in order, after everything else. The pipeline is
// empty afterwards and may be filled again.
func (p *pipeline) exec(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	cmds, err := p.exchange(ctx)
	if err != nil {
		return err
	}
	for _, c := range p.calls {
		if goredis.HasErrorPrefix(c.Err(), "NOSCRIPT") {
			cmds = slices.DeleteFunc(cmds, func(cmd goredis.Cmder) bool { return cmd == goredis.Cmder(c.Cmd) })
			c.Cmd = p.Eval(ctx, c.script.source, c.keys, c.args...)
		}
	}
	if p.Len() > 0 {
		again, err := p.exchange(ctx)
		if err != nil {
			return err
		}
		cmds = append(cmds, again...)
	}
	p.calls = nil
	for _, cmd := range cmds {
		if err := cmd.Err(); err != nil && !errors.Is(err, goredis.Nil) {
			return classify(ctx, err)
		}
	}
	return nil
}

// exchange sends the commands and waits for the replies. Each command has its own error. When the server
// refuses a new connection, as it does when the password has changed, no command
// has one, and none was executed: exchange returns that error.
func (p *pipeline) exchange(ctx context.Context) ([]goredis.Cmder, error) {
	cmds, err := p.Exec(ctx)
	if err != nil && !slices.ContainsFunc(cmds, func(cmd goredis.Cmder) bool { return cmd.Err() != nil }) {
		p.calls = nil
		return nil, classify(ctx, err)
	}
	return cmds, nil
}

// batches parts chunks, each of the given number of vectors, so that each part
// keeps the bounds of a pipeline. A chunk that alone is over them goes alone.
// It returns the number of chunks in a part and the bytes of one chunk.
func batches(l ledger.Layout, vectors int) (chunks, bytes int) {
	return batchesOf(4 * min(l.ChunkLen, l.Params) * vectors)
}

// partialBatches and rootBatches are batches for one vector as it is stored.
func partialBatches(l ledger.Layout) (chunks, bytes int) { return batchesOf(chunkBytes(l)) }

func rootBatches(l ledger.Layout) (chunks, bytes int) {
	return batchesOf(l.Wire.Size(min(l.ChunkLen, l.Params)))
}

func batchesOf(payload int) (chunks, bytes int) {
	bytes = payload + wire.Overhead
	return min(pipelineChunks, max(1, pipelineBytes/bytes)), bytes
}

// arena is memory in which a pipeline's vectors are encoded.
type arena struct{ bytes []byte }

var arenas = sync.Pool{New: func() any { return new(arena) }}

// newArena takes an arena with room for that many bytes; what is encoded
// within the room stays in place until the arena is freed.
func newArena(room int) *arena {
	a, _ := arenas.Get().(*arena)
	a.bytes = slices.Grow(a.bytes[:0], room)
	return a
}

func (a *arena) free() { arenas.Put(a) }

// encode appends a vector and returns its bytes and its checksum.
func (a *arena) encode(h wire.Header, v []float32) ([]byte, uint64) {
	start := len(a.bytes)
	var sum uint64
	a.bytes, sum = wire.Append(a.bytes, h, v)
	return a.bytes[start:len(a.bytes):len(a.bytes)], sum
}
