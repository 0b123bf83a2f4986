package compute

import (
	"context"
	"sync"

	"tributary/shared/job"
	"tributary/shared/journal"
	"tributary/shared/ledger"
	"tributary/shared/notice"
)

// progress is what this worker knows about a job: how many steps are committed, and which
// tasks are recalled. A notice is only a hint. It makes a task read the ledger, and the
// ledger decides.
type progress struct {
	ref job.Ref

	mu      sync.Mutex
	hinted  int64 // committed steps, as the ledger or a notice last reported
	known   int64 // committed steps, as the ledger last reported
	before  int   // attempts below it are recalled, as a notice or the journal last reported
	noted   int   // attempts below it are recalled, as the journal last reported
	changed chan struct{}
}

func newProgress(ref job.Ref) *progress { return &progress{ref: ref, changed: make(chan struct{})} }

// hint returns how many steps are committed, as the ledger or a notice last reported.
// changed is closed when anything changes.
func (p *progress) hint() (hinted int64, changed <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.hinted, p.changed
}

// committed returns how many steps the ledger had when the worker last read it.
func (p *progress) committed() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.known
}

// advance records that the ledger has at least so many steps.
func (p *progress) advance(steps int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.known = max(p.known, steps)
	if steps > p.hinted {
		p.hinted = steps
		p.wake()
	}
}

// correct records how many steps the ledger has. This may be less than a notice reported.
func (p *progress) correct(steps int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.known = steps
	if steps != p.hinted {
		p.hinted = steps
		p.wake()
	}
}

// wake wakes the tasks that wait. The caller holds p.mu.
func (p *progress) wake() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// receiveCommit takes the hint that a step was committed. It ignores other runs of the
// job's id.
func (p *progress) receiveCommit(n notice.Commit) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n.Ref == p.ref && n.Committed > p.hinted {
		p.hinted = n.Committed
		p.wake()
	}
}

// receiveRecall takes the hint that tasks are recalled. It ignores other runs of the job's
// id.
func (p *progress) receiveRecall(n notice.Recall) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n.Ref == p.ref && n.Before > p.before {
		p.before = n.Before
		p.wake()
	}
}

// recalled reports whether the tasks of this attempt are recalled. If a notice says so,
// recalled reads the journal; only the journal decides.
func (p *progress) recalled(ctx context.Context, l ledger.Journal, attempt int) bool {
	p.mu.Lock()
	before, noted := p.before, p.noted
	p.mu.Unlock()
	if noted > attempt || before <= attempt {
		return noted > attempt
	}
	noted, err := journal.Recalled(ctx, l, p.ref)
	if err != nil {
		return false // the next call reads the journal again
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.noted = max(p.noted, noted)
	if p.before == before {
		p.before = p.noted // the notice is wrong, or came too early
	}
	return p.noted > attempt
}
