package redis

import (
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

// Append writes the chunks to the log. When all of them are there, it runs the commit
// script. For a job of one chunk, one pipeline does both: the script then checks that the
// chunk is stored, or writes the chunk itself if it is tiny.
func (l *Ledger) Append(ctx context.Context, lay ledger.Layout, w ledger.LogWrite) (bool, ledger.Chain, error) {
	if err := lay.CheckAppend(w); err != nil {
		return false, nil, err
	}
	entries := make([]entry, len(w.Chunks))
	for i, c := range w.Chunks {
		entries[i] = entry{chunk: c, before: w.Before[c]}
	}
	committed, err := l.appendAll(ctx, lay, w, entries)
	if err != nil {
		return false, nil, err
	}
	after := slices.Clone(w.Before)
	for _, e := range entries {
		after[e.chunk] = e.before.Next(e.sum)
	}
	return committed, after, nil
}

func (l *Ledger) appendAll(ctx context.Context, lay ledger.Layout, w ledger.LogWrite, entries []entry) (bool, error) {
	if lay.Chunks() == 1 {
		committed, err := l.appendSingle(ctx, lay, w, &entries[0])
		if err != nil {
			return false, fmt.Errorf("commit step %d: %w", w.Step, err)
		}
		return committed, nil
	}
	per, _ := rootBatches(lay)
	for group := range slices.Chunk(entries, per) {
		if err := l.appendChunks(ctx, lay, w, group); err != nil {
			return false, fmt.Errorf("append root of step %d: %w", w.Step, err)
		}
	}
	committed, err := l.commitChunks(ctx, lay, w.Step, w.Chunks, w.Root.Sums)
	if err != nil {
		return false, fmt.Errorf("commit step %d: %w", w.Step, err)
	}
	return committed, nil
}

// entry is one chunk of a root while Append writes it to the log.
type entry struct {
	chunk    int
	before   ledger.Link
	sum      uint64 // checksum of the whole entry
	payload  []byte
	seal     []byte
	residual []byte           // with a lossy wire
	floats   *goredis.BoolCmd // whether the server stored the floats; false: they were there before
	kept     *kept            // the write of the residual; nil when there is none
	sealed   *call
}

// close computes the stored form of the entry: payload, seal and residual. It appends the
// seal to room.
func (e *entry) close(room []byte, lay ledger.Layout, w ledger.LogWrite) ([]byte, error) {
	lo, hi := lay.Chunk(e.chunk)
	var err error
	if e.payload, err = lay.Wire.Payload(w.Root.Gradient[lo:hi]); err != nil {
		return nil, fmt.Errorf("chunk %d: %w", e.chunk, err)
	}
	start := len(room)
	room, e.sum = lay.Wire.AppendSeal(room, ledger.RootHeader(w.Step, e.chunk, w.Root.Sums, e.before), hi-lo, e.payload)
	e.seal = room[start:len(room):len(room)]
	if w.Residual != nil {
		e.residual, err = lay.EncodeResidual(w.Step, e.chunk, w.Residual, e.before.Next(e.sum))
	}
	return room, err
}

// keep adds the write of the residual to a pipeline. It comes before the seal, so every
// entry in the log has its residual.
func (e *entry) keep(ctx context.Context, pipe *pipeline, lay ledger.Layout, step int64) {
	if e.residual != nil {
		e.kept = pipe.keep(ctx, e.chunk, keysOf(lay).log(e.chunk), residualPrefix+field(step), e.residual)
	}
}

// send adds the writes of the chunk to a pipeline: the residual, the floats, then the seal.
func (e *entry) send(ctx context.Context, pipe *pipeline, lay ledger.Layout, step int64) {
	k := keysOf(lay)
	e.keep(ctx, pipe, lay, step)
	e.floats = pipe.HSetNX(ctx, k.log(e.chunk), field(step), e.payload)
	e.sealed = pipe.run(ctx, sealScript, []string{k.log(e.chunk), k.snapshot(e.chunk)}, step, e.seal, jobLife.Milliseconds())
}

// appendSingle appends the root of a job of one chunk. The commit script writes the seal,
// and also the floats of a tiny chunk.
func (l *Ledger) appendSingle(ctx context.Context, lay ledger.Layout, w ledger.LogWrite, e *entry) (bool, error) {
	if _, err := e.close(nil, lay, w); err != nil {
		return false, err
	}
	pipe := l.pipeline(len(e.payload) + len(e.residual))
	floats := e.payload
	e.keep(ctx, pipe, lay, w.Step)
	if !l.inlines(lay) {
		e.floats = pipe.HSetNX(ctx, keysOf(lay).log(0), field(w.Step), floats)
		floats = nil
	}
	commit := commitCall(ctx, pipe, lay, w.Step, []int{0}, w.Root.Sums, e.seal, floats)
	if err := pipe.exec(ctx); err != nil {
		return false, err
	}
	n, err := commit.Int()
	if err == nil && n != differs && e.floats != nil && !e.floats.Val() {
		err = l.holds(ctx, lay, w.Step, e)
	}
	if err == nil && n != differs {
		err = l.holdResiduals(ctx, []entry{*e})
	}
	if err != nil || n != differs {
		return n == 1, cmp.Or(err, vanished(n))
	}
	logged, err := l.control.HGet(ctx, keysOf(lay).log(0), sealPrefix+field(w.Step)).Result()
	if err != nil {
		return false, fmt.Errorf("the log's entry for it: %w", classify(ctx, err))
	}
	return false, fmt.Errorf("chunk 0: %w", e.differs(logged))
}

// holds checks the floats in the log against the seal of the entry.
func (l *Ledger) holds(ctx context.Context, lay ledger.Layout, step int64, e *entry) error {
	logged, err := l.vectors.HGet(ctx, keysOf(lay).log(e.chunk), field(step)).Result()
	if errors.Is(err, goredis.Nil) {
		return nil // trimmed since
	}
	if err == nil {
		err = wire.HoldsSeal(e.seal, wire.Root, bytesOf(logged))
	}
	return classify(ctx, err)
}

// holdResiduals reports a residual that was stored before and differs from the entry's.
func (l *Ledger) holdResiduals(ctx context.Context, entries []entry) error {
	var residuals []*kept
	for _, e := range entries {
		if e.kept != nil {
			residuals = append(residuals, e.kept)
		}
	}
	k, err := l.differing(ctx, residuals)
	if k != nil {
		return fmt.Errorf("chunk %d: %w", k.chunk, ledger.ErrResidual)
	}
	return err
}

func (l *Ledger) appendChunks(ctx context.Context, lay ledger.Layout, w ledger.LogWrite, entries []entry) error {
	_, size := rootBatches(lay)
	pipe := l.pipeline(size * len(entries))
	room := make([]byte, 0, wire.SealSize*len(entries))
	for i := range entries {
		var err error
		if room, err = entries[i].close(room, lay, w); err != nil {
			return err
		}
		entries[i].send(ctx, pipe, lay, w.Step)
	}
	if err := pipe.exec(ctx); err != nil {
		return err
	}
	return l.readSealResults(ctx, lay, w.Step, entries)
}

// readSealResults reads the results of the writes. An entry that was in the log before
// must be equal. If only the floats were stored before, it checks them against the
// new seal: an interrupted call left them, or another call is writing them now.
func (l *Ledger) readSealResults(ctx context.Context, lay ledger.Layout, step int64, entries []entry) error {
	for i := range entries {
		e := &entries[i]
		reply, err := e.sealed.StringSlice()
		if err == nil {
			err = l.readSealResult(ctx, lay, step, e, reply)
		}
		if err != nil {
			return fmt.Errorf("chunk %d: %w", e.chunk, err)
		}
	}
	return l.holdResiduals(ctx, entries)
}

func (l *Ledger) readSealResult(ctx context.Context, lay ledger.Layout, step int64, e *entry, reply []string) error {
	switch {
	case len(reply) == 2 && reply[0] == "differs":
		return e.differs(reply[1])
	case len(reply) != 1:
		return fmt.Errorf("the seal script answered %.80q", reply)
	}
	switch reply[0] {
	case "there", "trimmed":
		return nil
	case "missing":
		return errors.New("its root vanished from the log before it was sealed")
	case "sealed":
		if e.floats.Val() {
			return nil
		}
		return l.holds(ctx, lay, step, e)
	default:
		return fmt.Errorf("the seal script answered %.40q", reply[0])
	}
}

// differs returns an error that says how e differs from the entry in the log, whose seal is
// logged.
func (e *entry) differs(logged string) error {
	was, _, _, err := wire.ReadSeal(bytesOf(logged), wire.Root)
	if err != nil {
		return fmt.Errorf("the log's entry for it: %w", err)
	}
	want, _, _, err := wire.ReadSeal(e.seal, wire.Root)
	if err != nil {
		return err
	}
	return ledger.DiffersFrom(was, want)
}

// commitChunks deletes the partials of chunks that are in the log, and runs the commit
// script. It reports whether this call committed the step.
func (l *Ledger) commitChunks(ctx context.Context, lay ledger.Layout, step int64, chunks []int, s ledger.Sums) (bool, error) {
	k := keysOf(lay)
	pipe := l.pipeline(0)
	for _, c := range chunks {
		pipe.Unlink(ctx, k.partials(c, step))
	}
	commit := commitCall(ctx, pipe, lay, step, chunks, s, nil, nil)
	if err := pipe.exec(ctx); err != nil {
		return false, err
	}
	return committedBy(commit)
}

// commitFound runs commitChunks for chunks that were found in the log, with the sums that
// are stored there. It changes nothing for chunks that have landed already.
func (l *Ledger) commitFound(ctx context.Context, lay ledger.Layout, step int64, chunks []int) error {
	if len(chunks) == 0 {
		return nil
	}
	seal, err := l.control.HGet(ctx, keysOf(lay).log(chunks[0]), sealPrefix+field(step)).Result()
	if errors.Is(err, goredis.Nil) { // trimmed since: so it had landed
		return nil
	}
	if err != nil {
		return classify(ctx, err)
	}
	h, _, _, err := wire.ReadSeal(bytesOf(seal), wire.Root)
	if err != nil {
		return fmt.Errorf("chunk %d: %w", chunks[0], err)
	}
	_, err = l.commitChunks(ctx, lay, step, chunks, ledger.Sums{Examples: h.Examples, Loss: h.Loss})
	return err
}

// commitCall adds the commit script to a pipeline. seal and floats are those of the root's
// only chunk if the script has to write them, and nil otherwise.
func commitCall(ctx context.Context, pipe *pipeline, lay ledger.Layout, step int64, chunks []int, s ledger.Sums, seal, floats []byte) *call {
	k := keysOf(lay)
	args := append(make([]any, 0, 8+len(chunks)), step, lay.Chunks(), lossEntry(s), strconv.FormatUint(rand.Uint64(), 36), jobLife.Milliseconds(), seal, floats, string(lay.Plan))
	for _, c := range chunks {
		args = append(args, c)
	}
	return pipe.run(ctx, commitScript, []string{k.control(), k.losses(), k.pending(), k.log(0), k.partials(0, step), k.snapshot(0)}, args...)
}

// differs is the answer of the commit script when the log has another entry.
const differs = -2

func committedBy(commit *call) (bool, error) {
	n, err := commit.Int()
	return n == 1, cmp.Or(err, vanished(n))
}

// vanished returns the error for a negative answer of the commit script, and nil for any
// other answer.
func vanished(n int) error {
	if n < 0 {
		return errors.New("its root vanished from the log before it was committed")
	}
	return nil
}
