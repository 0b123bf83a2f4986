package run

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/telemetry"
)

// sweepAfter is how long after its deletion a job's training state is deleted
// again, and again: a worker may have been in the middle of a task, or take one
// that comes back when the lease of a dead worker has run out, eight times at most;
// what it then stores would stay for weeks.
var sweepAfter = []time.Duration{5 * time.Second, 30 * time.Second, 150 * time.Second}

// straggling is a ledger in which something may still be stored.
type straggling struct {
	layout ledger.Layout
	due    time.Duration
}

// sweepLater has a deleted ledger deleted again.
func (s *Service) sweepLater(l ledger.Layout) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, after := range sweepAfter {
		s.late = append(s.late, straggling{l, s.now() + after})
	}
	slices.SortFunc(s.late, func(a, b straggling) int { return cmp.Compare(a.due, b.due) })
}

// sweep deletes what stragglers have stored by now. s.mu is held.
func (s *Service) sweep(ctx context.Context) {
	for len(s.late) > 0 && s.late[0].due <= s.now() {
		layout := s.late[0].layout
		s.late = s.late[1:]
		s.background("delete what stragglers stored", layout.Ref, func() error { return s.sweepOne(ctx, layout) })
	}
}

// sweepOne deletes a ledger unless its job goes on by now under the same run.
func (s *Service) sweepOne(ctx context.Context, l ledger.Layout) error {
	ctx, cancel := context.WithTimeout(ctx, releaseTimeout)
	defer cancel()
	r, _, err := s.cfg.Records.Get(ctx, l.Job)
	switch {
	case err != nil && !errors.Is(err, job.ErrNotFound):
		return err
	case err != nil || r.Ref() != l.Ref:
		r.Checkpoints = nil
	case !r.State.Final():
		return nil
	}
	return s.deleteTraining(ctx, l, r.Checkpoints)
}

// Remove deletes everything that is kept of a job that is being removed: its
// training state and its checkpoints, what people were told of it, its model if that is asked for,
// and its record last, so that a removal that was cut off is taken up again. With r.Run ""
// the bucket holds something else than a record, which is removed.
func (s *Service) Remove(ctx context.Context, r job.Record, model bool) error {
	d := &driver{service: s, ref: r.Ref(), log: s.cfg.Log, notes: telemetry.NewLimit()}
	if err := d.deleteLedger(ctx, r); err != nil {
		return fmt.Errorf("delete its training state: %w", err)
	}
	if err := s.deleteCheckpoints(ctx, r); err != nil {
		return fmt.Errorf("delete its checkpoints: %w", err)
	}
	if model {
		if err := s.cfg.Models.Delete(ctx, string(r.ID)); err != nil {
			return err
		}
	}
	if s.cfg.Forget != nil {
		if err := s.cfg.Forget(ctx, r.ID); err != nil {
			return err
		}
	}
	for {
		now, revision, err := s.cfg.Records.Get(ctx, r.ID)
		switch {
		case errors.Is(err, job.ErrNotFound), err == nil && now.Run != r.Run:
			s.forget(r.Ref())
			return nil // somebody else was faster
		case errors.Is(err, job.ErrCorrupt) && r.Run == "": // no record, see api.Remove
		case err != nil:
			return err
		case !now.Removing:
			return fmt.Errorf("it is %s and not being removed: %w", now.State, job.ErrConflict)
		}
		err = s.cfg.Records.Delete(ctx, r.ID, revision)
		if errors.Is(err, job.ErrConflict) {
			continue
		}
		s.forget(r.Ref())
		if err == nil && s.cfg.Collect != nil {
			s.cfg.Collect()
		}
		return err
	}
}

// RemoveModel deletes the model that a removed job has left.
func (s *Service) RemoveModel(ctx context.Context, id job.ID) error {
	return s.cfg.Models.Delete(ctx, string(id))
}

// HasModel reports whether a job has left a model.
func (s *Service) HasModel(ctx context.Context, id job.ID) (bool, error) {
	return s.cfg.Models.Has(ctx, string(id))
}

// The pace of removals, and how long one may take that somebody else has begun.
const (
	tidyEvery      = time.Minute
	removePatience = time.Minute
)

// schedule notes when a job is to be removed, if ever. s.mu is held.
func (s *Service) schedule(r job.Record) {
	_, known := s.due[r.Ref()]
	switch {
	case r.Removing && known:
	case r.Removing:
		s.due[r.Ref()] = s.cfg.Now().Add(removePatience)
	case r.Released && r.Finished != nil && s.cfg.Retain > 0:
		s.due[r.Ref()] = r.Finished.Add(s.cfg.Retain)
	default:
		delete(s.due, r.Ref())
	}
}

// retire removes the jobs that have been kept for long enough. s.mu is held.
func (s *Service) retire(ctx context.Context) {
	if s.now()-s.tidy < min(tidyEvery, max(s.cfg.Retain/10, time.Second)) {
		return
	}
	s.tidy = s.now()
	for ref, due := range s.due {
		if s.cfg.Now().Before(due) {
			continue
		}
		delete(s.due, ref)
		s.busy.Go(func() {
			if err := s.contain("remove a job", ref, func() error { return s.retireOne(ctx, ref) }); err != nil {
				s.cfg.Log.Warn().Err(err).Stringer("job", ref).Msg("remove a job that ended long ago")
				s.mu.Lock()
				s.due[ref] = s.cfg.Now().Add(removePatience)
				s.mu.Unlock()
			}
		})
	}
}

// retireOne removes one job, unless it was removed or goes on by now.
func (s *Service) retireOne(ctx context.Context, ref job.Ref) error {
	ctx, cancel := context.WithTimeout(ctx, removePatience)
	defer cancel()
	r, revision, err := s.cfg.Records.Get(ctx, ref.Job)
	if errors.Is(err, job.ErrNotFound) || err == nil && (r.Ref() != ref || !r.State.Final()) {
		return nil
	}
	if err != nil {
		return err
	}
	if changed, err := r.Ask(job.Remove, s.cfg.Now().UTC()); err != nil {
		return err
	} else if changed {
		if _, err := s.cfg.Records.Update(ctx, r, revision); err != nil {
			return err
		}
	}
	s.cfg.Log.Info().Stringer("job", ref).Msg("removing a job that ended long ago")
	return s.Remove(ctx, r, s.cfg.RetireModels)
}
