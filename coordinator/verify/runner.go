package verify

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"tributary/shared/job"
	"tributary/shared/lifecycle"
	"tributary/shared/notice"
)

// Events publishes events to users.
type Events interface {
	Publish(notice.Event) error
}

// maxPending is the maximum number of verifications that wait for the current one.
const maxPending = 16

// Runner runs verifications of jobs one at a time and publishes their progress.
type Runner struct {
	open   func(context.Context, job.ID) (*Subject, error)
	events Events
	// Second gives the second opinion on a difference; nil: none. Set it before Run.
	Second Second
	queue  chan *pending
}

// pending is a requested verification.
type pending struct {
	subject *Subject
	request Request
	ticket  string
	done    chan result // buffered for the one result
}

type result struct {
	v   job.Verification
	err error
}

// NewRunner returns a runner. It starts its work in Run.
func NewRunner(open func(context.Context, job.ID) (*Subject, error), events Events) *Runner {
	return &Runner{open: open, events: events, queue: make(chan *pending, maxPending)}
}

// Ask requests the verification of a job and returns its result. If that takes longer
// than wait, Ask returns the current state, and events report the rest. It fails with
// job.ErrFull if too many requests wait.
func (d *Runner) Ask(ctx context.Context, id job.ID, r Request, wait time.Duration) (job.Verification, error) {
	if err := r.Validate(); err != nil {
		return job.Verification{}, err
	}
	s, err := d.open(ctx, id)
	if err != nil {
		return job.Verification{}, err
	}
	if _, err := r.choose(s.Committed); err != nil {
		return job.Verification{}, err
	}
	a := &pending{subject: s, request: r, ticket: strings.ToLower(rand.Text()[:8]), done: make(chan result, 1)}
	select {
	case d.queue <- a:
	default:
		return job.Verification{}, fmt.Errorf("verify job %q: %d verifications are waiting already; try again later: %w", id, maxPending, job.ErrFull)
	}
	if wait > 0 {
		late := time.NewTimer(wait)
		defer late.Stop()
		select {
		case got := <-a.done:
			return got.v, got.err
		case <-ctx.Done():
		case <-late.C:
		}
	}
	return job.Verification{ID: id, Ticket: a.ticket, State: job.Verifying, Committed: s.Committed}, nil
}

// Run executes verifications until ctx ends.
func (d *Runner) Run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case a := <-d.queue:
			d.do(ctx, a)
		}
	}
}

func (d *Runner) do(ctx context.Context, a *pending) {
	f := Verifier{Second: d.Second, Progress: func(v job.Verification) { d.publish(a, v) }}
	v := job.Verification{ID: a.subject.Layout.Job, State: job.Unknown, Committed: a.subject.Committed}
	err := lifecycle.Contain("verify", func() (err error) {
		v, err = f.Verify(ctx, a.subject, a.request)
		return err
	})
	if p := (*lifecycle.PanicError)(nil); errors.As(err, &p) {
		v.Error = job.Sentence(err)
	}
	if ctx.Err() != nil {
		v.State, v.Error = job.Unknown, "the coordinator was stopped; ask again"
		err = fmt.Errorf("%s: %w", v.Error, job.ErrFull)
	}
	v.Ticket = a.ticket
	d.publish(a, v)
	a.done <- result{v, err}
}

// publish publishes the state of a verification. A failure to publish does no harm.
func (d *Runner) publish(a *pending, v job.Verification) {
	v.Ticket = a.ticket
	ref := a.subject.Layout.Ref
	_ = d.events.Publish(notice.Event{
		Job: ref.Job, Run: ref.Run, Time: time.Now().UTC(), Type: notice.VerificationEvent,
		Step: v.Committed, Message: notice.Clip(Sentence(v)), Verification: &v,
	})
}

// Sentence returns a verification as a sentence for people.
func Sentence(v job.Verification) string {
	done := fmt.Sprintf("%d steps computed again, %d of them compared with what was recorded", v.Computed, v.Compared)
	switch v.State {
	case job.Verifying:
		return "verifying: " + done
	case job.Verified:
		return "verified: all is as recorded: " + done
	case job.Differs:
		return "not as recorded: " + v.Difference.Message
	default:
		return "not verified: " + v.Error
	}
}
