package ledger

import "context"

// Snapshot is parameters and optimizer state after Step steps: Vectors[0] is
// the parameters, the rest is the optimizer's, and of a job with a lossy wire the
// last is the residual, each [P]. Chain is the log's up to there.
type Snapshot struct {
	Step    int64
	Vectors [][]float32
	Chain   Chain
}

// LogWrite is chunks of a step's root gradient for the log.
type LogWrite struct {
	Step     int64
	Chunks   []int     // at least one, strictly increasing
	Root     Partial   // [P], of which the log gets the chunks
	Residual []float32 // [P], what rounding the root lost, with a lossy wire; nil with any other
	Before   Chain     // before Step; the chunks carry their links of it
}

// MaxBatch is how many steps one batch commit can have.
const MaxBatch = 4096

// BatchCommit is consecutive steps that are committed at once, by the snapshot after
// them.
type BatchCommit struct {
	From     int64    // the first step
	Sums     []Sums   // of the steps From … Snapshot.Step-1, in order, 1 to MaxBatch
	Snapshot Snapshot // after the last step
	// Marks names the units of [History] that were stored for the steps up to
	// Snapshot.Step.
	Marks []string
}

// Committer commits steps and trims the log.
type Committer interface {
	// Append puts chunks of a step's root gradient, and of its residual, into the log.
	// When they were the last chunks missing and every earlier step is committed, it
	// commits the step. It drops the step's partials of these chunks. after is w.Before
	// with the links of these chunks past the step. Append is idempotent; a different
	// chunk for the same step fails with job.ErrCorrupt. committed reports that this
	// very call committed the step. Later steps that were appended before are committed
	// with it, and not reported.
	Append(ctx context.Context, l Layout, w LogWrite) (committed bool, after Chain, err error)
	// CommitBatch commits steps at once, and the log gets no roots of them: the snapshot
	// takes their place, as if they had been appended and then trimmed. A worker that
	// has computed all of them alone calls it. It may be repeated. It fails with
	// job.ErrStale when the ledger does not have exactly b.From steps, unless
	// b.Snapshot is its newest, and when it lacks one of b.Marks: it was lost since.
	// It fails with job.ErrInvalid for a lossy wire, whose residual depends on the log.
	CommitBatch(ctx context.Context, l Layout, b BatchCommit) error
	// PutSnapshot stores a snapshot, makes it the newest if it is, and trims
	// the log and older snapshots off below it. It is idempotent. A snapshot of
	// steps that are not committed fails with job.ErrStale: the ledger has lost
	// them since, and what lies beside the snapshot with them.
	PutSnapshot(ctx context.Context, l Layout, s Snapshot) error
}

// Restorer begins a lost ledger again.
type Restorer interface {
	// Begin is PutSnapshot for a ledger that does not have the steps that the
	// snapshot folds: it commits them, and the ledger goes on from there. Their losses
	// must be stored before, as units of [Earlier], one of which ends with the
	// snapshot's step. Without that unit Begin fails with job.ErrStale. So a late call
	// to a ledger that was lost once more begins nothing.
	Begin(ctx context.Context, l Layout, s Snapshot) error
}
