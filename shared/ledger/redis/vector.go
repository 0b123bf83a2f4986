package redis

import (
	"context"
	"fmt"

	goredis "github.com/redis/go-redis/v9"

	"tributary/shared/job"
	"tributary/shared/wire"
)

// vector is the floats of a chunk on their way out of a hash: straight from the
// connection into dst or, when that failed, by way of a string, which the client
// library can read again.
type vector struct {
	dst    []float32
	direct *goredis.ZeroCopyStringCmd
	plain  *goredis.StringCmd
}

// vector adds the reading of a field's floats into dst.
func (p *pipeline) vector(ctx context.Context, key, name string, dst []float32) *vector {
	if p.plain {
		return &vector{dst: dst, plain: p.HGet(ctx, key, name)}
	}
	v := &vector{dst: dst, direct: goredis.NewZeroCopyStringCmd(ctx, wire.Memory(dst), "hget", key, name)}
	_ = p.Process(ctx, v.direct) // a pipeline only keeps it
	return v
}

// bytes returns the floats as they were stored, which must be as many as dst
// has room for. Its error is goredis.Nil when there are none.
func (v *vector) bytes() (floats []byte, err error) {
	if v.plain == nil {
		floats, err = wire.Memory(v.dst)[:v.direct.Val()], v.direct.Err()
	} else {
		floats, err = bytesOf(v.plain.Val()), v.plain.Err()
	}
	if err == nil && len(floats) != 4*len(v.dst) {
		err = fmt.Errorf("%d bytes of floats, %d expected: %w", len(floats), 4*len(v.dst), job.ErrCorrupt)
	}
	return floats, err
}

// settle makes floats in dst of bytes that were found right.
func (v *vector) settle() {
	if v.plain != nil {
		wire.Floats(v.dst, bytesOf(v.plain.Val()))
		return
	}
	wire.FromLittle(v.dst)
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
