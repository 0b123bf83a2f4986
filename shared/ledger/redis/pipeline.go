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

// Bounds of a pipeline. More work is sent as several pipelines, one after the other.
const (
	pipelineBytes  = 1 << 20 // bytes of vectors in flight: they fit in caches between the checksum, the sockets and the server
	pipelineChunks = 1024    // chunks; it bounds the replies when chunks are tiny
	smallBytes     = 64 << 10
)

// pipeline collects commands and scripts that are sent together. The server executes
// commands on keys of one slot in order.
type pipeline struct {
	goredis.Pipeliner
	calls []*call
	plain bool // vectors are read as strings, not directly into their memory
}

// call is a script in a pipeline. Its result is available after exec.
type call struct {
	*goredis.Cmd
	script *script
	keys   []string
	args   []any
}

// pipeline returns an empty pipeline for about so many bytes of vectors. Large pipelines
// use connections of their own, so small commands never wait behind them.
func (l *Ledger) pipeline(bytes int) *pipeline {
	client := l.control
	if bytes > smallBytes {
		client = l.vectors
	}
	return &pipeline{Pipeliner: client.Pipeline()}
}

// run adds a script, by its digest.
func (p *pipeline) run(ctx context.Context, s *script, keys []string, args ...any) *call {
	c := &call{p.EvalSha(ctx, s.digest, keys, args...), s, keys, args}
	p.calls = append(p.calls, c)
	return c
}

// exec sends the pipeline and returns the error of the first command that failed. A missing
// value (goredis.Nil) is no error. If the server does not know a script yet, exec sends it
// again by its source, after all other commands and in order. Afterwards the pipeline is
// empty and may be used again.
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

// exchange sends the commands and waits for the replies. Each command holds its own error.
// If the server refuses a new connection, for example because the password has changed, no
// command has an error and none was executed. Then exchange returns that error.
func (p *pipeline) exchange(ctx context.Context) ([]goredis.Cmder, error) {
	cmds, err := p.Exec(ctx)
	if err != nil && !slices.ContainsFunc(cmds, func(cmd goredis.Cmder) bool { return cmd.Err() != nil }) {
		p.calls = nil
		return nil, classify(ctx, err)
	}
	return cmds, nil
}

// batches computes how many chunks, each of the given number of vectors, fit in one
// pipeline. It returns that number and the bytes of one chunk. A chunk that exceeds the
// bounds goes alone.
func batches(l ledger.Layout, vectors int) (chunks, bytes int) {
	return batchesOf(4 * min(l.ChunkLen, l.Params) * vectors)
}

// partialBatches and rootBatches do the same as batches, for one vector in its stored form.
func partialBatches(l ledger.Layout) (chunks, bytes int) { return batchesOf(chunkBytes(l)) }

func rootBatches(l ledger.Layout) (chunks, bytes int) {
	return batchesOf(l.Wire.Size(min(l.ChunkLen, l.Params)))
}

func batchesOf(payload int) (chunks, bytes int) {
	bytes = payload + wire.Overhead
	return min(pipelineChunks, max(1, pipelineBytes/bytes)), bytes
}

// arena is memory into which a pipeline's vectors are encoded.
type arena struct{ bytes []byte }

var arenas = sync.Pool{New: func() any { return new(arena) }}

// newArena returns an arena with room for so many bytes. Encoded bytes that fit in the room
// do not move until the arena is freed.
func newArena(room int) *arena {
	a, _ := arenas.Get().(*arena)
	a.bytes = slices.Grow(a.bytes[:0], room)
	return a
}

func (a *arena) free() { arenas.Put(a) }

// encode appends an encoded vector to the arena. It returns the vector's bytes and
// checksum.
func (a *arena) encode(h wire.Header, v []float32) ([]byte, uint64) {
	start := len(a.bytes)
	var sum uint64
	a.bytes, sum = wire.Append(a.bytes, h, v)
	return a.bytes[start:len(a.bytes):len(a.bytes)], sum
}
