package redis

import (
	"context"
	"fmt"

	goredis "github.com/redis/go-redis/v9"

	"tributary/shared/job"
	"tributary/shared/wire"
)

// vector is the floats of a chunk on their way out of a hash: straight from the
// connection into dst or, when that failed or they are of a lossy format, by way of a
// string, which the client library can read again.
type vector struct {
	dst    []float32
	format wire.Format
	direct *goredis.ZeroCopyStringCmd
	plain  *goredis.StringCmd
}

// vector adds the reading of a field's floats into dst.
func (p *pipeline) vector(ctx context.Context, key, name string, dst []float32, f wire.Format) *vector {
	if p.plain || f.Lossy() {
		return &vector{dst: dst, format: f, plain: p.HGet(ctx, key, name)}
	}
	v := &vector{dst: dst, direct: goredis.NewZeroCopyStringCmd(ctx, wire.Memory(dst), "hget", key, name)}
	_ = p.Process(ctx, v.direct) // a pipeline only keeps it
	return v
}

// bytes returns the floats as they were stored. Its error is goredis.Nil when there
// are none.
func (v *vector) bytes() (payload []byte, err error) {
	if v.plain != nil {
		return bytesOf(v.plain.Val()), v.plain.Err()
	}
	return wire.Memory(v.dst)[:v.direct.Val()], v.direct.Err()
}

// open holds the floats, as they were stored, against their seal of the kind and has
// them in dst.
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

// read sends a pipeline of reads that add fills. One that reads into vectors
// directly is not sent again by the client library, which could not know what
// is in them: whatever went wrong, it is filled and sent once more to read by
// way of strings.
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
