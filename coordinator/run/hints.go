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

// What notices say is a hint. The coordinator reads the job's ledger, journal or record
// before it acts on one. One read confirms all hints since the last read.
const (
	// confirmEvery is the minimum time between reads of the ledger for hints while
	// nothing waits for the answer. confirmSoon applies while the next step range or
	// evaluation waits for it.
	confirmEvery = 5 * time.Millisecond
	confirmSoon  = time.Millisecond
	// journalTimeout bounds a write to the journal that only saves time.
	journalTimeout = 250 * time.Millisecond
)

// hints are what notices reported since the last read of the ledger.
type hints struct {
	progress  bool // commits or snapshots
	units     bool // the last unit of an evaluation
	saved     bool // a checkpoint
	attempts  bool // failed or lost attempts
	soon      bool // the machine waits for the answer
	confirmed time.Duration
}

// due returns how long the hints may wait for confirmation. ok is false if no hint waits.
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

// confirm reads the state that the hints are about.
func (t *training) confirm(ctx context.Context) error {
	units, saved := t.hints.units, t.hints.saved
	t.hints = hints{attempts: t.hints.attempts}
	err := t.checkLedger(ctx)
	if err == nil && units && t.round.Phase() == round.Evaluating {
		err = t.evaluate(ctx, round.Evaluate{Steps: t.round.Committed(), Final: t.round.Concluding()}, false)
	}
	if err == nil && saved {
		err = t.checkpointed(ctx)
	}
	t.hints.confirmed = t.service.now()
	return err
}

// review reads the job's journal and judges its attempts: those that failed and those
// whose workers are gone.
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
		case !a.Failed() && !t.obsolete(a.Task):
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
		if !a.Failed() || a.Task.Attempt < t.firstGeneration {
			continue // an attempt under an earlier driver
		}
		if err := t.failed(ctx, a); err != nil {
			return err
		}
	}
	return t.judgeLost(ctx, lost)
}

// obsolete reports whether a task's result is no longer needed.
func (t *training) obsolete(task job.Task) bool {
	return (task.Kind == job.Gradient || task.Kind == job.Evaluate) && task.Step < t.round.Committed()
}

// judgeLost fails the job if a task was lost with every worker that took it, over all its
// publications. The losses of a node also count for each part of its work.
func (t *training) judgeLost(ctx context.Context, lost []*journal.Attempt) error {
	for _, a := range lost {
		if a.Task.Attempt < t.firstGeneration {
			if err := a.End(ctx, t.service.cfg.Ledger); err != nil {
				return t.unreachable(ctx, err)
			}
			continue
		}
		deaths := 0
		for _, b := range lost {
			if b.Task.Attempt >= t.firstGeneration && holds(b.Task, a.Task) {
				deaths++
			}
		}
		verdict, trial := t.service.lost(a.Task, deaths)
		if verdict == fleet.Again {
			continue
		}
		for _, b := range lost { // so that a retry of the job starts without lost attempts
			if err := b.End(ctx, t.service.cfg.Ledger); err != nil {
				t.log.Debug().Err(err).Msg("erase a lost attempt")
			}
		}
		if a.Task.Kind == job.Save {
			return t.unsaved(ctx, a.Task, fmt.Sprintf("the task was taken %d times and no worker came back with a result", deaths))
		}
		err := fmt.Errorf("workers took task %s %d times, and none came back with a result: %w", a.Task.Name(), deaths, job.ErrPoison)
		t.storeDeadLetter(ctx, trial, "", job.Sentence(err))
		return err
	}
	return nil
}

// holds reports whether the task whole includes the work of the task part. They start at
// the same step, and whole's node is part's node or an ancestor of it.
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

// note tries to write an entry into the journal that only saves time.
func (t *training) note(ctx context.Context, what string, write func(context.Context) error) {
	ctx, cancel := context.WithTimeout(ctx, journalTimeout)
	defer cancel()
	if err := write(ctx); err != nil && !errors.Is(err, context.Canceled) {
		t.log.Debug().Err(err).Msg(what)
	}
}
