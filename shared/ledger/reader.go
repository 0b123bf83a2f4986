package ledger

import "context"

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

// LogRead says which chunks to read from the log, and where to.
type LogRead struct {
	Step   int64
	Chunks []int     // at least one, strictly increasing
	Dst    []float32 // [P]; each chunk goes to its place, the rest stays as it is
	Before Chain     // that the reader holds before Step, a link for each chunk of the layout
}

// Reader reads the committed history: how far it has come, the log, the newest
// snapshot. Parameters follow from it alone.
type Reader interface {
	// State reads how far the job has come; a job never heard of is at zero. The first
	// commit binds the ledger to the layout's plan: State and Snapshot fail with
	// job.ErrCorrupt for another plan from then on.
	State(ctx context.Context, l Layout) (State, error)
	// Root reads chunks of the step's root gradient and returns r.Before with the links
	// of these chunks past the step. It fails with job.ErrNotFound when the step is not
	// committed, with job.ErrStale when it was trimmed: a snapshot at or after it
	// exists; with job.ErrCorrupt when the step does not follow r.Before: the log was
	// forked, rolled back or written by another job.
	Root(ctx context.Context, l Layout, r LogRead) (s Sums, after Chain, err error)
	// Residual reads, of a job with a lossy wire, chunks of the residual before the
	// step: zeros before step 0, else what was appended with the step before. When that
	// is trimmed it reads the newest snapshot's residual, if the snapshot is of exactly
	// r.Step steps. It fails as Root of the step before does.
	Residual(ctx context.Context, l Layout, r LogRead) error
	// Losses reads the sums of the committed steps from … to-1. They outlive
	// the trimming of the log.
	Losses(ctx context.Context, l Layout, from, to int64) ([]Progress, error)
	// Snapshot reads the newest snapshot into vectors (each [P]) and returns
	// its step and the chain up to there. It fails with job.ErrNotFound when there is none.
	Snapshot(ctx context.Context, l Layout, vectors [][]float32) (step int64, chain Chain, err error)
}
