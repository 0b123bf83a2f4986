package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"

	goredis "github.com/redis/go-redis/v9"

	"tributary/shared/job"
	"tributary/shared/ledger"
)

// errLost is a chunk that must be stored, by what is stored beside it, and is not.
var errLost = fmt.Errorf("lost from the store: %w", job.ErrCorrupt)

// logged is a chunk of a root on its way out of the log; meta is its seal and
// the log's floor.
type logged struct {
	floats *vector
	meta   *goredis.SliceCmd
}

// Root reads chunks of a committed step's root.
func (l *Ledger) Root(ctx context.Context, lay ledger.Layout, r ledger.LogRead) (ledger.Sums, ledger.Chain, error) {
	if err := lay.CheckLogRead(r); err != nil {
		return ledger.Sums{}, nil, err
	}
	per, _ := rootBatches(lay)
	var sums agreedSums
	after := slices.Clone(r.Before)
	for part := range slices.Chunk(r.Chunks, per) {
		some := r
		some.Chunks = part
		err := l.rootChunks(ctx, lay, some, after, &sums)
		if errors.Is(err, errLost) { // a cluster's nodes answer in any order: the step may just have been committed
			err = l.rootChunks(ctx, lay, some, after, &sums)
		}
		if err != nil {
			return ledger.Sums{}, nil, fmt.Errorf("read root of step %d: %w", r.Step, err)
		}
	}
	return sums.Sums, after, nil
}

// rootChunks reads the count of committed steps before the log and the floor
// after it, so that a missing chunk is told apart as not yet there, trimmed,
// or lost. It sets the chunks' links of after.
func (l *Ledger) rootChunks(ctx context.Context, lay ledger.Layout, r ledger.LogRead, after ledger.Chain, sums *agreedSums) error {
	k := keysOf(lay)
	_, size := rootBatches(lay)
	var control *goredis.StringCmd
	found := make([]logged, len(r.Chunks))
	err := l.read(ctx, size*len(r.Chunks), func(pipe *pipeline) {
		control = pipe.HGet(ctx, k.control(), fieldCommitted)
		for i, c := range r.Chunks {
			lo, hi := lay.Chunk(c)
			key, name := k.log(c), field(r.Step)
			found[i] = logged{pipe.vector(ctx, key, name, r.Dst[lo:hi], lay.Wire), pipe.HMGet(ctx, key, sealPrefix+name, fieldFloor)}
		}
	})
	if err != nil {
		return err
	}
	if committed, _ := number(control.Val()); r.Step >= committed {
		return fmt.Errorf("%d steps are committed: %w", committed, job.ErrNotFound)
	}
	for i, c := range r.Chunks {
		meta := found[i].meta.Val()
		if len(meta) != 2 {
			return fmt.Errorf("chunk %d: %d values instead of 2", c, len(meta))
		}
		text, _ := meta[1].(string)
		if floor, _ := number(text); floor > r.Step {
			return fmt.Errorf("the log begins with step %d: %w", floor, job.ErrStale)
		}
		sum, err := sums.decodeRoot(r.Step, c, found[i].floats, meta[0], r.Before[c])
		switch {
		case err == nil:
			after[c] = r.Before[c].Next(sum)
		case errors.Is(err, job.ErrNotFound):
			return fmt.Errorf("chunk %d: %w", c, errLost)
		default:
			return fmt.Errorf("chunk %d: %w", c, err)
		}
	}
	return nil
}
