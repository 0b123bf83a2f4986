// Package ledger is the contract of the training state: partials as they
// arrive, the update log of root gradients, snapshots, evaluation results.
//
// It owns the contract and its value types; ledger/redis keeps it in Redis,
// ledger/memory in a process, and ledgertest is the suite both pass. Workers
// write partials and roots, the coordinator reads how far a job has come.
//
// Invariants: every write is put-if-absent, so any call may be repeated, by
// anyone, at any time; a write that differs from what is there fails with
// job.ErrCorrupt. Vectors travel in chunks and each chunk is reduced on its
// own; a step is committed when every chunk of its root gradient is there,
// and steps are committed in order. The log of each chunk is a hash chain:
// whoever follows it notices an entry of another history at once.
package ledger

import (
	"context"

	"tributary/shared/job"
	"tributary/shared/tree"
	"tributary/shared/wire"
)

// Layout is what must be known of a job to address its ledger. It comes from
// the plan, so every process has the same.
type Layout struct {
	job.Ref
	Plan       job.Digest // of the plan, from which the chain begins
	Params     int        // P, the length of a gradient
	ChunkLen   int        // parameters in a chunk; the last may be shorter
	Microbatch int        // M, leaves of the reduction tree
	// Wire is how roots are stored; partials are as Wire.Partials has it. Of one that
	// is lossy only what is rounded (package rounding) can be put and appended.
	Wire wire.Format
}

// Chunks returns the number of chunks of a gradient, at least 1.
func (l Layout) Chunks() int { return max(1, (l.Params+l.ChunkLen-1)/l.ChunkLen) }

// Chunk returns the half-open range of parameters in chunk c.
func (l Layout) Chunk(c int) (lo, hi int) {
	return c * l.ChunkLen, min(l.Params, (c+1)*l.ChunkLen)
}

// Sums is what a partial holds beside its gradient, summed along the same tree.
type Sums struct {
	Examples int64   // rows
	Loss     float64 // sum of the rows' losses
}

// Add returns left + right.
func (s Sums) Add(right Sums) Sums {
	return Sums{Examples: s.Examples + right.Examples, Loss: s.Loss + right.Loss}
}

// Partial is the result of a gradient task: gradient [P] and its sums. The
// gradient is a sum over rows, never a mean.
type Partial struct {
	Gradient []float32
	Sums     Sums
}

// Arrival tells the storer of a partial how one of its chunks stands.
type Arrival struct {
	// Committed: the chunk's root is already in the log (or trimmed off it);
	// nothing was stored and nothing is left to do.
	Committed bool
	// Cover lists, in leaf order, arrived nodes that cover the tree, when
	// there are such; nil while partials are missing. Whoever is given a cover
	// must reduce the chunk and Append it: others may be doing so too. The
	// storer's own node is always in it, and the ledger has not kept its partial,
	// as the storer has it.
	Cover []tree.Node
	// Values, when not nil, are the partials of the nodes of Cover, in its order,
	// cut to the chunk; that of the storer's own node is left empty. They are the
	// receiver's to change. When nil, Partial reads them.
	Values []Partial
}

// State is how far a job has come.
type State struct {
	Committed int64 // steps whose root gradient is in the log: 0 … Committed-1
	Snapshot  int64 // steps folded into the newest snapshot; 0 when there is none
	Floor     int64 // first step whose root is still in the log
}

// Progress is the loss of a committed step.
type Progress struct {
	Step int64
	Sums Sums
}

// Snapshot is parameters and optimizer state after Step steps: Vectors[0] is
// the parameters, the rest is the optimizer's, and of a job with a lossy wire the
// last is the residual, each [P]. Chain is the log's up to there.
type Snapshot struct {
	Step    int64
	Vectors [][]float32
	Chain   Chain
}

// MaxLeap is how many steps can be committed by one snapshot.
const MaxLeap = 4096

