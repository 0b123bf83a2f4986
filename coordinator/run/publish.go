package run

import (
	"fmt"
	"time"

	"tributary/shared/notice"
)

// publish sends an event about the job to users. It limits notes, errors and waits to 20
// in 10 s, so that a repeated fault does not push the job's history out of the stream. It
// says how many events it left out, before the next of them or before the end.
func (d *driver) publish(e notice.Event) {
	held := 0
	switch e.Type {
	case notice.NoteEvent, notice.ErrorEvent, notice.WaitingEvent:
		ok := false
		if ok, held = d.notes.Allow(time.Now()); !ok {
			return
		}
	case notice.StateEvent:
		if e.State.Final() {
			held = d.notes.Drain()
		}
	case notice.ProgressEvent, notice.EvaluationEvent, notice.VerificationEvent:
	}
	if held > 0 {
		d.send(notice.Event{Type: notice.NoteEvent, Step: e.Step, Message: fmt.Sprintf("%d notes, errors and waits of this job were left out: they came too fast", held)})
	}
	d.send(e)
}

func (d *driver) send(e notice.Event) {
	e.Job, e.Run, e.Time, e.Message = d.ref.Job, d.ref.Run, d.service.cfg.Now().UTC(), notice.Clip(e.Message)
	if err := d.service.cfg.Events.Publish(e); err != nil {
		d.log.Debug().Err(err).Str("type", string(e.Type)).Msg("publish event")
	}
}
