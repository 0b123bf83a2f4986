package ledger

import "context"

// Snapshot is the training state after Step steps. Vectors[0] is the parameters, the others
// are the optimizer state; with a lossy wire, the last one is the residual. Each vector is
// [P]. Chain is the log's chain after the last of these steps.
type Snapshot struct {
	Step    int64
	Vectors [][]float32
	Chain   Chain
}

// LogWrite is some chunks of a step's root gradient, to be written to the log.
type LogWrite struct {
	Step     int64
	Chunks   []int     // at least one, strictly increasing
	Root     Partial   // [P]; the log gets only the chunks in Chunks
	Residual []float32 // [P], what rounding the root lost, with a lossy wire; nil with any other wire
	Before   Chain     // the chain before Step; each chunk's entry holds its link
}

// MaxBatch bounds the steps of one batch commit.
const MaxBatch = 4096

// BatchCommit is consecutive steps that one call commits, together with the snapshot after
// them.
type BatchCommit struct {
	From     int64    // the first step
	Sums     []Sums   // of the steps From … Snapshot.Step-1, in order, 1 to MaxBatch
	Snapshot Snapshot // the state after the last step
	// Marks names the units of [History] in which the caller stored the marks of the steps
	// up to Snapshot.Step.
	Marks []string
}

// Committer commits steps and trims the log.
type Committer interface {
	// Append writes chunks of a step's root gradient, and of its residual, to the log. The
	// step is committed as soon as all its chunks are in the log and every earlier step is
	// committed. Append deletes the step's partials of these chunks.
	//
	// after is w.Before, with the links of these chunks advanced past the step. committed
	// reports whether this call committed the step. The call may also commit later steps
	// that were appended before; it does not report them. Append is idempotent; a different
	// chunk for the same step fails with job.ErrCorrupt.
	Append(ctx context.Context, l Layout, w LogWrite) (committed bool, after Chain, err error)
	// CommitBatch commits several steps at once. Their roots are not written to the log:
	// the snapshot takes their place, as if they had been appended and then trimmed. A
	// worker calls it when it has computed all of the steps alone. The call may be
	// repeated.
	//
	// It fails with job.ErrStale when the ledger does not have exactly b.From steps, unless
	// b.Snapshot is already its newest snapshot. It fails with job.ErrStale, too, when one
	// of b.Marks is missing: the ledger has lost it since. It fails with job.ErrInvalid for
	// a lossy wire, because its residual depends on the log.
	CommitBatch(ctx context.Context, l Layout, b BatchCommit) error
	// PutSnapshot stores a snapshot. If it is the newest, it trims the log and the older
	// snapshots below it. It is idempotent. It fails with job.ErrStale when the ledger does
	// not have the snapshot's steps: the ledger has lost them since, with the marks and
	// losses that were stored for them.
	PutSnapshot(ctx context.Context, l Layout, s Snapshot) error
}

// Restorer starts a lost ledger again from a checkpoint.
type Restorer interface {
	// Begin stores a snapshot as PutSnapshot does, but the ledger need not have the
	// snapshot's steps: Begin commits them, and the job continues from there.
	//
	// The caller must store the losses of the steps before, as units of [Earlier], one of
	// which ends with the snapshot's step. Without that unit Begin fails with job.ErrStale.
	// So a late call changes nothing in a ledger that was lost once more.
	Begin(ctx context.Context, l Layout, s Snapshot) error
}