// Ledger keeps jobs' training state. Implementations are safe for concurrent
// use. Every method fails with a wrapped context error when ctx ends, with
// job.ErrFull when the store refuses writes for now (it is at its memory limit, or
// read-only in a failover), with job.ErrCorrupt when stored bytes fail their
// checksum, and otherwise with the store's own error, in which case the write may
// or may not have taken effect.
type Ledger interface {
	Journal

	// State reads how far the job has come; a job never heard of is at zero. The first
	// commit binds the ledger to the layout's plan: State and Snapshot fail with
	// job.ErrCorrupt for another plan from then on.
	State(ctx context.Context, l Layout) (State, error)

	// Put stores the partial of node at step and records its arrival, chunk by
	// chunk, and returns one Arrival per chunk. A chunk that it completes is not
	// kept, nor recorded: should the storer die before it appends the chunk, its
	// task runs again. Put is idempotent per
	// (step, node); another partial for a node that is stored fails with
	// job.ErrCorrupt, one that is not rounded to the layout's wire with job.ErrInvalid.
	Put(ctx context.Context, l Layout, step int64, node tree.Node, p Partial) ([]Arrival, error)
	// Arrived lists the nodes whose partials have arrived in every chunk not
	// yet committed; it may be called for the running step only.
	Arrived(ctx context.Context, l Layout, step int64) ([]tree.Node, error)
	// Partial reads the given chunks of node's partial into their places in
	// dst [P]. It fails with job.ErrNotFound once one of them is committed.
	Partial(ctx context.Context, l Layout, step int64, node tree.Node, chunks []int, dst []float32) (Sums, error)

	// Append puts the given chunks of step's root gradient, from their places
	// in root's [P], into the log and, when they were the last ones missing and
	// every earlier step is committed, commits the step; the step's partials of
	// these chunks are dropped. residual [P] is what rounding the root lost, of a
	// lossy wire, which is kept beside the log; nil of another. The chunks carry their links of before, the
	// chain before the step; after is the same with these chunks past it. It is
	// idempotent; a different chunk for the same step fails with job.ErrCorrupt.
	// committed reports that this very call committed the step; later steps that
	// were appended before, which it commits too, are not told of.
	Append(ctx context.Context, l Layout, step int64, chunks []int, root Partial, residual []float32, before Chain) (committed bool, after Chain, err error)
	// Residual reads, of a job with a lossy wire, the given chunks of the residual
	// before step into their places in dst [P]: zeros before step 0, else what was
	// appended with step-1 or, when that is trimmed, what the newest snapshot has, if
	// it is of just so many steps. before is the chain that the reader holds before
	// the step. It fails as Root of step-1 does.
	Residual(ctx context.Context, l Layout, step int64, chunks []int, dst []float32, before Chain) error
	// Root reads step's root gradient into dst [P]. before is the chain that the
	// reader holds before the step, after the one past it. It fails with
	// job.ErrNotFound when the step is not committed, with job.ErrStale when
	// it was trimmed: a snapshot at or after it exists; with job.ErrCorrupt when
	// the step does not follow before: the log was forked, rolled back or
	// written by another job.
	Root(ctx context.Context, l Layout, step int64, dst []float32, before Chain) (s Sums, after Chain, err error)
	// RootChunks is Root for some of the chunks: whoever has appended the others
	// has them. It reads them into their places in dst and returns before with
	// the links of these chunks past the step.
	RootChunks(ctx context.Context, l Layout, step int64, chunks []int, dst []float32, before Chain) (s Sums, after Chain, err error)
	// Losses reads the sums of the committed steps from … to-1. They outlive
	// the trimming of the log.
	Losses(ctx context.Context, l Layout, from, to int64) ([]Progress, error)

	// PutSnapshot stores a snapshot, makes it the newest if it is, and trims
	// the log and older snapshots off below it. It is idempotent. A snapshot of
	// steps that are not committed fails with job.ErrStale: the ledger has lost
	// them since, and what lies beside the snapshot with them.
	PutSnapshot(ctx context.Context, l Layout, s Snapshot) error
	// Begin is PutSnapshot for a ledger that does not have the steps that the
	// snapshot folds: it commits them, and the ledger goes on from there. It
	// does not know their losses: they must lie beside it before, as the units of
	// Earlier, of which one ends with the snapshot's step. Without that Begin fails
	// with job.ErrStale; so a call that comes late to a ledger that was lost once
	// more begins nothing.
	Begin(ctx context.Context, l Layout, s Snapshot) error
	// Leap commits the steps from … s.Step-1 at once, and the log gets no roots of
	// them: the snapshot after them takes their place, as if they had been appended
	// and then trimmed. sums are theirs, in order, at most MaxLeap. It is for whoever
	// has computed all of them by itself. It fails with job.ErrStale when the ledger
	// has not just so many steps as from, unless this snapshot is its newest: the
	// call may be repeated. A residual is nobody's to compute beside the log, so that
	// with a lossy wire it fails with job.ErrInvalid. marked are the units of History
	// that were stored for what is trimmed: where one is not there the ledger was lost
	// since, and the leap fails with job.ErrStale too.
	Leap(ctx context.Context, l Layout, from int64, sums []Sums, s Snapshot, marked []string) error
	// Snapshot reads the newest snapshot into vectors (each [P]) and returns
	// its step and the chain up to there; job.ErrNotFound when there is none.
	Snapshot(ctx context.Context, l Layout, vectors [][]float32) (step int64, chain Chain, err error)

	// PutEvaluation stores the result of one unit (split/block) of the
	// evaluation at step and returns how many units are stored now. It is
	// idempotent; a different result fails with job.ErrCorrupt.
	PutEvaluation(ctx context.Context, l Layout, step int64, unit string, result []byte) (stored int, err error)
	// Evaluations reads the units stored for step.
	Evaluations(ctx context.Context, l Layout, step int64) (map[string][]byte, error)
	// DropEvaluations removes the units stored for step.
	DropEvaluations(ctx context.Context, l Layout, step int64) error

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
