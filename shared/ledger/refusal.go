package ledger

import (
	"fmt"

	"tributary/shared/job"
)

// NoLosses is the refusal to begin with a snapshot when the losses of its steps are
// not stored.
func NoLosses(step int64) error {
	return fmt.Errorf("begin with snapshot %d: the losses of its steps are not there: %w", step, job.ErrStale)
}

// NotNext is the refusal of a batch commit of steps that are not the ledger's next ones.
func NotNext(from, to, committed int64) error {
	return fmt.Errorf("batch commit from step %d to %d: the ledger has %d steps, or has lost marks: %w", from, to, committed, job.ErrStale)
}

// NotCommitted is the refusal of a snapshot of steps that the ledger does not have.
func NotCommitted(step, committed int64) error {
	return fmt.Errorf("put snapshot %d: the ledger has %d steps: %w", step, committed, job.ErrStale)
}
