package run

import (
	"context"
	"fmt"
	"strings"
	"time"

	"tributary/shared/job"
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
			r, err := t.change(ctx, func(r *job.Record) { r.Numerics, r.Message = present[0], "" })
			if err != nil {
				return err
			}
			t.record = r
			return nil
		}
		if !t.waiting && t.service.now()-began > quiet {
			t.waiting = true
			t.waitFor(ctx, t.whyWaiting())
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

// whyWaiting says which worker the job waits for.
func (t *training) whyWaiting() string {
	present, workers := t.service.present()
	if workers == 0 {
		return "waiting: no worker is present"
	}
	names := make([]string, len(present))
	for i, n := range present {
		names[i] = string(n)
	}
	return fmt.Sprintf("waiting: the job is computed with numerics %s, and no worker present has it (%d have %s)",
		t.record.Numerics, workers, strings.Join(names, ", "))
}
