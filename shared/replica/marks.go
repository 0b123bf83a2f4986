package replica

import (
	"context"
	"fmt"
	"slices"

	"tributary/shared/ledger"
)

// maxMarks bounds the marks that a replica keeps. It is 512 KiB of marks: many more steps
// than there are between two snapshots.
const maxMarks = 1 << 16

// mark appends the mark of the chain after the newest folded step. It does nothing when the
// chain is not known yet (nil); Confirm appends the mark then. The caller holds the whole
// lock.
func (r *Replica) mark(after ledger.Chain) {
	if after == nil {
		return
	}
	if len(r.marks) >= maxMarks {
		r.marks = append(r.marks[:0], r.marks[maxMarks/2:]...)
	}
	r.marks = append(r.marks, after.Mark())
}

// Marks returns the marks of the steps from, from+1, …: the newest steps that this replica
// folded one by one and whose chain it knows. The steps of a batch that is not committed yet
// are among them; other speculative steps are not. Steps that a snapshot brought have no
// marks here.
func (r *Replica) Marks(ctx context.Context) (from int64, marks []ledger.Mark, err error) {
	if err := r.lock.Acquire(ctx, 1); err != nil {
		return 0, nil, fmt.Errorf("wait for the replica: %w", err)
	}
	defer r.lock.Release(1)
	from = r.step - int64(len(r.marks))
	if r.chain == nil {
		from-- // the chain after the last step is not known
	}
	return from, slices.Clone(r.marks), nil
}
