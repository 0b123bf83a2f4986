package ledger

import "context"

// Admin checks the store and removes jobs from it.
type Admin interface {
	// Probe writes a few bytes to each server that stores a part of the job. It returns nil
	// when all servers accept the write, and otherwise the error with which other writes
	// fail too. The bytes expire by themselves.
	Probe(ctx context.Context, l Layout) error
	// Room returns how much memory the store has and uses.
	Room(ctx context.Context) (Room, error)
	// Delete removes everything that is stored for the job, also its notes. Of the layout
	// it needs only the reference. Without a chunk length, which may be unknown by now, it
	// searches all keys of the store.
	Delete(ctx context.Context, l Layout) error
}

// Room is the memory of a store, in bytes, summed over all of its servers.
type Room struct {
	Limit int64 // for everything stored; 0: no limit, or not known
	Used  int64
}

// Constants of Need.
const (
	needRoots    = 2  // roots in the log: a worker writes one while a snapshot folds the one before
	needPartials = 3  // partials of a step; see Need
	needStep     = 32 // bytes of losses and marks of a step, with the store's overhead
)

// Need returns the least memory, in bytes, that a job of steps steps takes in a store.
// vectors is the number of vectors in its snapshots: parameters and optimizer state.
//
//   - A worker writes a snapshot while the previous one is still stored, so there are two.
//     A lossy wire adds the residual to the vectors.
//   - The log holds a few roots while a worker writes a snapshot of them.
//   - A step has the partials of all nodes except the node that completes it. The store may
//     refuse more than three for lack of memory. Then one worker computes the whole step
//     and stores no partial.
//   - The losses and marks of all steps stay as long as the job.
func (l Layout) Need(vectors int, steps int64) int64 {
	vector := 4 * int64(l.Params)
	if l.Wire.Lossy() {
		vectors++
	}
	partials := int64(min(needPartials, l.Microbatch-1)) * int64(l.Wire.Partials().Size(l.Params))
	return 2*int64(vectors)*vector + needRoots*l.Entry() + partials + needStep*steps
}

// Entry returns the memory, in bytes, that one step takes in the log.
func (l Layout) Entry() int64 {
	bytes := int64(l.Wire.Size(l.Params))
	if l.Wire.Lossy() { // the residual is stored beside the root
		bytes += int64(l.Wire.Partials().Size(l.Params))
	}
	return bytes
}
