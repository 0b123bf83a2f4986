package redis

import (
	"context"
	"fmt"

	goredis "github.com/redis/go-redis/v9"

	"tributary/shared/job"
	"tributary/shared/wire"
)

// vector is the read of a chunk's floats from a hash. The floats go from the connection
// directly into dst. If that fails, or the format is lossy, they are read as a string,
// which the client library can retry.
type vector struct {
	dst    []float32
	format wire.Format
	direct *goredis.ZeroCopyStringCmd
	plain  *goredis.StringCmd
}

// vector adds a read of a field's floats into dst.
func (p *pipeline) vector(ctx context.Context, key, name string, dst []float32, f wire.Format) *vector {
	if p.plain || f.Lossy() {
		return &vector{dst: dst, format: f, plain: p.HGet(ctx, key, name)}
	}
	v := &vector{dst: dst, direct: goredis.NewZeroCopyStringCmd(ctx, wire.Memory(dst), "hget", key, name)}
	_ = p.Process(ctx, v.direct) // a pipeline only collects it
	return v
}

// bytes returns the floats in their stored form. Its error is goredis.Nil when there are
// none.
func (v *vector) bytes() (payload []byte, err error) {
	if v.plain != nil {
		return bytesOf(v.plain.Val()), v.plain.Err()
	}
	return wire.Memory(v.dst)[:v.direct.Val()], v.direct.Err()
}

// open checks payload, the stored floats, against their seal, which must have the given
// kind. Afterwards dst has the floats.
func (v *vector) open(seal []byte, kind wire.Kind, payload []byte) (wire.Header, uint64, error) {
	if v.format.Lossy() {
		return v.format.OpenSeal(v.dst, seal, kind, payload)
	}
	if len(payload) != 4*len(v.dst) {
		return wire.Header{}, 0, fmt.Errorf("%d bytes of floats, %d expected: %w", len(payload), 4*len(v.dst), job.ErrCorrupt)
	}
	h, sum, err := wire.OpenSeal(seal, kind, payload)
	if err == nil && v.plain != nil {
		wire.Floats(v.dst, payload)
	} else if err == nil {
		wire.FromLittle(v.dst)
	}
	return h, sum, err
}

// read fills a pipeline with reads, by add, and sends it. The client library does not retry
// a pipeline that reads directly into vectors, because it cannot know what they hold after
// a failure. So after any failure, read fills the pipeline once more and sends it again,
// with reads as strings.
func (l *Ledger) read(ctx context.Context, bytes int, add func(*pipeline)) error {
	pipe := l.pipeline(bytes)
	add(pipe)
	if err := pipe.exec(ctx); err == nil || ctx.Err() != nil {
		return err
	}
	pipe = l.pipeline(bytes)
	pipe.plain = true
	add(pipe)
	return pipe.exec(ctx)
}
