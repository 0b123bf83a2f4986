package redis

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	goredis "github.com/redis/go-redis/v9"

	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/wire"
)

// PutSnapshot stores the chunks, then makes the snapshot the newest, then
// trims. Each part may be repeated, so a call that was cut short is mended by
// the next one. A snapshot older than the newest is not stored.
func (l *Ledger) PutSnapshot(ctx context.Context, lay ledger.Layout, s ledger.Snapshot) error {
	return l.put(ctx, lay, s, false)
}

// Begin is PutSnapshot, and commits the steps that the snapshot folds.
func (l *Ledger) Begin(ctx context.Context, lay ledger.Layout, s ledger.Snapshot) error {
	return l.put(ctx, lay, s, true)
}

// CommitBatch stores the chunks, then commits the steps and makes the snapshot the newest,
// then trims. A call that was cut short before it committed leaves chunks of a
// snapshot, which the next one of this step stores again, and a later one trims.
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

// commitBatch runs the leap script.
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
	call := pipe.run(ctx, leapScript, keys, args...)
	if err := pipe.exec(ctx); err != nil {
		return err
	}
	reply, err := call.Int64Slice()
	if err == nil && len(reply) != 3 {
		err = fmt.Errorf("the leap script answered %v", reply)
	}
	if err != nil {
		return err
	}
	done, committed, more := reply[0] == 1, reply[1], reply[2] == 1
	if !done {
		return ledger.NotNext(b.From, to, committed)
	}
	if more { // steps after it may have landed already
		_, err = l.land(ctx, lay, to, nil, ledger.Sums{})
	}
	return err
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

// trimAll trims every chunk below the snapshot of so many steps.
func (l *Ledger) trimAll(ctx context.Context, lay ledger.Layout, floor int64) error {
	for part := range slices.Chunk(lay.AllChunks(), trimChunks) {
		if err := l.trim(ctx, lay, floor, part); err != nil {
			return fmt.Errorf("trim below snapshot %d: %w", floor, err)
		}
	}
	return nil
}

// putChunks stores a snapshot's chunks, of which nobody knows yet. A server that is
// full gets rid first of what the last trim has left, and then is asked once more.
func (l *Ledger) putChunks(ctx context.Context, lay ledger.Layout, s ledger.Snapshot) error {
	err := l.tryChunks(ctx, lay, s)
	if !errors.Is(err, job.ErrFull) {
		return err
	}
	newest, ok, nerr := l.newest(ctx, lay)
	if nerr == nil && ok {
		nerr = l.trimAll(ctx, lay, newest)
	}
	if nerr != nil || !ok {
		return errors.Join(err, nerr)
	}
	return l.tryChunks(ctx, lay, s)
}

func (l *Ledger) tryChunks(ctx context.Context, lay ledger.Layout, s ledger.Snapshot) error {
	per, _ := batches(lay, len(s.Vectors))
	for part := range slices.Chunk(lay.AllChunks(), per) {
		if err := l.putSnapshotChunks(ctx, lay, s, part); err != nil {
			return fmt.Errorf("put snapshot %d: %w", s.Step, err)
		}
	}
	return nil
}

func (l *Ledger) putSnapshotChunks(ctx context.Context, lay ledger.Layout, s ledger.Snapshot, chunks []int) error {
	k := keysOf(lay)
	_, size := batches(lay, len(s.Vectors))
	a := newArena(size * len(chunks))
	defer a.free()
	pipe := l.pipeline(size * len(chunks))
	data, stored := make([][]byte, len(chunks)), make([]*goredis.BoolCmd, len(chunks))
	var joined []float32
	for i, c := range chunks {
		lo, hi := lay.Chunk(c)
		joined = joined[:0]
		for _, v := range s.Vectors {
			joined = append(joined, v[lo:hi]...)
		}
		data[i], _ = a.encode(snapshotHeader(s.Step, len(s.Vectors), c, s.Chain[c]), joined)
		stored[i] = pipe.HSetNX(ctx, k.snapshot(c), field(s.Step), data[i])
		pipe.PExpire(ctx, k.snapshot(c), jobLife)
	}
	if err := pipe.exec(ctx); err != nil {
		return err
	}
	there := make([]*goredis.StringCmd, len(chunks))
	for i, c := range chunks {
		if !stored[i].Val() {
			there[i] = pipe.HGet(ctx, k.snapshot(c), field(s.Step))
		}
	}
	if pipe.Len() == 0 {
		return nil
	}
	if err := pipe.exec(ctx); err != nil {
		return err
	}
	for i, c := range chunks {
		if there[i] == nil || errors.Is(there[i].Err(), goredis.Nil) { // replaced meanwhile
			continue
		}
		if was, err := there[i].Bytes(); err != nil || !bytes.Equal(was, data[i]) {
			return fmt.Errorf("chunk %d: it is stored with other bytes: %w", c, job.ErrCorrupt)
		}
	}
	return nil
}

