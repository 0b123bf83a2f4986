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

// sweepAfter lists the delays after which a job's training state is deleted again. A
// worker may be in the middle of a task at the first deletion. It may also take a task
// that the queue delivers again, at most eight times, after the lease of a dead worker
// expires. Its results would otherwise stay for weeks.
var sweepAfter = []time.Duration{5 * time.Second, 30 * time.Second, 150 * time.Second}

// lateLedger is a ledger into which a late worker may still store results.
type lateLedger struct {
	layout ledger.Layout
	due    time.Duration
}

// sweepLater schedules further deletions of a deleted ledger.
func (s *Service) sweepLater(l ledger.Layout) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, after := range sweepAfter {
		s.lateLedgers = append(s.lateLedgers, lateLedger{l, s.now() + after})
	}
	slices.SortFunc(s.lateLedgers, func(a, b lateLedger) int { return cmp.Compare(a.due, b.due) })
}

// sweep deletes what late workers have stored. The caller holds s.mu.
func (s *Service) sweep(ctx context.Context) {
	for len(s.lateLedgers) > 0 && s.lateLedgers[0].due <= s.now() {
		layout := s.lateLedgers[0].layout
		s.lateLedgers = s.lateLedgers[1:]
		s.background("delete the data of late workers", layout.Ref, func() error { return s.sweepOne(ctx, layout) })
	}
}

// sweepOne deletes a ledger unless its job has gone on with the same run.
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

// Remove deletes everything that is kept of a job: its training state, its checkpoints,
// its events and, if model is set, its model. It deletes the record last, so that an
// interrupted removal can continue. If r.Run is "", the bucket holds a value that is not
// a record, and Remove deletes that value.
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
			return nil // another process removed it first
		case errors.Is(err, job.ErrCorrupt) && r.Run == "": // not a record, see api.Remove
		case err != nil:
			return err
		case !now.Removing:
			return fmt.Errorf("the job is %s, and nobody asked to remove it: %w", now.State, job.ErrConflict)
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

// RemoveModel deletes the model of a removed job.
func (s *Service) RemoveModel(ctx context.Context, id job.ID) error {
	return s.cfg.Models.Delete(ctx, string(id))
}

// HasModel reports whether the registry has a model of the job.
func (s *Service) HasModel(ctx context.Context, id job.ID) (bool, error) {
	return s.cfg.Models.Has(ctx, string(id))
}

// The interval of removals, and the time limit of a removal that another process began.
const (
	tidyEvery      = time.Minute
	removePatience = time.Minute
)

// schedule records when to remove a job, if ever. The caller holds s.mu.
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

// retire removes the jobs whose retention time is over. The caller holds s.mu.
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

// retireOne removes one job, unless it was already removed or has gone on.
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
