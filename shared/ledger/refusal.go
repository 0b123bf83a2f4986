package ledger

import (
	"fmt"

	"tributary/shared/job"
)

// NoLosses returns the error of Begin when the losses of the snapshot's steps are not
// stored.
func NoLosses(step int64) error {
	return fmt.Errorf("begin with snapshot %d: the losses of its steps are not stored: %w", step, job.ErrStale)
}

// NotNext returns the error of a batch commit whose steps are not the ledger's next ones.
func NotNext(from, to, committed int64) error {
	return fmt.Errorf("batch commit from step %d to %d: the ledger has %d steps, or has lost marks: %w", from, to, committed, job.ErrStale)
}

// NotCommitted returns the error of PutSnapshot when the ledger does not have the
// snapshot's steps.
func NotCommitted(step, committed int64) error {
	return fmt.Errorf("put snapshot %d: the ledger has %d steps: %w", step, committed, job.ErrStale)
}
