package redis

import (
	"context"
	"fmt"

	"tributary/shared/ledger"
)

// CommitBatch stores the chunks, then commits the steps and makes the snapshot the newest,
// then trims. A call that is interrupted before the commit leaves chunks of a snapshot. The
// next call for this step stores them again, and a later call trims them.
func (l *Ledger) CommitBatch(ctx context.Context, lay ledger.Layout, b ledger.BatchCommit) error {
	if err := lay.CheckBatch(b); err != nil {
		return err
	}
	to := b.Snapshot.Step
	if err := l.putChunks(ctx, lay, b.Snapshot); err != nil {
		return err
	}
	if err := l.commitBatch(ctx, lay, b); err != nil {
		return fmt.Errorf("batch commit from step %d to %d: %w", b.From, to, err)
	}
	return l.trimAll(ctx, lay, to)
}

// commitBatch runs the batch script.
func (l *Ledger) commitBatch(ctx context.Context, lay ledger.Layout, b ledger.BatchCommit) error {
	k, to := keysOf(lay), b.Snapshot.Step
	losses := make([]byte, 0, lossBytes*len(b.Sums))
	for _, one := range b.Sums {
		losses = append(losses, lossEntry(one)...)
	}
	pipe := l.pipeline(0)
	keys := []string{k.control(), k.losses(), k.pending(), k.evaluation(ledger.History)}
	args := []any{b.From, to, losses, jobLife.Milliseconds(), string(lay.Plan)}
	for _, unit := range b.Marks {
		args = append(args, unit)
	}
	call := pipe.run(ctx, batchScript, keys, args...)
	if err := pipe.exec(ctx); err != nil {
		return err
	}
	reply, err := call.Int64Slice()
	if err == nil && len(reply) != 3 {
		err = fmt.Errorf("the batch script answered %v", reply)
	}
	if err != nil {
		return err
	}
	done, committed, more := reply[0] == 1, reply[1], reply[2] == 1
	if !done {
		return ledger.NotNext(b.From, to, committed)
	}
	if more { // later steps may have landed already
		_, err = l.commitChunks(ctx, lay, to, nil, ledger.Sums{})
	}
	return err
}
