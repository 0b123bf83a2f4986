package api

import (
	"context"
	"fmt"
	"time"

	"tributary/coordinator/extend"
	"tributary/shared/job"
	"tributary/shared/notice"
)

// maxEpochs bounds the epochs of a request, as the spec's schema does.
const maxEpochs = 1_000_000

// Continue makes a job that goes on from the training state of a finished one, with so many
// epochs more. It is idempotent if the request names the new job: another request with that
// name fails with job.ErrConflict unless it asks for the same job.
func (a *API) Continue(ctx context.Context, payload []byte) (Status, error) {
	var request struct {
		ID     job.ID `json:"id"`
		Epochs int    `json:"epochs"`
		As     job.ID `json:"as"`
	}
	if err := parse(payload, &request, &request.ID, `, "epochs": 2, "as": "…"`); err != nil {
		return Status{}, err
	}
	if request.Epochs < 1 || request.Epochs > maxEpochs {
		return Status{}, fmt.Errorf("epochs: %d: want an integer from 1 to %d: %w", request.Epochs, maxEpochs, job.ErrInvalid)
	}
	if request.As != "" {
		if err := request.As.Validate(); err != nil {
			return Status{}, fmt.Errorf("as: %.80q: %w: %w", string(request.As), err, job.ErrInvalid)
		}
	}
	old, err := a.Get(ctx, []byte(request.ID))
	if err != nil {
		return Status{}, err
	}
	return a.Extend(ctx, old, request.Epochs, request.As)
}

// Extend records the job that goes on from the given finished one.
func (a *API) Extend(ctx context.Context, old job.Record, epochs int, as job.ID) (Status, error) {
	if a.Blobs == nil {
		return Status{}, fmt.Errorf("this program has no store with the training states of jobs: %w", job.ErrUnsupported)
	}
	if as != "" {
		if known, _, err := a.Records.Get(ctx, as); err == nil { // before anything is written
			return a.extended(ctx, known, old, epochs)
		}
	}
	r, err := extend.Record(ctx, a.Blobs, old, extend.Job{ID: as, Run: a.newRun(), NewID: NewID, Epochs: epochs, Now: time.Now().UTC()})
	if err != nil {
		return Status{}, err
	}
	if _, err := a.Records.Create(ctx, r); err != nil {
		return Status{}, fmt.Errorf("record job %s: %w", r.ID, err)
	}
	a.Log.Info().Str("job", string(r.ID)).Str("from", string(old.ID)).Int("epochs", epochs).Msg("job continued")
	_ = a.Events.Publish(notice.Event{Job: r.ID, Run: r.Run, Time: r.Created, Type: notice.StateEvent, State: r.State})
	return status(r), nil
}

// extended answers a request whose job exists, if it is the one that was asked for.
func (a *API) extended(ctx context.Context, known, old job.Record, epochs int) (Status, error) {
	more, err := extend.Same(ctx, a.Blobs, known, old, epochs)
	if err != nil {
		return Status{}, err
	}
	if !more {
		return Status{}, fmt.Errorf("as: %q: there is another job of that id; choose another one: %w", known.ID, job.ErrConflict)
	}
	return status(known), nil
}
