package run

import (
	"context"
	"fmt"
	"time"

	"tributary/shared/job"
	"tributary/shared/notice"
)

// deadline returns when the time of the job is over, by this process's monotonic clock; 0 if
// it has no such time. The time counts from the start in the job's record, so that another
// coordinator does not begin it again.
func (d *driver) deadline(p *prepared) time.Duration {
	after := p.engine.Plan.Spec.Stop.After()
	if after == 0 {
		return 0
	}
	started := p.record.Created
	if p.record.Started != nil {
		started = *p.record.Started
	}
	left := started.Add(after).Sub(d.service.cfg.Now())
	return max(1, d.service.now()+left) // 0 means never
}

// stopAt records that the job ends after so many steps because its time is over. A
// coordinator that takes the job later ends it there too, whatever its clock says.
func (t *training) stopAt(ctx context.Context, steps int64) error {
	r, err := t.change(ctx, func(r *job.Record) { r.StopAt = steps })
	if err != nil {
		return err
	}
	t.record = r
	t.publish(notice.Event{Type: notice.NoteEvent, Step: steps, Steps: t.engine.Plan.Steps(), Message: t.timeOver()})
	return nil
}

// timeOver says in a sentence that the job's time is over.
func (t *training) timeOver() string {
	return fmt.Sprintf("the job stopped after %d of %d steps: its time of %s was over", t.record.StopAt, t.engine.Plan.Steps(), t.engine.Plan.Spec.Stop.After())
}
