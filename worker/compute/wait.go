package compute

import (
	"context"
	"fmt"
	"time"

	"tributary/worker/course"
)

// waitPatience is how long a task of several steps waits for the commit of a step before
// it ends. Then the coordinator publishes tasks for what is missing and for what follows.
// While the task waits, the worker hears notices of commits. It also reads the ledger,
// for the notices that it misses: first after firstPoll, then at growing intervals up to
// lastPoll.
const (
	waitPatience = time.Second
	firstPoll    = 20 * time.Millisecond
	lastPoll     = 160 * time.Millisecond
)

// poll returns what this worker knows, without waiting.
func (st *stepper) poll(ctx context.Context) course.Event {
	defer st.endPhase(Waiting)
	return st.status(ctx)
}

func (st *stepper) status(ctx context.Context) course.Event {
	select {
	case <-st.h.Leaving():
		return course.Event{Is: course.Leaving}
	default:
	}
	if st.recalled(ctx) {
		return course.Event{Is: course.Recalled}
	}
	hinted, _ := st.p.progress.hint()
	return course.Event{Is: course.Seen, Committed: hinted}
}

// recalled reports whether the task must end after the current step.
func (st *stepper) recalled(ctx context.Context) bool {
	return st.p.progress.recalled(ctx, st.ledger, st.t.Attempt)
}

// wait waits until so many steps are committed, as far as this worker knows. Meanwhile
// other tasks use the slots.
func (st *stepper) wait(ctx context.Context, steps int64) (e course.Event, err error) {
	defer st.endPhase(Waiting)
	if seen := st.status(ctx); seen.Is != course.Seen || seen.Committed >= steps {
		return seen, nil
	}
	err = st.h.Aside(ctx, func() (err error) {
		e, err = st.waitCommit(ctx, steps)
		return err
	})
	return e, err
}

// waitCommit does the waiting of wait.
func (st *stepper) waitCommit(ctx context.Context, steps int64) (course.Event, error) {
	until := time.NewTimer(waitPatience)
	defer until.Stop()
	every := firstPoll
	poll := time.NewTimer(every)
	defer poll.Stop()
	for {
		hinted, changed := st.p.progress.hint()
		if hinted >= steps {
			return course.Event{Is: course.Seen, Committed: hinted}, nil
		}
		if st.recalled(ctx) {
			return course.Event{Is: course.Recalled}, nil
		}
		select {
		case <-changed:
		case <-poll.C:
			state, err := st.ledger.State(ctx, st.p.layout)
			if err != nil {
				return course.Event{}, fmt.Errorf("check whether step %d is committed: %w", steps-1, err)
			}
			st.p.progress.advance(state.Committed)
			every = min(2*every, lastPoll)
			poll.Reset(every)
		case <-until.C:
			return course.Event{Is: course.Overdue}, nil
		case <-st.h.Leaving():
			return course.Event{Is: course.Leaving}, nil
		case <-ctx.Done():
			return course.Event{}, ctx.Err()
		}
	}
}
