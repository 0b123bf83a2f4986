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

// errLost is the error for a chunk that is not stored, although other stored data says that
// it must be.
var errLost = fmt.Errorf("lost from the store: %w", job.ErrCorrupt)

// Root reads chunks of the root of a committed step.
func (l *Ledger) Root(ctx context.Context, lay ledger.Layout, r ledger.LogRead) (ledger.Sums, ledger.Chain, error) {
	if err := lay.CheckLogRead(r); err != nil {
		return ledger.Sums{}, nil, err
	}
	k, name := keysOf(lay), field(r.Step)
	floats, after := make([]*vector, lay.Chunks()), slices.Clone(r.Before)
	var sums agreedSums
	err := l.readLog(ctx, lay, r.Step, r.Chunks, logField{
		prefix:  sealPrefix,
		batches: rootBatches,
		add: func(pipe *pipeline, c int) {
			lo, hi := lay.Chunk(c)
			floats[c] = pipe.vector(ctx, k.log(c), name, r.Dst[lo:hi], lay.Wire)
		},
		decode: func(c int, seal any) error {
			sum, err := sums.decode(floats[c], seal, wire.Root, func(h wire.Header) error {
				return ledger.CheckRoot(h, r.Step, c, r.Before[c])
			})
			if err == nil {
				after[c] = r.Before[c].Next(sum)
			}
			return err
		},
	})
	if err != nil {
		return ledger.Sums{}, nil, fmt.Errorf("read root of step %d: %w", r.Step, err)
	}
	return sums.Sums, after, nil
}

// Residual reads the residuals beside the log's last entry before the step. If one chunk of
// them is trimmed, Residual reads all chunks from the newest snapshot: a trim always
// follows a snapshot, which has every chunk.
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
	err := l.readLog(ctx, lay, r.Step-1, r.Chunks, logField{
		prefix:  residualPrefix,
		batches: partialBatches,
		add:     func(*pipeline, int) {}, // the residual is in the field itself
		decode: func(c int, kept any) error {
			text, ok := kept.(string)
			if !ok {
				return job.ErrNotFound
			}
			return lay.DecodeResidual(r.Dst, r.Step-1, c, bytesOf(text), r.Before[c])
		},
	})
	if errors.Is(err, job.ErrStale) {
		err = l.residualOfSnapshot(ctx, lay, r)
	}
	if err != nil {
		return fmt.Errorf("read residual before step %d: %w", r.Step, err)
	}
	return nil
}

// residualOfSnapshot reads the last vector of the snapshot after r.Step steps. It fails
// with job.ErrStale when the newest snapshot has another step.
func (l *Ledger) residualOfSnapshot(ctx context.Context, lay ledger.Layout, r ledger.LogRead) error {
	err := l.readSnapshot(ctx, lay, r.Step, r.Chunks, lay.Vectors(1), func(c int, s snapshotChunk) error {
		if s.after != r.Before[c] {
			return ledger.Forked(s.after, r.Before[c])
		}
		lo, hi := lay.Chunk(c)
		wire.Floats(r.Dst[lo:hi], s.vector(s.vectors-1))
		return nil
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

// logField describes what readLog reads of a step's entry, chunk by chunk.
type logField struct {
	prefix  string                                  // prefix of the field's name
	batches func(ledger.Layout) (chunks, bytes int) // bounds of one pipeline
	add     func(pipe *pipeline, chunk int)         // adds other reads to the pipeline, before the field's
	decode  func(chunk int, value any) error        // job.ErrNotFound: the chunk is not there
}

// readLog reads chunks of the entry of a committed step. It fails with job.ErrNotFound when
// the step is not committed, and with job.ErrStale when a chunk is trimmed.
func (l *Ledger) readLog(ctx context.Context, lay ledger.Layout, step int64, chunks []int, f logField) error {
	per, _ := f.batches(lay)
	for group := range slices.Chunk(chunks, per) {
		err := l.readLogOnce(ctx, lay, step, group, f)
		if errors.Is(err, errLost) { // the nodes of a cluster answer in any order: the step may just have been committed
			err = l.readLogOnce(ctx, lay, step, group, f)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// readLogOnce reads the number of committed steps before the log, and the floor after it.
// So it can tell whether a missing chunk is not yet committed, trimmed, or lost.
func (l *Ledger) readLogOnce(ctx context.Context, lay ledger.Layout, step int64, chunks []int, f logField) error {
	k := keysOf(lay)
	_, size := f.batches(lay)
	var control *goredis.StringCmd
	found := make([]*goredis.SliceCmd, len(chunks))
	err := l.read(ctx, size*len(chunks), func(pipe *pipeline) {
		control = pipe.HGet(ctx, k.control(), fieldCommitted)
		for i, c := range chunks {
			f.add(pipe, c)
			found[i] = pipe.HMGet(ctx, k.log(c), f.prefix+field(step), fieldFloor)
		}
	})
	if err != nil {
		return err
	}
	if committed, _ := number(control.Val()); step >= committed {
		return fmt.Errorf("%d steps are committed: %w", committed, job.ErrNotFound)
	}
	for i, c := range chunks {
		values := found[i].Val()
		if len(values) != 2 {
			return fmt.Errorf("chunk %d: %d values instead of 2", c, len(values))
		}
		text, _ := values[1].(string)
		if floor, _ := number(text); floor > step {
			return fmt.Errorf("the log begins with step %d: %w", floor, job.ErrStale)
		}
		err := f.decode(c, values[0])
		if errors.Is(err, job.ErrNotFound) {
			err = errLost
		}
		if err != nil {
			return fmt.Errorf("chunk %d: %w", c, err)
		}
	}
	return nil
}
