package redis

import (
	"cmp"
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

// Root reads a committed step's root.
func (l *Ledger) Root(ctx context.Context, lay ledger.Layout, step int64, dst []float32, before ledger.Chain) (ledger.Sums, ledger.Chain, error) {
	if err := lay.Validate(); err != nil {
		return ledger.Sums{}, nil, err
	}
	return l.RootChunks(ctx, lay, step, lay.AllChunks(), dst, before)
}

// RootChunks reads chunks of a committed step's root.
func (l *Ledger) RootChunks(ctx context.Context, lay ledger.Layout, step int64, chunks []int, dst []float32, before ledger.Chain) (ledger.Sums, ledger.Chain, error) {
	err := cmp.Or(lay.CheckStep(step), lay.CheckChunks(chunks), lay.CheckVector("destination", dst), lay.CheckChain(before))
	if err != nil {
		return ledger.Sums{}, nil, err
	}
	per, _ := rootBatches(lay)
	var sums agreedSums
	after := slices.Clone(before)
	for part := range slices.Chunk(chunks, per) {
		err := l.rootChunks(ctx, lay, step, part, dst, before, after, &sums)
		if errors.Is(err, errLost) { // a cluster's nodes answer in any order: the step may just have been committed
			err = l.rootChunks(ctx, lay, step, part, dst, before, after, &sums)
		}
		if err != nil {
			return ledger.Sums{}, nil, fmt.Errorf("read root of step %d: %w", step, err)
		}
	}
	return sums.Sums, after, nil
}

// rootChunks reads the count of committed steps before the log and the floor
// after it, so that a missing chunk is told apart as not yet there, trimmed,
// or lost. It sets the chunks' links of after.
func (l *Ledger) rootChunks(ctx context.Context, lay ledger.Layout, step int64, chunks []int, dst []float32, before, after ledger.Chain, sums *agreedSums) error {
	k := keysOf(lay)
	_, size := rootBatches(lay)
	var control *goredis.StringCmd
	found := make([]logged, len(chunks))
	err := l.read(ctx, size*len(chunks), func(pipe *pipeline) {
		control = pipe.HGet(ctx, k.control(), fieldCommitted)
		for i, c := range chunks {
			lo, hi := lay.Chunk(c)
			key, name := k.log(c), field(step)
			found[i] = logged{pipe.vector(ctx, key, name, dst[lo:hi], lay.Wire), pipe.HMGet(ctx, key, sealPrefix+name, fieldFloor)}
		}
	})
	if err != nil {
		return err
	}
	if committed, _ := number(control.Val()); step >= committed {
		return fmt.Errorf("%d steps are committed: %w", committed, job.ErrNotFound)
	}
	for i, c := range chunks {
		meta := found[i].meta.Val()
		if len(meta) != 2 {
			return fmt.Errorf("chunk %d: %d values instead of 2", c, len(meta))
		}
		text, _ := meta[1].(string)
		if floor, _ := number(text); floor > step {
			return fmt.Errorf("the log begins with step %d: %w", floor, job.ErrStale)
		}
		sum, err := sums.decodeRoot(step, c, found[i].floats, meta[0], before[c])
		switch {
		case err == nil:
			after[c] = before[c].Next(sum)
		case errors.Is(err, job.ErrNotFound):
			return fmt.Errorf("chunk %d: %w", c, errLost)
		default:
			return fmt.Errorf("chunk %d: %w", c, err)
		}
	}
	return nil
}
