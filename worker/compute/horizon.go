package compute

import (
	"sync"

	"tributary/shared/job"
	"tributary/shared/notice"
)

// horizon is how far a job's log is, as far as this worker knows, and which of the
// job's tasks were called back. What it says is a hint: the ledger knows better.
type horizon struct {
	ref job.Ref

	mu      sync.Mutex
	steps   int64 // committed
	before  int   // attempts below it are called back
	changed chan struct{}
}

func newHorizon(ref job.Ref) *horizon { return &horizon{ref: ref, changed: make(chan struct{})} }

// look tells the number of committed steps, the first attempt that is not called
// back, and what is closed when one of them changes.
func (h *horizon) look() (steps int64, before int, changed <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.steps, h.before, h.changed
}

// reached notes that so many steps are committed.
func (h *horizon) reached(steps int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if steps > h.steps {
		h.steps = steps
		h.tell()
	}
}

// corrected notes what the ledger says, which may be less than was told.
func (h *horizon) corrected(steps int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if steps != h.steps {
		h.steps = steps
		h.tell()
	}
}

// tell wakes who waits. h.mu is held.
func (h *horizon) tell() {
	close(h.changed)
	h.changed = make(chan struct{})
}

// hearCommit takes the news of a commit, of whichever run of the job's id.
func (h *horizon) hearCommit(n notice.Commit) {
	if n.Ref == h.ref {
		h.reached(n.Committed)
	}
}

// hearRecall takes the news that tasks are called back.
func (h *horizon) hearRecall(n notice.Recall) {
	if n.Ref != h.ref {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if n.Before > h.before {
		h.before = n.Before
		h.tell()
	}
}
