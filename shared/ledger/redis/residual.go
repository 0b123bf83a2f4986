package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"

	goredis "github.com/redis/go-redis/v9"

	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/wire"
)

// Residual reads what the log has beside its last entry before the step and, of
// chunks of which that is trimmed, what the snapshot there has.
func (l *Ledger) Residual(ctx context.Context, lay ledger.Layout, r ledger.LogRead) error {
	if err := lay.CheckResidualRead(r); err != nil {
		return err
	}
	if r.Step == 0 {
		for _, c := range r.Chunks {
			lo, hi := lay.Chunk(c)
			clear(r.Dst[lo:hi])
		}
		return ctx.Err()
	}
	per, _ := partialBatches(lay)
	for part := range slices.Chunk(r.Chunks, per) {
		some := r
		some.Chunks = part
		trimmed, err := l.logged(ctx, lay, some)
		if errors.Is(err, errLost) { // as with roots
			trimmed, err = l.logged(ctx, lay, some)
		}
		if err == nil && len(trimmed) > 0 {
			some.Chunks = trimmed
			err = l.folded(ctx, lay, some)
		}
		if err != nil {
			return fmt.Errorf("read residual before step %d: %w", r.Step, err)
		}
	}
	return nil
}

// logged reads the residuals beside the log's entries of step-1 and returns the chunks
// of which they are trimmed. The order of reading is that of rootChunks.
func (l *Ledger) logged(ctx context.Context, lay ledger.Layout, r ledger.LogRead) (trimmed []int, err error) {
	k := keysOf(lay)
	_, size := partialBatches(lay)
	pipe := l.pipeline(size * len(r.Chunks))
	control := pipe.HGet(ctx, k.control(), fieldCommitted)
	found := make([]*goredis.SliceCmd, len(r.Chunks))
	for i, c := range r.Chunks {
		found[i] = pipe.HMGet(ctx, k.log(c), residualPrefix+field(r.Step-1), fieldFloor)
	}
	if err := pipe.exec(ctx); err != nil {
		return nil, err
	}
	if committed, _ := number(control.Val()); r.Step > committed {
		return nil, fmt.Errorf("%d steps are committed: %w", committed, job.ErrNotFound)
	}
	for i, c := range r.Chunks {
		values := found[i].Val()
		if len(values) != 2 {
			return nil, fmt.Errorf("chunk %d: %d values instead of 2", c, len(values))
		}
		text, _ := values[1].(string)
		floor, _ := number(text)
		kept, ok := values[0].(string)
		switch {
		case floor >= r.Step:
			trimmed = append(trimmed, c)
			continue
		case !ok:
			err = errLost
		default:
			err = lay.DecodeResidual(r.Dst, r.Step-1, c, bytesOf(kept), r.Before[c])
		}
		if err != nil {
			return nil, fmt.Errorf("chunk %d: %w", c, err)
		}
	}
	return trimmed, nil
}

// folded reads the last vector of the snapshot after so many steps, if it is the
// newest.
func (l *Ledger) folded(ctx context.Context, lay ledger.Layout, r ledger.LogRead) error {
	const least = 2 // vectors that such a snapshot has
	err := l.snapshotChunks(ctx, lay, r.Step, r.Chunks, least, func(c int, stored []byte) error {
		return decodeFolded(lay, r.Step, c, stored, r.Dst, r.Before[c])
	})
	if err != nil && !errors.Is(err, errLost) {
		return fmt.Errorf("snapshot %d: %w", r.Step, err)
	}
	newest, _, nerr := l.newest(ctx, lay)
	switch {
	case nerr != nil:
		return nerr
	case newest != r.Step:
		return fmt.Errorf("the log is trimmed, and the newest snapshot is of step %d: %w", newest, job.ErrStale)
	default:
		return err
	}
}

// decodeFolded reads the last vector of a chunk of a snapshot into its place.
func decodeFolded(lay ledger.Layout, step int64, chunk int, data []byte, dst []float32, before ledger.Link) error {
	h, floats, _, err := wire.Decode(data)
	if err == nil {
		err = same(h, snapshotHeader(step, int(h.B), chunk, h.Chain))
	}
	if err != nil {
		return err
	}
	if h.Chain != before {
		return ledger.Forked(h.Chain, before)
	}
	lo, hi := lay.Chunk(chunk)
	size := uint64(4 * (hi - lo))
	if h.B < 2 || h.B > 1<<16 || uint64(len(floats)) != size*h.B {
		return fmt.Errorf("%d bytes of floats of %d vectors, %d of each of 2 or more expected: %w", len(floats), h.B, size, job.ErrCorrupt)
	}
	wire.Floats(dst[lo:hi], floats[size*(h.B-1):])
	return nil
}
