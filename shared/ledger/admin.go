package ledger

import "context"

// Admin watches over the store and removes jobs from it.
type Admin interface {
	// Probe writes a few bytes to each server that keeps a part of the job. It
	// returns nil when all of them can be written, and otherwise the error that
	// other writes fail with too. What it writes goes away by itself.
	Probe(ctx context.Context, l Layout) error
	// Room returns how much memory the store has and uses.
	Room(ctx context.Context) (Room, error)
	// Delete removes everything kept for the job, its notes among it. Of the layout it
	// needs the reference alone: without a chunk length, which nobody may know any
	// more, it looks through everything that the store holds.
	Delete(ctx context.Context, l Layout) error
}

// Room is the memory of a store, in bytes, over all of its servers.
type Room struct {
	Limit int64 // of all that is stored; 0: none, or not known
	Used  int64
}

// Bounds of Need.
const (
	needRoots    = 2  // roots in the log: one is written while a snapshot folds the one before
	needPartials = 3  // partials of a step; see Need
	needStep     = 32 // bytes of losses and marks of a step, with the store's overhead
)

// Need is the memory, in bytes, that a job of so many steps takes at least in a store,
// when a snapshot has so many vectors (parameters and the optimizer's).
//
//   - A snapshot is written while the one before is still there, so there are two.
//     A lossy wire adds the residual to its vectors.
//   - The log holds a few roots while a snapshot of them is written.
//   - A step has partials: those of all nodes but the one that completes it. More than
//     three may be refused for lack of memory. Then one worker computes the whole step,
//     which stores no partial.
//   - Losses and marks of all steps stay for the job's life.
func (l Layout) Need(vectors int, steps int64) int64 {
	vector := 4 * int64(l.Params)
	if l.Wire.Lossy() {
		vectors++
	}
	partials := int64(min(needPartials, l.Microbatch-1)) * int64(l.Wire.Partials().Size(l.Params))
	return 2*int64(vectors)*vector + needRoots*l.Entry() + partials + needStep*steps
}

// Entry is the memory, in bytes, that a step takes in the log.
func (l Layout) Entry() int64 {
	bytes := int64(l.Wire.Size(l.Params))
	if l.Wire.Lossy() { // the residual lies beside the root
		bytes += int64(l.Wire.Partials().Size(l.Params))
	}
	return bytes
}
