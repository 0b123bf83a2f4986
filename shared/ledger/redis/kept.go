package redis

import (
	"bytes"
	"context"
	"errors"

	goredis "github.com/redis/go-redis/v9"
)

// kept is the write of a chunk of a snapshot or a residual. One field holds its floats and
// seal together. The field is written once.
type kept struct {
	chunk     int
	key, name string
	value     []byte
	stored    *goredis.BoolCmd
}

// keep adds the write of the chunk to a pipeline.
func (p *pipeline) keep(ctx context.Context, chunk int, key, name string, value []byte) *kept {
	return &kept{chunk, key, name, value, p.HSetNX(ctx, key, name, value)}
}

// differing returns the first chunk whose field held other bytes before, or nil when there
// is none. It ignores a field that does not exist any more: it was trimmed or replaced.
func (l *Ledger) differing(ctx context.Context, all []*kept) (*kept, error) {
	var before []*kept
	size := 0
	for _, k := range all {
		if !k.stored.Val() {
			before = append(before, k)
			size += len(k.value)
		}
	}
	if len(before) == 0 {
		return nil, nil
	}
	pipe := l.pipeline(size)
	there := make([]*goredis.StringCmd, len(before))
	for i, k := range before {
		there[i] = pipe.HGet(ctx, k.key, k.name)
	}
	if err := pipe.exec(ctx); err != nil {
		return nil, err
	}
	for i, k := range before {
		if was, err := there[i].Result(); !errors.Is(err, goredis.Nil) && !bytes.Equal(bytesOf(was), k.value) {
			return k, nil
		}
	}
	return nil, nil
}
