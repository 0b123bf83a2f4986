package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"tributary/shared/job"
	"tributary/shared/trial"
)

// Sweeps stores the records of submitted sweeps.
type Sweeps interface {
	// Create fails with job.ErrConflict if there is a sweep of that id. The record may later
	// grow by growth bytes.
	Create(ctx context.Context, r trial.Record, growth int64) error
	// Get fails with job.ErrNotFound if there is no record.
	Get(ctx context.Context, id job.ID) (trial.Record, uint64, error)
	// Update and Delete fail with job.ErrConflict if the revision is not the newest.
	Update(ctx context.Context, r trial.Record, revision uint64) error
	Delete(ctx context.Context, id job.ID, revision uint64) error
	// All yields every record. For one that cannot be decoded it yields job.ErrCorrupt and
	// continues; any other error is the last value.
	All(ctx context.Context) iter.Seq2[trial.Record, error]
}

// SweepStatus is the short answer about a sweep.
type SweepStatus struct {
	ID     job.ID      `json:"id"`
	State  trial.State `json:"state"`
	Trials int         `json:"trials"`
	Error  string      `json:"error,omitempty"`
}

func sweepStatus(r trial.Record) SweepStatus {
	return SweepStatus{ID: r.ID, State: r.State, Trials: r.Trials, Error: r.Error}
}

var errNoSweeps = fmt.Errorf("this program keeps no sweeps: %w", job.ErrUnsupported)

// SubmitSweep records a sweep (YAML or JSON), whose name is its id. It is idempotent: for the
// same sweep it returns the state, and for another sweep of that name it fails with
// job.ErrConflict. A coordinator then submits the trials; see package search.
func (a *API) SubmitSweep(ctx context.Context, payload []byte) (SweepStatus, error) {
	if a.Sweeps == nil {
		return SweepStatus{}, errNoSweeps
	}
	s, err := trial.Decode(payload)
	if err != nil {
		return SweepStatus{}, err
	}
	if s.Job != "" {
		return SweepStatus{}, fmt.Errorf("job: %.80q: a path means nothing to a coordinator: want the job's spec itself as spec (coordinator sweep FILE --nats URL puts it there): %w", s.Job, job.ErrInvalid)
	}
	epochs, err := a.firstTrial(ctx, s)
	if err != nil {
		return SweepStatus{}, err
	}
	r, err := trial.NewRecord(s, epochs, time.Now().UTC())
	if err != nil {
		return SweepStatus{}, err
	}
	if _, _, err := a.Sweeps.Get(ctx, r.ID); errors.Is(err, job.ErrNotFound) {
		if err := a.unused(ctx, s, r); err != nil {
			return SweepStatus{}, err
		}
	}
	if err := a.Sweeps.Create(ctx, r, r.Growth(s)); err != nil {
		if !errors.Is(err, job.ErrConflict) {
			return SweepStatus{}, err
		}
		known, _, err := a.Sweeps.Get(ctx, r.ID)
		if err != nil {
			return SweepStatus{}, unknownSweep(r.ID, err)
		}
		if known.Digest != r.Digest {
			return SweepStatus{}, fmt.Errorf("name %q: another sweep of that name was submitted at %s; choose another name: %w",
				r.ID, known.Created.Format(time.RFC3339), job.ErrConflict)
		}
		return sweepStatus(known), nil
	}
	a.Log.Info().Str("sweep", string(r.ID)).Int("trials", r.Trials).Msg("sweep submitted")
	return sweepStatus(r), nil
}

// firstTrial checks the first trial as Submit would, and returns its epochs. It replaces the
// named data sets of the sweep's spec by their newest versions, so that all trials have the
// same.
func (a *API) firstTrial(ctx context.Context, s *trial.Sweep) (epochs int, err error) {
	for path, values := range s.Parameters {
		for _, v := range values.List {
			if name, ok := v.(string); ok && job.IsDataset(name) && !strings.Contains(name, "@") {
				return 0, fmt.Errorf("parameters.%.80s: %.80q: want a version, as %.80s@1, because its trials begin at different times: %w", path, name, name, job.ErrInvalid)
			}
		}
	}
	first := s.Trial(1)
	_, decoded, err := s.SpecOf(first, s.TrialID(0, 0), 0)
	if err != nil {
		return 0, err
	}
	if s.Search == trial.SuccessHalve && decoded.Epochs == 0 {
		return 0, fmt.Errorf("search: %s: the job has steps: want epochs: %w", trial.SuccessHalve, job.ErrInvalid)
	}
	used, err := a.resolve(ctx, decoded)
	if err != nil {
		return 0, err
	}
	if err := a.allowed(decoded); err != nil {
		return 0, err
	}
	if a.Rehearse != nil {
		if err := a.Rehearse(ctx, decoded); err != nil {
			return 0, err
		}
	}
	for _, d := range used {
		if _, varies := first.Values[d.Field]; !varies {
			if err := trial.Set(s.Spec, d.Field, fmt.Sprintf("%s%s@%d", job.DatasetPrefix, d.Name, d.Version)); err != nil {
				return 0, fmt.Errorf("spec.%w: %w", err, job.ErrInvalid)
			}
		}
	}
	return decoded.Epochs, nil
}

