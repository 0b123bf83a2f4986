package run

import (
	"context"
	"fmt"
	"time"

	"tributary/coordinator/fleet"
	"tributary/shared/job"
	"tributary/shared/journal"
	"tributary/shared/notice"
)

// deadLetterTimeout bounds the time to store a dead letter. The job fails with its cause
// in any case.
const deadLetterTimeout = 5 * time.Second

// failed judges a failed attempt. A poisonous task ends the job. The coordinator retries
// any other task as long as the fleet's record of it allows. The failure counts as
// nothing while this coordinator also cannot write the ledger.
func (t *training) failed(ctx context.Context, f *journal.Attempt) error {
	if f.Task.Kind == job.Save {
		return t.unsaved(ctx, f.Task, f.Error)
	}
	verdict, trial := fleet.Poison, fleet.Trial{Task: f.Task}
	if !f.Poison {
		verdict, trial = t.service.judge(f, t.reachable(ctx))
	}
	if verdict == fleet.Poison {
		t.storeDeadLetter(ctx, trial, f.Worker, f.Error)
		if n := len(trial.Failed); n > 0 {
			return fmt.Errorf("task %s failed repeatedly on %d workers, the last time on %s: %s: %w", f.Task.Name(), n, f.Worker, f.Error, job.ErrPoison)
		}
		return fmt.Errorf("task %s on worker %s: %s: %w", f.Task.Name(), f.Worker, f.Error, job.ErrPoison)
	}
	t.publish(notice.Event{Type: notice.ErrorEvent, Step: f.Task.Step, Message: fmt.Sprintf("task %s failed on worker %s and is tried again: %s", f.Task.Name(), f.Worker, f.Error)})
	return nil
}

// leave records that a worker does not know what the job needs. The worker then does not
// count for the job, and the attempt counts neither as failed nor as lost.
func (t *training) leave(a *journal.Attempt) {
	s := t.service
	s.mu.Lock()
	news := s.fleet.Unsupported(t.ref, a.Worker)
	if news {
		s.notifyDrivers()
	}
	s.mu.Unlock()
	if t.unsupported = a.Unsupported; news {
		t.publish(notice.Event{Type: notice.NoteEvent, Step: t.round.Committed(), Message: fmt.Sprintf("worker %s does not know an operation of the job; other workers compute it: %s", a.Worker, a.Unsupported)})
	}
}

// exhausted handles a task that the queue has given up. It publishes the missing part of
// its work again. The journal holds the results of the deliveries.
func (t *training) exhausted(ctx context.Context, e exhausted) error {
	t.hints.attempts = true
	switch {
	case e.task.Kind == job.Save:
		return t.unsaved(ctx, e.task, fmt.Sprintf("%d attempts failed", e.deliveries))
	case e.task.Step < t.round.Committed():
		return nil
	}
	return t.inspect(ctx, t.round.Committed())
}

// storeDeadLetter stores the task that made its job fail as a dead letter.
func (t *training) storeDeadLetter(ctx context.Context, trial fleet.Trial, worker, cause string) {
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

// judge records a failed attempt and returns what to do with the task.
func (s *Service) judge(f *journal.Attempt, reachable bool) (fleet.Verdict, fleet.Trial) {
	s.mu.Lock()
	defer s.mu.Unlock()
	verdict, trial := s.fleet.Failed(s.now(), f.Task, f.Worker)
	if !reachable {
		s.fleet.Outage()
		verdict = fleet.Again
	}
	return verdict, trial
}

// lost records with how many workers a task was lost and returns what to do with the
// task.
func (s *Service) lost(t job.Task, deaths int) (fleet.Verdict, fleet.Trial) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fleet.Lost(t, deaths)
}

// gone reports whether the fleet does not know the worker. It reports false until
// fleet.Patience after the start, because all workers need that time to be heard.
func (s *Service) gone(worker string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now() > fleet.Patience && !s.fleet.Has(worker)
}

// setAsideWorkers sets workers aside that failed tasks of completed steps.
func (t *training) setAsideWorkers(ctx context.Context, steps int64) {
	s := t.service
	s.mu.Lock()
	asides := s.fleet.Done(s.now(), t.ref, steps, t.committer)
	if len(asides) > 0 {
		s.notifyDrivers()
	}
	s.mu.Unlock()
	for _, a := range asides {
		t.log.Warn().Str("worker", a.Worker).Dur("for", a.Cooldown).Msg("a worker fails tasks that other workers complete; the coordinator sets it aside")
		t.publish(notice.Event{Type: notice.NoteEvent, Step: steps, Message: fmt.Sprintf("worker %s fails tasks that other workers complete; the coordinator sets it aside for %s", a.Worker, a.Cooldown)})
		if s.cfg.SetAside == nil {
			continue
		}
		aside := notice.Aside{Ref: t.ref, Worker: a.Worker, Seconds: a.Cooldown.Seconds()}
		t.note(ctx, "note that a worker is set aside", func(ctx context.Context) error {
			return journal.SetAside(ctx, s.cfg.Ledger, aside)
		})
		if err := s.cfg.SetAside(aside); err != nil {
			t.log.Debug().Err(err).Msg("set a worker aside")
		}
	}
}
