package ledger

import "context"

// State says how far a job has come.
type State struct {
	Committed int64 // number of committed steps: the steps 0 … Committed-1
	Snapshot  int64 // steps in the newest snapshot; 0 when there is none
	Floor     int64 // the first step whose root is still in the log
}

// Progress is the loss of a committed step.
type Progress struct {
	Step int64
	Sums Sums
}

// LogRead says which chunks of a step to read from the log, and into which vector.
type LogRead struct {
	Step   int64
	Chunks []int     // at least one, strictly increasing
	Dst    []float32 // [P]; each chunk is read to its place, the rest does not change
	Before Chain     // the reader's chain before Step, with a link for each chunk of the layout
}

// Source is everything that the training state follows from: the committed history and the
// evaluations.
type Source interface {
	Reader
	Results
}

// Reader reads the committed history: how far the job has come, the log, and the newest
// snapshot. The parameters follow from these alone.
type Reader interface {
	// State reads how far the job has come. For an unknown job, all fields are 0. The first
	// commit binds the ledger to the layout's plan: from then on, State and Snapshot fail
	// with job.ErrCorrupt for another plan.
	State(ctx context.Context, l Layout) (State, error)
	// Root reads chunks of the step's root gradient. after is r.Before, with the links of
	// these chunks advanced past the step. Root fails
	//   - with job.ErrNotFound when the step is not committed,
	//   - with job.ErrStale when the step is trimmed: then a snapshot at or after it
	//     exists,
	//   - with job.ErrCorrupt when the step does not follow r.Before: the log was forked,
	//     rolled back or written by another job.
	Root(ctx context.Context, l Layout, r LogRead) (s Sums, after Chain, err error)
	// Residual reads chunks of the residual before the step. Only a job with a lossy wire
	// has one: zeros before step 0, and otherwise what was appended with the step before.
	// When that is trimmed, Residual reads the residual of the newest snapshot, if the
	// snapshot has exactly r.Step steps. It has the errors of Root for the step before.
	Residual(ctx context.Context, l Layout, r LogRead) error
	// Losses reads the sums of the committed steps from … to-1. They stay when the log is
	// trimmed.
	Losses(ctx context.Context, l Layout, from, to int64) ([]Progress, error)
	// Snapshot reads the newest snapshot into vectors, each [P]. It returns the snapshot's
	// step and the chain after its last step. It fails with job.ErrNotFound when there is
	// no snapshot.
	Snapshot(ctx context.Context, l Layout, vectors [][]float32) (step int64, chain Chain, err error)
}