// CancelSweep ends a sweep. A coordinator then cancels its jobs that have not ended.
func (a *API) CancelSweep(ctx context.Context, payload []byte) (SweepStatus, error) {
	if a.Sweeps == nil {
		return SweepStatus{}, errNoSweeps
	}
	id, err := parseID(payload)
	if err != nil {
		return SweepStatus{}, err
	}
	for {
		r, revision, err := a.Sweeps.Get(ctx, id)
		if err != nil {
			return SweepStatus{}, unknownSweep(id, err)
		}
		changed, err := r.Cancel(time.Now().UTC())
		if err != nil || !changed {
			return sweepStatus(r), err
		}
		err = a.Sweeps.Update(ctx, r, revision)
		if errors.Is(err, job.ErrConflict) && ctx.Err() == nil {
			continue // the record changed meanwhile; read it again
		}
		if err != nil {
			return SweepStatus{}, err
		}
		a.Log.Info().Str("sweep", string(id)).Msg("sweep cancelled")
		return sweepStatus(r), nil
	}
}

// RemoveSweep deletes the record of a sweep that has ended. Its jobs and models stay.
func (a *API) RemoveSweep(ctx context.Context, payload []byte) (Removed, error) {
	if a.Sweeps == nil {
		return Removed{}, errNoSweeps
	}
	id, err := parseID(payload)
	if err != nil {
		return Removed{}, err
	}
	r, revision, err := a.Sweeps.Get(ctx, id)
	switch {
	case errors.Is(err, job.ErrCorrupt): // no coordinator can carry it out
	case err != nil:
		return Removed{}, unknownSweep(id, err)
	case !r.State.Final():
		return Removed{}, fmt.Errorf("sweep %q is %s and cannot be removed: cancel it first: %w", id, r.State, job.ErrConflict)
	case !r.Settled && !intact(&r): // nor this one
	case !r.Settled:
		return Removed{}, fmt.Errorf("sweep %q cannot be removed yet: its jobs are being cancelled; try again in a moment: %w", id, job.ErrConflict)
	}
	if err := a.Sweeps.Delete(ctx, id, revision); err != nil {
		return Removed{}, err
	}
	a.Log.Info().Str("sweep", string(id)).Msg("sweep removed")
	return Removed{ID: id, Removed: true}, nil
}

// intact reports whether a coordinator can carry out the sweep of a record.
func intact(r *trial.Record) bool {
	_, err := trial.NewCourse(r)
	return err == nil
}

// unknownSweep says in plain words that the sweep does not exist.
func unknownSweep(id job.ID, err error) error {
	if errors.Is(err, job.ErrNotFound) {
		return fmt.Errorf("there is no sweep %q: %w", id, job.ErrNotFound)
	}
	return err
}

// sweepPage decodes a request of ListSweeps: nothing, or an object.
func sweepPage(payload []byte) (limit int, before job.ID, state trial.State, err error) {
	request := struct {
		Limit  int         `json:"limit"`
		Before job.ID      `json:"before"`
		State  trial.State `json:"state"`
	}{Limit: maxListed}
	if payload = bytes.TrimSpace(payload); len(payload) > 0 {
		if err := decodeObject(payload, &request); err != nil {
			return 0, "", "", fmt.Errorf(`request: %w; want nothing, or {"limit":100,"before":"<id of a sweep>","state":"running"}: %w`, err, job.ErrInvalid)
		}
	}
	if request.Limit < 1 || request.Limit > maxListed {
		return 0, "", "", fmt.Errorf("limit: %d: want an integer from 1 to %d: %w", request.Limit, maxListed, job.ErrInvalid)
	}
	switch request.State {
	case "", trial.Running, trial.Succeeded, trial.Failed, trial.Cancelled:
	default:
		return 0, "", "", fmt.Errorf("state: %.40q: want one of %s, %s, %s, %s: %w", string(request.State), trial.Running, trial.Succeeded, trial.Failed, trial.Cancelled, job.ErrInvalid)
	}
	return request.Limit, request.Before, request.State, nil
}
