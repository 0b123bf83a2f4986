package compute

import (
	"context"
	"sync"

	"tributary/shared/job"
	"tributary/shared/journal"
	"tributary/shared/ledger"
	"tributary/shared/notice"
)

// progress is how many steps of a job are committed and which of the job's tasks are
// recalled, as far as this worker knows. A notice is a hint: it makes a task read the
// ledger, which decides.
type progress struct {
	ref job.Ref

	mu      sync.Mutex
	hinted  int64 // steps committed, as the ledger or a notice said last
	known   int64 // steps committed, as the ledger said last
	before  int   // attempts below it are recalled, as a notice or the journal said last
	noted   int   // attempts below it are recalled, as the journal said last
	changed chan struct{}
}

func newProgress(ref job.Ref) *progress { return &progress{ref: ref, changed: make(chan struct{})} }

// hint returns how many steps are committed as the ledger or a notice said last, and a
// channel that is closed when something changes.
func (p *progress) hint() (hinted int64, changed <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.hinted, p.changed
}

// committed is how many steps the ledger had when it was last read.
func (p *progress) committed() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.known
}

// advance notes that the ledger has at least so many steps.
func (p *progress) advance(steps int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.known = max(p.known, steps)
	if steps > p.hinted {
		p.hinted = steps
		p.wake()
	}
}

// correct notes how many steps the ledger has, which may be less than was hinted at.
func (p *progress) correct(steps int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.known = steps
	if steps != p.hinted {
		p.hinted = steps
		p.wake()
	}
}

// wake wakes the tasks that wait. p.mu is held.
func (p *progress) wake() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// hearCommit takes the hint of a commit, of whichever run of the job's id.
func (p *progress) hearCommit(n notice.Commit) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n.Ref == p.ref && n.Committed > p.hinted {
		p.hinted = n.Committed
		p.wake()
	}
}

// hearRecall takes the hint that tasks are recalled.
func (p *progress) hearRecall(n notice.Recall) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n.Ref == p.ref && n.Before > p.before {
		p.before = n.Before
		p.wake()
	}
}

// recalled reports whether tasks of an attempt are recalled. The journal is read when a
// notice says so; without the journal's word they are not.
func (p *progress) recalled(ctx context.Context, l ledger.Journal, attempt int) bool {
	p.mu.Lock()
	before, noted := p.before, p.noted
	p.mu.Unlock()
	if noted > attempt || before <= attempt {
		return noted > attempt
	}
	noted, err := journal.Recalled(ctx, l, p.ref)
	if err != nil {
		return false // the next call asks again
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.noted = max(p.noted, noted)
	if p.before == before {
		p.before = p.noted // what the notice said is not true, or not yet
	}
	return p.noted > attempt
}
