package compute

import (
	"context"
	"fmt"
	"time"

	"tributary/worker/course"
)

// How long a task of several steps waits for the others' part of a step before it ends:
// the coordinator publishes what is missing, and tasks for what follows. Until then the
// worker hears of commits, and reads the ledger for those that it did not hear of.
const (
	waitPatience = time.Second
	firstLook    = 20 * time.Millisecond
	lastLook     = 160 * time.Millisecond
)

// look says what this worker knows.
func (st *stepper) look(ctx context.Context) course.Event {
	defer st.lap(Waiting)
	return st.seen(ctx)
}

func (st *stepper) seen(ctx context.Context) course.Event {
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

// recalled reports whether the task is to end after the step in hand.
func (st *stepper) recalled(ctx context.Context) bool {
	return st.p.progress.recalled(ctx, st.ledger, st.t.Attempt)
}

// wait waits until so many steps are committed, as far as this worker knows. Other tasks
// have the slots meanwhile.
func (st *stepper) wait(ctx context.Context, steps int64) (e course.Event, err error) {
	defer st.lap(Waiting)
	if seen := st.seen(ctx); seen.Is != course.Seen || seen.Committed >= steps {
		return seen, nil
	}
	err = st.h.Aside(ctx, func() (err error) {
		e, err = st.waitCommit(ctx, steps)
		return err
	})
	return e, err
}

// waitCommit waits for the commit itself.
func (st *stepper) waitCommit(ctx context.Context, steps int64) (course.Event, error) {
	until := time.NewTimer(waitPatience)
	defer until.Stop()
	every := firstLook
	look := time.NewTimer(every)
	defer look.Stop()
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
		case <-look.C:
			state, err := st.ledger.State(ctx, st.p.layout)
			if err != nil {
				return course.Event{}, fmt.Errorf("is step %d committed? %w", steps-1, err)
			}
			st.p.progress.advance(state.Committed)
			every = min(2*every, lastLook)
			look.Reset(every)
		case <-until.C:
			return course.Event{Is: course.Overdue}, nil
		case <-st.h.Leaving():
			return course.Event{Is: course.Leaving}, nil
		case <-ctx.Done():
			return course.Event{}, ctx.Err()
		}
	}
}
