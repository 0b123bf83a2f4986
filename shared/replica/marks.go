package replica

import (
	"context"
	"fmt"
	"slices"

	"tributary/shared/ledger"
)

// maxMarks bounds the marks kept: 512 KiB, of many more steps than there are
// between two snapshots.
const maxMarks = 1 << 16

// mark notes the chain past the step that was folded last; nil when it is not
// known yet: Confirm notes it. The lock is held with everything.
func (r *Replica) mark(after ledger.Chain) {
	if after == nil {
		return
	}
	if len(r.marks) >= maxMarks {
		r.marks = append(r.marks[:0], r.marks[maxMarks/2:]...)
	}
	r.marks = append(r.marks, after.Mark())
}

// Marks returns the marks of the steps from, from+1, …: the newest that were folded
// here one by one and are in the log.
func (r *Replica) Marks(ctx context.Context) (from int64, marks []ledger.Mark, err error) {
	if err := r.lock.Acquire(ctx, 1); err != nil {
		return 0, nil, fmt.Errorf("wait for the replica: %w", err)
	}
	defer r.lock.Release(1)
	from = r.step - int64(len(r.marks))
	if r.chain == nil {
		from-- // the last step is speculative
	}
	return from, slices.Clone(r.marks), nil
}
