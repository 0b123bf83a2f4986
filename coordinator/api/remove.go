package api

import (
	"context"
	"errors"
	"fmt"

	"tributary/shared/job"
)

// Removed is the answer about a removed job.
type Removed struct {
	ID      job.ID `json:"id"`
	Removed bool   `json:"removed"`
	Model   string `json:"model,omitempty"` // ModelKept or ModelRemoved; "" if there was no model
}

// The values of Removed.Model.
const (
	ModelKept    = "kept"
	ModelRemoved = "removed"
)

// Remove deletes a job that has ended: its record, its events, its training state and, if
// requested, its model. Then the id is free. The same request removes a model that was
// kept earlier.
func (a *API) Remove(ctx context.Context, payload []byte) (Removed, error) {
	var request struct {
		ID    job.ID `json:"id"`
		Model bool   `json:"model"`
	}
	if err := parse(payload, &request, &request.ID, `, "model": true`); err != nil {
		return Removed{}, err
	}
	answer := Removed{ID: request.ID, Removed: true}
	there, err := a.Jobs.HasModel(ctx, request.ID)
	if err != nil && request.Model { // an unreachable registry does not prevent a removal without the model
		return Removed{}, fmt.Errorf("remove job %q: check for its model: %w", request.ID, err)
	}
	switch {
	case there && request.Model:
		answer.Model = ModelRemoved
	case there:
		answer.Model = ModelKept
	}
	r, err := a.apply(ctx, request.ID, job.Remove)
	switch {
	case errors.Is(err, job.ErrCorrupt):
		// The bucket holds a value that is not a record, so only the id is known.
		r = job.Record{ID: request.ID, Removing: true}
	case errors.Is(err, job.ErrNotFound) && there:
		return answer, a.removeModel(ctx, request.ID, request.Model)
	case err != nil:
		return Removed{}, err
	}
	if err := a.Jobs.Remove(ctx, r, request.Model); err != nil {
		return Removed{}, fmt.Errorf("remove job %q: %w", request.ID, err)
	}
	a.Log.Info().Str("job", string(request.ID)).Str("its_model", answer.Model).Msg("job removed")
	return answer, nil
}

// removeModel removes the model of a removed job, if that is requested.
func (a *API) removeModel(ctx context.Context, id job.ID, asked bool) error {
	if !asked {
		return fmt.Errorf(`job %q was removed and its model kept; {"id":%[1]q,"model":true} removes that: %w`, id, job.ErrNotFound)
	}
	if err := a.Jobs.RemoveModel(ctx, id); err != nil {
		return fmt.Errorf("remove the model of job %q: %w", id, err)
	}
	a.Log.Info().Str("job", string(id)).Msg("model removed")
	return nil
}
