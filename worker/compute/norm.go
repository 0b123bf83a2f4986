package compute

import (
	"sync"
	"time"

	"tributary/shared/gradient"
	"tributary/shared/ledger"
	"tributary/shared/notice"
)

// normEvery is the shortest time between two steps of a job whose gradient norm this worker
// takes. Progress is reported no more often.
const normEvery = 250 * time.Millisecond

// norms takes the norm of a job's gradient now and then, for people who watch the job. A
// notice of a commit carries it.
type norms struct {
	mu     sync.Mutex
	due    time.Time // when the next one is taken
	newest *notice.GradientNorm
}

// see takes the norm of a step's root gradient [P] if it is time.
func (n *norms) see(clock func() time.Time, e *gradient.Engine, step int64, root ledger.Partial) {
	if clock == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if now := clock(); !now.Before(n.due) {
		n.due = now.Add(normEvery)
		n.newest = &notice.GradientNorm{Step: step, Norm: e.GradientNorm(root.Gradient, root.Sums)}
		if n.newest.Validate() != nil { // it is not finite
			n.newest = nil
		}
	}
}

// take returns the newest norm of the steps before committed, once; else nil.
func (n *norms) take(committed int64) *notice.GradientNorm {
	n.mu.Lock()
	defer n.mu.Unlock()
	newest := n.newest
	if newest == nil || newest.Step >= committed {
		return nil
	}
	n.newest = nil
	return newest
}

// announceCommit says that the steps before committed are in the ledger; step is one of them.
func (c *Computer) announceCommit(p *program, step, committed int64) {
	c.announced(c.announce.PublishCommit(notice.Commit{Ref: p.layout.Ref, Step: step, Committed: committed, GradientNorm: p.norms.take(committed)}))
}
