package run

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"tributary/coordinator/fleet"
	"tributary/shared/job"
	"tributary/shared/notice"
	"tributary/shared/queue"
)

// numerics returns the arithmetic of the next tasks. A strict job keeps the arithmetic
// that it started with. Another job uses the most common one among the workers that can
// hold it.
func (t *training) numerics() job.Numerics {
	if t.strict() {
		return t.record.Numerics
	}
	if present := t.service.present(needOf(t.record)); len(present) > 0 {
		return present[0]
	}
	return t.record.Numerics
}

// strict reports whether one arithmetic computes the whole job.
func (t *training) strict() bool {
	strict := t.engine.Plan.Spec.Strict
	return strict == nil || *strict
}

// reportAfter is how long a job waits for its first worker before it reports that.
const reportAfter = time.Second

// chooseNumerics sets the arithmetic of the job to the most common one among the workers
// that can hold it. It waits for the first such worker.
func (t *training) chooseNumerics(ctx context.Context) error {
	began := t.service.now()
	for t.record.Numerics == "" {
		if n, ok := t.taken(ctx); ok {
			r, err := t.change(ctx, func(r *job.Record) { r.Numerics = n })
			if err != nil {
				return err
			}
			t.record = r
			return nil
		}
		if t.service.now()-began > reportAfter {
			t.waitForWorker(ctx)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-t.inbox: // probably the fleet changed
		case <-time.After(tickEvery):
		}
	}
	return nil
}

// taken returns the most common numerics among the workers that can hold the job for
// which the queue confirms a consumer. Heartbeats alone are only a hint. A worker that
// serves the job's class also serves the base class. While it is busy with tasks of the base
// class, it does not wait for tasks of the other one.
func (t *training) taken(ctx context.Context) (n job.Numerics, ok bool) {
	for _, n := range t.service.present(needOf(t.record)) {
		for _, class := range slices.Compact([]job.Class{t.service.class(n, t.record), ""}) {
			taken, err := t.service.cfg.Queue.Taken(ctx, queue.Class{Lane: queue.GradientLane, Numerics: n, Job: class})
			if err != nil {
				t.log.Debug().Err(err).Msg("ask the queue whether workers take tasks")
			} else if taken {
				return n, true
			}
		}
	}
	return "", false
}

// waitForWorker reports which worker the job waits for, and reports again if that
// changes.
func (t *training) waitForWorker(ctx context.Context) {
	present, workers := t.service.present(fleet.Need{}), t.service.workers()
	able := t.service.present(needOf(t.record))
	only := t.record.Numerics
	if !t.strict() {
		only = ""
	}
	needs := t.service.waitsForRoom(t.ref)
	unclear := t.unclear
	t.unclear = 0
	switch {
	case needs != "":
		t.waitFor(ctx, needs)
	case workers == 0:
		t.waitFor(ctx, "waiting: no worker is present")
	case t.record.Numerics != "" && !slices.Contains(present, t.record.Numerics):
		names := make([]string, len(present))
		for i, n := range present {
			names[i] = string(n)
		}
		t.waitFor(ctx, fmt.Sprintf("waiting: the job is computed with numerics %s, and no worker present has it (%d have %s)",
			t.record.Numerics, workers, strings.Join(names, ", ")))
	default:
		if class := needOf(t.record).Class.AnyMemory(); !t.service.serves(class) {
			t.waitFor(ctx, fmt.Sprintf("waiting: the job needs %s; none of the %d workers present (%s) knows it", class, workers, t.service.versions()))
			return
		}
		if n, most := t.service.largest(only); most > 0 && t.record.Need > most {
			t.waitFor(ctx, tooLarge(t.record.Need, n, most))
			return
		}
		if t.unsupported != "" && len(able) == 0 {
			t.waitFor(ctx, fmt.Sprintf("waiting: none of the %d workers present (%s) knows an operation of the job: %s", workers, t.service.versions(), t.unsupported))
			return
		}
		now := t.service.now()
		if t.unclear = cmp.Or(unclear, max(1, now)); now-t.unclear > reportAfter { // else a worker has come just now
			t.waitFor(ctx, fmt.Sprintf("waiting: none of the %d workers present takes tasks now", workers))
		}
	}
}

// tooLarge returns a message that a job waits for a worker with more memory.
func tooLarge(need int64, workers int, most int64) string {
	those := fmt.Sprintf("the largest of %d workers present has", workers)
	if workers == 1 {
		those = "the one worker present has"
	}
	return fmt.Sprintf("waiting: the job needs %s of memory in a worker; %s %s for tasks",
		humanize.Bytes(uint64(need)), those, humanize.Bytes(uint64(most)))
}

// present returns the numerics of the workers that meet a job's need, the most common
// first.
func (s *Service) present(need fleet.Need) []job.Numerics {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fleet.Numerics(need)
}

// workers returns the number of all workers.
func (s *Service) workers() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fleet.Workers()
}

// class returns the class in which a job's tasks are published.
func (s *Service) class(n job.Numerics, r job.Record) job.Class {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fleet.Class(n, needOf(r))
}

// serves reports whether a worker serves the class.
func (s *Service) serves(class job.Class) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fleet.Serves(class)
}

// versions returns a text with the versions of the present workers.
func (s *Service) versions() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fleet.Versions()
}

// largest returns the number of workers with the given numerics, "" for any, and the
// largest memory among them.
func (s *Service) largest(n job.Numerics) (workers int, most int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fleet.Largest(n)
}

// waitFor records what the job waits for, "" when it goes on, and publishes an event.
func (t *training) waitFor(ctx context.Context, message string) {
	if message == t.waits {
		return
	}
	t.waits = message
	if _, err := t.change(ctx, func(r *job.Record) { r.Message = message }); err != nil {
		t.log.Debug().Err(err).Msg("record message")
	}
	if message != "" {
		t.log.Info().Msg(message)
		t.publish(notice.Event{Type: notice.WaitingEvent, Message: message})
	}
}
