package run

import (
	"context"
	"fmt"
	"time"

	"tributary/coordinator/fleet"
	"tributary/shared/job"
	"tributary/shared/notice"
)

// deadLetterTimeout bounds the keeping of a dead letter; the job fails with its
// cause in any case.
const deadLetterTimeout = 5 * time.Second

// failed takes a worker's report: poison ends the job, anything else is tried
// again, for as long as the fleet's record of it lets one believe that it passes.
// A failure while the ledger cannot be written from here either tells nothing.
func (t *training) failed(ctx context.Context, f notice.Failure) error {
	if f.Full {
		return t.refused(ctx, f)
	}
	verdict, trial := fleet.Poison, fleet.Trial{Task: f.Task}
	if !f.Poison {
		verdict, trial = t.service.judge(f, t.reachable(ctx))
	}
	if verdict == fleet.Poison {
		t.bury(ctx, trial, f.Worker, f.Error)
		if n := len(trial.Failed); n > 0 {
			return fmt.Errorf("task %s failed on %d workers, again and again, at last on %s: %s: %w", f.Task.Name(), n, f.Worker, f.Error, job.ErrPoison)
		}
		return fmt.Errorf("task %s on worker %s: %s: %w", f.Task.Name(), f.Worker, f.Error, job.ErrPoison)
	}
	t.publish(notice.Event{Type: notice.ErrorEvent, Step: f.Task.Step, Message: fmt.Sprintf("task %s failed on worker %s and is tried again: %s", f.Task.Name(), f.Worker, f.Error)})
	return nil
}

// exhausted takes a task the queue has given up on. One that failed for
// passing reasons, or may have, before this driver listened, is asked for
// again; one that was lost with every worker that took it is poison.
func (t *training) exhausted(ctx context.Context, e exhausted) error {
	if e.task.Step < t.round.Committed() {
		return nil
	}
	if !t.reachable(ctx) {
		t.service.excuse(e.task)
		return nil // it is published again when the ledger can be written
	}
	verdict, trial := t.service.lost(e)
	if verdict == fleet.Again || e.task.Attempt < t.era {
		return t.inspect(ctx, t.round.Committed())
	}
	err := fmt.Errorf("task %s was delivered %d times and no worker came back with a result: %w", e.task.Name(), e.deliveries, job.ErrPoison)
	t.bury(ctx, trial, "", job.Sentence(err))
	return err
}

// bury keeps a task that its job fails of as a dead letter.
func (t *training) bury(ctx context.Context, trial fleet.Trial, worker, cause string) {
	if t.service.cfg.DeadLetter == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, deadLetterTimeout)
	defer cancel()
	err := t.service.cfg.DeadLetter(ctx, notice.DeadLetter{
		Ref: t.ref, Time: t.service.cfg.Now().UTC(), Task: trial.Task, Name: trial.Task.Name(),
		Worker: worker, Error: notice.Clip(cause), Failed: trial.Failed, Lost: trial.Lost,
	})
	if err != nil {
		t.log.Warn().Err(err).Msg("keep the dead letter")
	}
}

// judge notes a failed attempt and says what becomes of the task.
func (s *Service) judge(f notice.Failure, reachable bool) (fleet.Verdict, fleet.Trial) {
	s.mu.Lock()
	defer s.mu.Unlock()
	verdict, trial := s.fleet.Failed(s.now(), f.Task, f.Worker)
	if !reachable {
		s.fleet.Outage()
		verdict = fleet.Again
	}
	return verdict, trial
}

// lost notes that nothing came of a task's deliveries, likewise.
func (s *Service) lost(e exhausted) (fleet.Verdict, fleet.Trial) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fleet.Lost(e.task, e.deliveries)
}

// blame sets workers aside that failed tasks of the steps that are done.
func (t *training) blame(steps int64) {
	s := t.service
	s.mu.Lock()
	asides := s.fleet.Done(s.now(), t.ref, steps, t.committer)
	if len(asides) > 0 {
		s.tellFleet()
	}
	s.mu.Unlock()
	for _, a := range asides {
		t.log.Warn().Str("worker", a.Worker).Dur("for", a.Cooldown).Msg("a worker fails what others do; it is set aside")
		t.publish(notice.Event{Type: notice.NoteEvent, Step: steps, Message: fmt.Sprintf("worker %s fails what others do and is set aside for %s", a.Worker, a.Cooldown)})
		if s.cfg.SetAside == nil {
			continue
		}
		if err := s.cfg.SetAside(notice.Aside{Worker: a.Worker, Seconds: a.Cooldown.Seconds()}); err != nil {
			t.log.Debug().Err(err).Msg("set a worker aside")
		}
	}
}
