package run

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tributary/coordinator/fleet"
	"tributary/coordinator/round"
	"tributary/shared/job"
	"tributary/shared/journal"
	"tributary/shared/tree"
)

// What notices say is a hint: the job's ledger, journal and record are read before
// anything is done about it. One read confirms all hints that came since the last.
const (
	// confirmEvery bounds the rate at which hints have the ledger read while nothing
	// waits for its answer, confirmSoon while the next span or evaluation does.
	confirmEvery = 5 * time.Millisecond
	confirmSoon  = time.Millisecond
	// journalTimeout bounds a note that only speeds things up.
	journalTimeout = 250 * time.Millisecond
)

// hints are what notices told since the ledger was last read.
type hints struct {
	progress  bool // of commits or snapshots
	units     bool // of an evaluation's last unit
	saved     bool // of a checkpoint
	attempts  bool // of failed or lost attempts
	soon      bool // something waits for the answer
	confirmed time.Duration
}

// due is how long the hints may wait until they are confirmed. ok is false when there
// are none that wait for it.
func (h *hints) due(now time.Duration) (wait time.Duration, ok bool) {
	if !h.progress && !h.units && !h.saved {
		return 0, false
	}
	every := confirmEvery
	if h.soon {
		every = confirmSoon
	}
	return max(0, h.confirmed+every-now), true
}

// confirm reads what the hints are about.
func (t *training) confirm(ctx context.Context) error {
	units, saved := t.hints.units, t.hints.saved
	t.hints = hints{attempts: t.hints.attempts}
	err := t.look(ctx)
	if err == nil && units && t.round.Phase() == round.Evaluating {
		err = t.evaluate(ctx, round.Evaluate{Steps: t.round.Committed(), Final: t.final(t.round.Committed())}, false)
	}
	if err == nil && saved {
		err = t.checkpointed(ctx)
	}
	t.hints.confirmed = t.service.now()
	return err
}

// review reads the job's journal and judges what it tells: attempts that failed, and
// those whose workers are gone.
func (t *training) review(ctx context.Context) error {
	t.hints.attempts = false
	attempts, err := journal.Attempts(ctx, t.service.cfg.Ledger, t.ref)
	if err != nil {
		return t.unreachable(ctx, err)
	}
	var lost []*journal.Attempt
	for _, a := range attempts {
		switch {
		case a.Unsupported != "":
		case !a.Failed() && !t.over(a.Task):
			if t.service.gone(a.Worker) {
				lost = append(lost, a)
			}
			continue
		case !a.Failed() && !t.service.gone(a.Worker):
			continue
		}
		if err := a.End(ctx, t.service.cfg.Ledger); err != nil {
			return t.unreachable(ctx, err)
		}
		if a.Unsupported != "" {
			t.leave(a)
			continue
		}
		if !a.Failed() || a.Task.Attempt < t.first {
			continue // it was of a driver before this one
		}
		if err := t.failed(ctx, a); err != nil {
			return err
		}
	}
	return t.judgeLost(ctx, lost)
}

// over reports whether nobody waits for a task any more.
func (t *training) over(task job.Task) bool {
	return (task.Kind == job.Gradient || task.Kind == job.Evaluate) && task.Step < t.round.Committed()
}

// judgeLost fails the job when a task was lost with every worker that took it, over all
// its publications. A part of a lost node's work counts what the whole was lost.
func (t *training) judgeLost(ctx context.Context, lost []*journal.Attempt) error {
	for _, a := range lost {
		if a.Task.Attempt < t.first {
			if err := a.End(ctx, t.service.cfg.Ledger); err != nil {
				return t.unreachable(ctx, err)
			}
			continue
		}
		deaths := 0
		for _, b := range lost {
			if b.Task.Attempt >= t.first && holds(b.Task, a.Task) {
				deaths++
			}
		}
		verdict, trial := t.service.lost(a.Task, deaths)
		if verdict == fleet.Again {
			continue
		}
		for _, b := range lost { // a retry of the job begins with none
			if err := b.End(ctx, t.service.cfg.Ledger); err != nil {
				t.log.Debug().Err(err).Msg("erase a lost attempt")
			}
		}
		if a.Task.Kind == job.Save {
			return t.unsaved(ctx, a.Task, fmt.Sprintf("it was lost with %d workers", deaths))
		}
		err := fmt.Errorf("task %s was taken %d times and no worker came back with a result: %w", a.Task.Name(), deaths, job.ErrPoison)
		t.bury(ctx, trial, "", job.Sentence(err))
		return err
	}
	return nil
}

// holds reports whether one task asks for all that another one does: they begin at the
// same step, and its node is the other's or one above it.
func holds(whole, part job.Task) bool {
	if whole.Kind != part.Kind || whole.Step != part.Step || whole.Unit() != part.Unit() {
		return false
	}
	for n := part.Node; ; n = n.Parent() {
		if n == whole.Node {
			return true
		}
		if n <= tree.Root {
			return false
		}
	}
}

// note tries to write into the journal what only speeds things up.
func (t *training) note(ctx context.Context, what string, write func(context.Context) error) {
	ctx, cancel := context.WithTimeout(ctx, journalTimeout)
	defer cancel()
	if err := write(ctx); err != nil && !errors.Is(err, context.Canceled) {
		t.log.Debug().Err(err).Msg(what)
	}
}
