package run

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"tributary/shared/job"
	"tributary/shared/notice"
)

// numerics is the arithmetic that the next tasks are computed with: the one
// the job was begun with, or for a job that is not strict the most common one
// in the fleet.
func (t *training) numerics() job.Numerics {
	if strict := t.engine.Plan.Spec.Strict; strict == nil || *strict {
		return t.record.Numerics
	}
	if present, _ := t.service.present(); len(present) > 0 {
		return present[0]
	}
	return t.record.Numerics
}

// quiet is how long a job waits for its first worker without saying so.
const quiet = time.Second

// chooseNumerics fixes the arithmetic of the job to the most common one in the
// fleet, waiting for a first worker.
func (t *training) chooseNumerics(ctx context.Context) error {
	began := t.service.now()
	for t.record.Numerics == "" {
		if present, _ := t.service.present(); len(present) > 0 {
			r, err := t.change(ctx, func(r *job.Record) { r.Numerics = present[0] })
			if err != nil {
				return err
			}
			t.record = r
			return nil
		}
		if t.service.now()-began > quiet {
			t.waitForWorker(ctx)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-t.inbox: // the fleet changed, as like as not
		case <-time.After(tickEvery):
		}
	}
	return nil
}

// waitForWorker says which worker the job waits for, again when that changes.
func (t *training) waitForWorker(ctx context.Context) {
	present, workers := t.service.present()
	needs := t.service.waitsForRoom(t.ref)
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
	default: // it has come just now
	}
}

// waitFor records what the job is waiting for, "" when it goes on, and tells people.
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
