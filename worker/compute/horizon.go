package compute

import (
	"context"
	"sync"

	"tributary/shared/job"
	"tributary/shared/journal"
	"tributary/shared/ledger"
	"tributary/shared/notice"
)

// horizon is how far a job's log is and which of the job's tasks are recalled, as far
// as this worker knows. Notices are hints of it: a hint makes a task look, and the
// ledger decides.
type horizon struct {
	ref job.Ref

	mu      sync.Mutex
	hinted  int64 // steps committed, as the ledger or a notice said last
	known   int64 // steps committed, as the ledger said last
	before  int   // attempts below it are recalled, as a notice or the journal said last
	noted   int   // attempts below it are recalled, as the journal said last
	changed chan struct{}
}

func newHorizon(ref job.Ref) *horizon { return &horizon{ref: ref, changed: make(chan struct{})} }

// look returns the number of committed steps that was hinted at, and what is closed
// when something changes.
func (h *horizon) look() (hinted int64, changed <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.hinted, h.changed
}

// committed is how many steps the ledger had when it was last read.
func (h *horizon) committed() int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.known
}

// advance notes that the ledger has so many steps, or more by now.
func (h *horizon) advance(steps int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.known = max(h.known, steps)
	if steps > h.hinted {
		h.hinted = steps
		h.wake()
	}
}

// correct notes how many steps the ledger has, which may be less than was hinted at.
func (h *horizon) correct(steps int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.known = steps
	if steps != h.hinted {
		h.hinted = steps
		h.wake()
	}
}

// wake wakes who waits. h.mu is held.
func (h *horizon) wake() {
	close(h.changed)
	h.changed = make(chan struct{})
}

// hearCommit takes the hint of a commit, of whichever run of the job's id.
func (h *horizon) hearCommit(n notice.Commit) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if n.Ref == h.ref && n.Committed > h.hinted {
		h.hinted = n.Committed
		h.wake()
	}
}

// hearRecall takes the hint that tasks are recalled.
func (h *horizon) hearRecall(n notice.Recall) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if n.Ref == h.ref && n.Before > h.before {
		h.before = n.Before
		h.wake()
	}
}

// recalled reports whether tasks of an attempt are recalled. The journal is read when a
// notice says so; without the journal's word they are not.
func (h *horizon) recalled(ctx context.Context, l ledger.Journal, attempt int) bool {
	h.mu.Lock()
	before, noted := h.before, h.noted
	h.mu.Unlock()
	if noted > attempt || before <= attempt {
		return noted > attempt
	}
	noted, err := journal.Recalled(ctx, l, h.ref)
	if err != nil {
		return false // the next look asks again
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.noted = max(h.noted, noted)
	if h.before == before {
		h.before = h.noted // what the notice said is not true, or not yet
	}
	return h.noted > attempt
}
