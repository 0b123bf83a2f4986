package redis

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"

	goredis "github.com/redis/go-redis/v9"

	"tributary/shared/ledger"
	"tributary/shared/wire"
)

// Append writes the chunks into the log, and only when all of them are there
// runs the commit script. A job of one chunk has both in one pipeline; the
// script then makes sure of the chunk itself.
func (l *Ledger) Append(ctx context.Context, lay ledger.Layout, step int64, chunks []int, root []float32, s ledger.Sums, before ledger.Chain) (bool, ledger.Chain, error) {
	if err := cmp.Or(lay.CheckStep(step), lay.CheckChunks(chunks), lay.CheckVector("root", root), lay.CheckChain(before)); err != nil {
		return false, nil, err
	}
	entries := make([]entry, len(chunks))
	for i, c := range chunks {
		entries[i] = entry{chunk: c, before: before[c]}
	}
	committed, err := l.appendAll(ctx, lay, step, chunks, entries, ledger.Partial{Gradient: root, Sums: s})
	if err != nil {
		return false, nil, err
	}
	after := slices.Clone(before)
	for _, e := range entries {
		after[e.chunk] = e.before.Next(e.sum)
	}
	return committed, after, nil
}

func (l *Ledger) appendAll(ctx context.Context, lay ledger.Layout, step int64, chunks []int, entries []entry, root ledger.Partial) (bool, error) {
	if lay.Chunks() == 1 {
		committed, err := l.appendSingle(ctx, lay, step, entries, root)
		if err != nil {
			return false, fmt.Errorf("commit step %d: %w", step, err)
		}
		return committed, nil
	}
	per, _ := batches(lay, 1)
	for part := range slices.Chunk(entries, per) {
		if err := l.appendChunks(ctx, lay, step, part, root); err != nil {
			return false, fmt.Errorf("append root of step %d: %w", step, err)
		}
	}
	committed, err := l.land(ctx, lay, step, chunks, root.Sums)
	if err != nil {
		return false, fmt.Errorf("commit step %d: %w", step, err)
	}
	return committed, nil
}

// entry is a chunk of a root on its way into the log.
type entry struct {
	chunk  int
	before ledger.Link
	sum    uint64 // checksum of data
	data   []byte // in an arena
	stored *goredis.BoolCmd
	floor  *goredis.StringCmd
}

// send adds the writing of the chunk to a pipeline. The floor is read after
// the write: a trim that raised it later deletes the chunk with the rest, one
// that raised it before is seen here.
func (e *entry) send(ctx context.Context, pipe *pipeline, a *arena, lay ledger.Layout, step int64, root ledger.Partial) {
	k := keysOf(lay)
	e.data, e.sum = a.encodeRoot(lay, step, e.chunk, root, e.before)
	e.stored = pipe.HSetNX(ctx, k.log(e.chunk), field(step), e.data)
	e.floor = pipe.HGet(ctx, k.log(e.chunk), fieldFloor)
	pipe.PExpire(ctx, k.log(e.chunk), jobLife)
	pipe.PExpire(ctx, k.snapshot(e.chunk), jobLife)
}

func (l *Ledger) appendSingle(ctx context.Context, lay ledger.Layout, step int64, entries []entry, root ledger.Partial) (bool, error) {
	_, size := batches(lay, 1)
	a := newArena(size)
	defer a.free()
	pipe := l.pipeline(size)
	entries[0].send(ctx, pipe, a, lay, step, root)
	commit := commitCall(ctx, pipe, lay, step, []int{0}, root.Sums)
	if err := pipe.exec(ctx); err != nil {
		return false, err
	}
	if err := l.settle(ctx, lay, step, entries); err != nil {
		return false, err
	}
	return committedBy(commit)
}

func (l *Ledger) appendChunks(ctx context.Context, lay ledger.Layout, step int64, entries []entry, root ledger.Partial) error {
	_, size := batches(lay, 1)
	a := newArena(size * len(entries))
	defer a.free()
	pipe := l.pipeline(size * len(entries))
	for i := range entries {
		entries[i].send(ctx, pipe, a, lay, step, root)
	}
	if err := pipe.exec(ctx); err != nil {
		return err
	}
	return l.settle(ctx, lay, step, entries)
}

// settle looks after the entries that were there already, which must be
// equal, and after those that came too late for a trimmed log, which go.
func (l *Ledger) settle(ctx context.Context, lay ledger.Layout, step int64, entries []entry) error {
	k := keysOf(lay)
	pipe := l.pipeline(len(entries[0].data) * len(entries))
	there := map[int]*goredis.StringCmd{}
	for i, e := range entries {
		floor, _ := number(e.floor.Val())
		switch {
		case floor > step:
			pipe.HDel(ctx, k.log(e.chunk), field(step))
		case !e.stored.Val():
			there[i] = pipe.HGet(ctx, k.log(e.chunk), field(step))
		}
	}
	if pipe.Len() == 0 {
		return nil
	}
	if err := pipe.exec(ctx); err != nil {
		return err
	}
	for i, e := range entries {
		stored, ok := there[i]
		if !ok || errors.Is(stored.Err(), goredis.Nil) { // trimmed meanwhile
			continue
		}
		was, err := stored.Bytes()
		if err == nil && !bytes.Equal(was, e.data) {
			err = ledger.Differs(was, e.data)
		}
		if err != nil {
			return fmt.Errorf("chunk %d: %w", e.chunk, err)
		}
	}
	return nil
}

// land drops the partials of chunks that are in the log and runs the commit script.
func (l *Ledger) land(ctx context.Context, lay ledger.Layout, step int64, chunks []int, s ledger.Sums) (bool, error) {
	k := keysOf(lay)
	pipe := l.pipeline(0)
	for _, c := range chunks {
		pipe.Unlink(ctx, k.partials(c, step))
	}
	commit := commitCall(ctx, pipe, lay, step, chunks, s)
	if err := pipe.exec(ctx); err != nil {
		return false, err
	}
	return committedBy(commit)
}

// landAgain lands chunks that were found in the log, with the sums that stand
// there. It changes nothing for chunks that have landed.
func (l *Ledger) landAgain(ctx context.Context, lay ledger.Layout, step int64, chunks []int) error {
	if len(chunks) == 0 {
		return nil
	}
	data, err := l.control.HGet(ctx, keysOf(lay).log(chunks[0]), field(step)).Bytes()
	if errors.Is(err, goredis.Nil) { // trimmed meanwhile: it had landed
		return nil
	}
	if err != nil {
		return classify(ctx, err)
	}
	h, _, _, err := wire.Decode(data)
	if err != nil {
		return fmt.Errorf("chunk %d: %w", chunks[0], err)
	}
	_, err = l.land(ctx, lay, step, chunks, ledger.Sums{Examples: h.Examples, Loss: h.Loss})
	return err
}

func commitCall(ctx context.Context, pipe *pipeline, lay ledger.Layout, step int64, chunks []int, s ledger.Sums) *call {
	k := keysOf(lay)
	args := []any{step, lay.Chunks(), lossEntry(s), strconv.FormatUint(rand.Uint64(), 36), jobLife.Milliseconds()}
	for _, c := range chunks {
		args = append(args, c)
	}
	return pipe.run(ctx, commitScript, []string{k.control(), k.losses(), k.pending(), k.log(0), k.partials(0, step)}, args...)
}

func committedBy(commit *call) (bool, error) {
	n, err := commit.Int()
	if err == nil && n < 0 {
		err = errors.New("its root vanished from the log before it was committed")
	}
	return n == 1, err
}