// makeNewest runs the newest script and returns the newest snapshot's step.
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
	if len(reply) != 3 || reply[0] < step && reply[2] >= step { // refused without a reason
		return 0, fmt.Errorf("the newest script answered %v", reply)
	}
	switch {
	case reply[0] < step && begins:
		return 0, ledger.NoLosses(step)
	case reply[0] < step:
		return 0, ledger.NotCommitted(step, reply[2])
	}
	if reply[1] == 1 { // steps after it may have landed already
		if _, err := l.land(ctx, lay, step, nil, ledger.Sums{}); err != nil {
			return 0, fmt.Errorf("begin with snapshot %d: %w", step, err)
		}
	}
	return reply[0], nil
}

// newest reads the newest snapshot's step; ok is false when there is none.
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

// Snapshot reads the newest snapshot, again from the start when another took
// its place while it was being read.
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
		err = l.readSnapshot(ctx, lay, step, vectors, chain)
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

func (l *Ledger) readSnapshot(ctx context.Context, lay ledger.Layout, step int64, vectors [][]float32, chain ledger.Chain) error {
	return l.snapshotChunks(ctx, lay, step, lay.AllChunks(), len(vectors), func(c int, stored []byte) error {
		return decodeSnapshot(lay, step, c, stored, vectors, chain)
	})
}

// snapshotChunks reads chunks of the snapshot after so many steps, in pipelines for so
// many vectors, and has each decoded.
func (l *Ledger) snapshotChunks(ctx context.Context, lay ledger.Layout, step int64, chunks []int, vectors int, decode func(chunk int, stored []byte) error) error {
	k := keysOf(lay)
	per, size := batches(lay, vectors)
	for part := range slices.Chunk(chunks, per) {
		pipe := l.pipeline(size * len(part))
		data := make([]*goredis.StringCmd, len(part))
		for i, c := range part {
			data[i] = pipe.HGet(ctx, k.snapshot(c), field(step))
		}
		if err := pipe.exec(ctx); err != nil {
			return err
		}
		for i, c := range part {
			stored, err := data[i].Bytes()
			if errors.Is(err, goredis.Nil) {
				return fmt.Errorf("chunk %d: %w", c, errLost)
			}
			if err == nil {
				err = decode(c, stored)
			}
			if err != nil {
				return fmt.Errorf("chunk %d: %w", c, err)
			}
		}
	}
	return nil
}

// decodeSnapshot reads a chunk of every vector, and its link, into its place.
func decodeSnapshot(lay ledger.Layout, step int64, chunk int, data []byte, vectors [][]float32, chain ledger.Chain) error {
	h, floats, _, err := wire.Decode(data)
	if err == nil {
		err = same(h, snapshotHeader(step, len(vectors), chunk, h.Chain))
	}
	if err != nil {
		return err
	}
	lo, hi := lay.Chunk(chunk)
	size := 4 * (hi - lo)
	if len(floats) != size*len(vectors) {
		return fmt.Errorf("%d bytes of floats, %d expected: %w", len(floats), size*len(vectors), job.ErrCorrupt)
	}
	for i, v := range vectors {
		wire.Floats(v[lo:hi], floats[i*size:(i+1)*size])
	}
	chain[chunk] = h.Chain
	return nil
}
