package api

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"tributary/shared/job"
	"tributary/shared/spec"
	"tributary/shared/trial"
)

// The bounds of the search for jobs that are in a new sweep's way.
const (
	maxNamed    = 5   // jobs that the refusal names
	maxCompared = 100 // jobs whose specs are compared; others would fail their trials alone
)

// unused fails with job.ErrConflict if jobs have the ids of a new sweep's trials and cannot be
// its trials: those of an earlier sweep of that name that were cancelled, or that have other
// specs. Jobs of the same specs that have not been cancelled are used again.
func (a *API) unused(ctx context.Context, s *trial.Sweep, r trial.Record) error {
	var named []string
	more, compared := 0, 0
	for known, err := range a.Records.All(ctx) {
		if errors.Is(err, job.ErrCorrupt) {
			continue // the driver logs it
		}
		if err != nil {
			return err
		}
		number, round, ok := s.TrialOf(known.ID)
		if !ok || round >= len(r.Rounds) {
			continue
		}
		why := ""
		switch {
		case known.Removing:
			why = "is being removed"
		case known.State == job.Cancelled:
			why = "was cancelled"
		case compared < maxCompared:
			compared++
			same, err := a.same(ctx, s, known, number, r.Rounds[round].Epochs)
			if err != nil {
				return err
			}
			if !same {
				why = "has another spec"
			}
		}
		switch {
		case why == "":
		case len(named) < maxNamed:
			named = append(named, fmt.Sprintf("%s %s", known.ID, why))
		default:
			more++
		}
	}
	if named == nil {
		return nil
	}
	slices.Sort(named)
	list := strings.Join(named, ", ")
	if more > 0 {
		list += fmt.Sprintf(", and %d more", more)
	}
	return fmt.Errorf("name %q: jobs have the ids of its trials and cannot be used again: %s; remove these jobs, or choose another name: %w", s.Name, list, job.ErrConflict)
}

// same reports whether a job has the spec of a trial. A trial that has no good spec is left
// to the coordinator that carries out the sweep.
func (a *API) same(ctx context.Context, s *trial.Sweep, known job.Record, number, epochs int) (bool, error) {
	_, decoded, err := s.SpecOf(s.Trial(number+1), known.ID, epochs)
	if err == nil {
		_, err = a.resolve(ctx, decoded)
	}
	if errors.Is(err, job.ErrInvalid) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	_, digest, err := spec.Canonical(decoded)
	return digest == known.SpecDigest, err
}
