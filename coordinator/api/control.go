package api

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tributary/shared/job"
	"tributary/shared/notice"
)

// Pause stops a job until it is resumed. The job's driver sees the change in the record,
// as for every request here.
func (a *API) Pause(ctx context.Context, payload []byte) (Status, error) {
	return a.ask(ctx, payload, job.Pause)
}

// Resume lets a paused job go on.
func (a *API) Resume(ctx context.Context, payload []byte) (Status, error) {
	return a.ask(ctx, payload, job.Resume)
}

// Retry lets a job go on that failed or was cancelled.
func (a *API) Retry(ctx context.Context, payload []byte) (Status, error) {
	return a.ask(ctx, payload, job.Retry)
}

// Cancel ends a job that has not ended.
func (a *API) Cancel(ctx context.Context, payload []byte) (Status, error) {
	return a.ask(ctx, payload, job.Cancel)
}

// ask applies a request to the record of the job that the payload names.
func (a *API) ask(ctx context.Context, payload []byte, q job.Request) (Status, error) {
	id, err := parseID(payload)
	if err != nil {
		return Status{}, err
	}
	r, err := a.apply(ctx, id, q)
	return status(r), err
}

// apply applies a request to a job's record and publishes the new state.
func (a *API) apply(ctx context.Context, id job.ID, q job.Request) (job.Record, error) {
	now := time.Now().UTC()
	r, changed, err := a.change(ctx, id, func(r *job.Record) (bool, error) { return r.Ask(q, now) })
	if err != nil {
		return job.Record{}, err
	}
	if changed && q != job.Remove {
		a.Log.Info().Str("job", string(r.ID)).Str("state", string(r.State)).Int("resumed", r.Resumed).Msg("job " + asked[q])
		_ = a.Events.Publish(notice.Event{Job: r.ID, Run: r.Run, Time: now, Type: notice.StateEvent, State: r.State})
	}
	return r, nil
}

// asked has the past tense of each request, for the log.
var asked = map[job.Request]string{job.Pause: "paused", job.Resume: "resumed", job.Retry: "retried", job.Cancel: "cancelled"}

// change changes a job's record by compare-and-set. It also writes a record that alter
// leaves unchanged, because the record that it read may be stale. The compare-and-set
// then detects that.
func (a *API) change(ctx context.Context, id job.ID, alter func(*job.Record) (changed bool, err error)) (job.Record, bool, error) {
	for {
		r, revision, err := a.Records.Get(ctx, id)
		if err != nil {
			return r, false, unknown(id, err)
		}
		changed, err := alter(&r)
		if err != nil {
			return r, false, err
		}
		_, err = a.Records.Update(ctx, r, revision)
		if errors.Is(err, job.ErrConflict) && ctx.Err() == nil {
			continue // the record changed meanwhile; read it again
		}
		if err != nil {
			return r, false, fmt.Errorf("change job %q: %w", id, err)
		}
		return r, changed, nil
	}
}

// Share is the answer about a job's share of the fleet's slots.
type Share struct {
	Status
	Priority int `json:"priority"`
	MaxSlots int `json:"max_slots,omitempty"`
}

// The limits of a share, as in the spec's schema.
const (
	maxPriority = 100
	maxSlots    = 65536
)

// Prioritize changes a job's priority, the maximum number of slots that it may use (0: no
// limit), or both.
func (a *API) Prioritize(ctx context.Context, payload []byte) (Share, error) {
	var request struct {
		ID       job.ID `json:"id"`
		Priority *int   `json:"priority"`
		MaxSlots *int   `json:"max_slots"`
	}
	if err := parse(payload, &request, &request.ID, `, "priority": 20, "max_slots": 4`); err != nil {
		return Share{}, err
	}
	p, m := request.Priority, request.MaxSlots
	switch {
	case p == nil && m == nil:
		return Share{}, fmt.Errorf(`priority: missing: want {"id":"…","priority":20}, or max_slots, or both: %w`, job.ErrInvalid)
	case p != nil && (*p < 1 || *p > maxPriority):
		return Share{}, fmt.Errorf("priority: %d: want an integer from 1 to %d: %w", *p, maxPriority, job.ErrInvalid)
	case m != nil && (*m < 0 || *m > maxSlots):
		return Share{}, fmt.Errorf("max_slots: %d: want an integer from 0, for no bound, to %d: %w", *m, maxSlots, job.ErrInvalid)
	}
	r, _, err := a.change(ctx, request.ID, func(r *job.Record) (bool, error) {
		if r.State.Final() {
			return false, fmt.Errorf("job %q has ended (%s) and uses no slots: %w", r.ID, r.State, job.ErrConflict)
		}
		before := *r
		if p != nil {
			r.Priority = *p
		}
		if m != nil {
			r.MaxSlots = *m
		}
		return r.Priority != before.Priority || r.MaxSlots != before.MaxSlots, nil
	})
	if err != nil {
		return Share{}, err
	}
	a.Log.Info().Str("job", string(r.ID)).Int("priority", r.Priority).Int("max_slots", r.MaxSlots).Msg("priority or max_slots changed")
	return Share{Status: status(r), Priority: r.Priority, MaxSlots: r.MaxSlots}, nil
}
