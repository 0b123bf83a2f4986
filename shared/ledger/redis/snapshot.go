package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"tributary/shared/job"
	"tributary/shared/ledger"
)

// PutSnapshot stores the chunks, then makes the snapshot the newest, then trims. Each part
// may be repeated, so the next call repairs an interrupted one. PutSnapshot does not store
// a snapshot that is older than the newest.
func (l *Ledger) PutSnapshot(ctx context.Context, lay ledger.Layout, s ledger.Snapshot) error {
	return l.put(ctx, lay, s, false)
}

// Begin does the same as PutSnapshot, and commits the snapshot's steps.
func (l *Ledger) Begin(ctx context.Context, lay ledger.Layout, s ledger.Snapshot) error {
	return l.put(ctx, lay, s, true)
}

func (l *Ledger) put(ctx context.Context, lay ledger.Layout, s ledger.Snapshot, begins bool) error {
	if err := lay.CheckPutSnapshot(s); err != nil {
		return err
	}
	newest, ok, err := l.newest(ctx, lay)
	if err != nil {
		return fmt.Errorf("put snapshot %d: %w", s.Step, err)
	}
	if ok && newest > s.Step {
		return nil
	}
	if err := l.putChunks(ctx, lay, s); err != nil {
		return err
	}
	if newest, err = l.makeNewest(ctx, lay, s.Step, begins); err != nil {
		return err
	}
	return l.trimAll(ctx, lay, newest)
}

// trimAll trims every chunk below the snapshot after floor steps.
func (l *Ledger) trimAll(ctx context.Context, lay ledger.Layout, floor int64) error {
	for group := range slices.Chunk(lay.AllChunks(), trimChunks) {
		if err := l.trim(ctx, lay, floor, group); err != nil {
			return fmt.Errorf("trim below snapshot %d: %w", floor, err)
		}
	}
	return nil
}

// makeNewest runs the newest script and returns the step of the newest snapshot.
func (l *Ledger) makeNewest(ctx context.Context, lay ledger.Layout, step int64, begins bool) (int64, error) {
	k := keysOf(lay)
	pipe := l.pipeline(0)
	newest := pipe.run(ctx, newestScript, []string{k.control(), k.losses(), k.pending(), k.evaluation(ledger.Earlier)}, step, jobLife.Milliseconds(), begins, string(lay.Plan))
	if err := pipe.exec(ctx); err != nil {
		return 0, fmt.Errorf("put snapshot %d: %w", step, err)
	}
	reply, err := newest.Int64Slice()
	if err != nil {
		return 0, fmt.Errorf("put snapshot %d: %w", step, err)
	}
	if len(reply) != 3 || reply[0] < step && reply[2] >= step { // the script refused the snapshot without a reason
		return 0, fmt.Errorf("the newest script answered %v", reply)
	}
	switch {
	case reply[0] < step && begins:
		return 0, ledger.NoLosses(step)
	case reply[0] < step:
		return 0, ledger.NotCommitted(step, reply[2])
	}
	if reply[1] == 1 { // later steps may have landed already
		if _, err := l.commitChunks(ctx, lay, step, nil, ledger.Sums{}); err != nil {
			return 0, fmt.Errorf("begin with snapshot %d: %w", step, err)
		}
	}
	return reply[0], nil
}

// newest reads the step of the newest snapshot; ok is false when there is none.
func (l *Ledger) newest(ctx context.Context, lay ledger.Layout) (step int64, ok bool, err error) {
	values, err := l.control.HMGet(ctx, keysOf(lay).control(), fieldSnapshot, fieldPlan).Result()
	if err != nil {
		return 0, false, classify(ctx, err)
	}
	if len(values) != 2 {
		return 0, false, fmt.Errorf("%d values instead of 2", len(values))
	}
	if err := ofPlan(lay, values[1]); err != nil || values[0] == nil {
		return 0, false, err
	}
	step, err = count(values[0])
	return step, err == nil, err
}

// Snapshot reads the newest snapshot. If another snapshot replaces it during the read,
// Snapshot starts again.
func (l *Ledger) Snapshot(ctx context.Context, lay ledger.Layout, vectors [][]float32) (int64, ledger.Chain, error) {
	if err := lay.CheckSnapshot(0, vectors); err != nil {
		return 0, nil, err
	}
	chain := make(ledger.Chain, lay.Chunks())
	for {
		step, ok, err := l.newest(ctx, lay)
		if err == nil && !ok {
			err = job.ErrNotFound
		}
		if err != nil {
			return 0, nil, fmt.Errorf("read snapshot of %s: %w", lay.Ref, err)
		}
		err = l.readSnapshot(ctx, lay, step, lay.AllChunks(), len(vectors), func(c int, s snapshotChunk) error {
			chain[c] = s.after
			return s.decode(lay, c, vectors)
		})
		if err == nil {
			return step, chain, nil
		}
		if errors.Is(err, errLost) {
			now, ok, nerr := l.newest(ctx, lay)
			if nerr != nil {
				err = nerr
			} else if !ok || now != step {
				continue
			}
		}
		return 0, nil, fmt.Errorf("read snapshot %d: %w", step, err)
	}
}
