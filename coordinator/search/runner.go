package search

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/rs/zerolog"

	"tributary/coordinator/run"
	"tributary/shared/broker"
	"tributary/shared/job"
	"tributary/shared/lifecycle"
	"tributary/shared/trial"
)

// Key is the lease under which sweeps are carried out. No job can have this id.
const Key = "run.sweeps"

// Sweeps stores the records of sweeps.
type Sweeps interface {
	Get(ctx context.Context, id job.ID) (trial.Record, uint64, error)
	Update(ctx context.Context, r trial.Record, revision uint64) error
	Delete(ctx context.Context, id job.ID, revision uint64) error
	// Changed calls see for every record that has changed since the mark.
	Changed(ctx context.Context, since broker.SweepMark, see func(trial.Record)) (broker.SweepMark, error)
}

// Jobs submits and cancels jobs.
type Jobs interface {
	// Submit is idempotent for a spec with an id. It fails with job.ErrConflict if there is
	// another job of that id.
	Submit(ctx context.Context, text []byte) error
	// Get fails with job.ErrNotFound if there is no such job.
	Get(ctx context.Context, id job.ID) (job.Record, error)
	Cancel(ctx context.Context, id job.ID) error
}

// Config holds the settings of a Runner.
type Config struct {
	Owner  string // this coordinator's name
	Sweeps Sweeps
	Jobs   Jobs
	Leases run.Leases
	Retain time.Duration // how long a sweep's record is kept after its end; 0: for ever
	Log    zerolog.Logger

	Every time.Duration // time between two rounds of work; default 250 ms
}

// The bounds of the work at a time.
const (
	// defaultParallel is the number of jobs of a sweep that run at a time unless the sweep
	// says how many.
	defaultParallel = 16
	// maxSweeps is the number of sweeps that are carried out at a time, the oldest first.
	maxSweeps = 32
)

// Runner carries out sweeps. Use New.
type Runner struct {
	cfg  Config
	mark broker.SweepMark
	open map[job.ID]time.Time // sweeps that are not settled, with their creation
	due  map[job.ID]time.Time // when to remove the records of the others
	// submitted has the jobs of each sweep that this process knows to be recorded and to have
	// the sweep's spec.
	submitted map[job.ID]map[job.ID]bool
	courses   map[job.ID]held
}

// held is a sweep's content, so that it is not read again in every round.
type held struct {
	digest job.Digest
	sweep  *trial.Sweep
}

// New returns a runner. It does nothing until Run.
func New(cfg Config) *Runner {
	cfg.Every = cmp.Or(cfg.Every, 250*time.Millisecond)
	return &Runner{cfg: cfg, open: map[job.ID]time.Time{}, due: map[job.ID]time.Time{}, submitted: map[job.ID]map[job.ID]bool{}, courses: map[job.ID]held{}}
}

// Run carries out sweeps until ctx ends, whenever no other coordinator does.
func (r *Runner) Run(ctx context.Context) {
	tick := time.NewTicker(r.cfg.Every)
	defer tick.Stop()
	for {
		if r.look(ctx); len(r.open) > 0 || r.expired(time.Now()) {
			r.lead(ctx, tick.C)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// lead carries out sweeps while there are any, if it gets the lease.
func (r *Runner) lead(ctx context.Context, tick <-chan time.Time) {
	lease, err := r.cfg.Leases.Acquire(ctx, Key, r.cfg.Owner)
	if err != nil {
		if !errors.Is(err, job.ErrConflict) && ctx.Err() == nil {
			r.cfg.Log.Debug().Err(err).Msg("acquire the lease of the sweeps")
		}
		return
	}
	work, stop := context.WithCancel(ctx)
	defer func() {
		stop()
		c, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		if err := lease.Release(c); err != nil {
			r.cfg.Log.Debug().Err(err).Msg("release the lease of the sweeps")
		}
	}()
	go func() {
		select {
		case <-lease.Lost():
			stop()
		case <-work.Done():
		}
	}()
	clear(r.submitted) // another coordinator may have done anything since
	for work.Err() == nil {
		r.round(work)
		if r.look(work); len(r.open) == 0 {
			return
		}
		select {
		case <-work.Done():
		case <-tick:
		}
	}
}

// look reads which sweeps have changed.
func (r *Runner) look(ctx context.Context) {
	mark, err := r.cfg.Sweeps.Changed(ctx, r.mark, func(s trial.Record) {
		delete(r.open, s.ID)
		delete(r.due, s.ID)
		switch {
		case !s.Settled:
			r.open[s.ID] = s.Created
		case r.cfg.Retain > 0 && s.Finished != nil:
			r.due[s.ID] = s.Finished.Add(r.cfg.Retain)
		}
	})
	r.mark = mark
	if err != nil && ctx.Err() == nil {
		r.cfg.Log.Debug().Err(err).Msg("read which sweeps have changed")
	}
}

// round works on the oldest sweeps once, and removes the records of old ones.
func (r *Runner) round(ctx context.Context) {
	ids := make([]job.ID, 0, len(r.open))
	for id := range r.open {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b job.ID) int { return cmp.Or(r.open[a].Compare(r.open[b]), cmp.Compare(a, b)) })
	ids = ids[:min(len(ids), maxSweeps)]
	for id := range r.courses {
		if !slices.Contains(ids, id) {
			delete(r.courses, id)
			delete(r.submitted, id)
		}
	}
	for _, id := range ids {
		err := lifecycle.Contain("carry out a sweep", func() error { return r.work(ctx, id) })
		switch p := (*lifecycle.PanicError)(nil); {
		case ctx.Err() != nil:
			return
		case errors.As(err, &p):
			r.cfg.Log.Error().Err(err).Str("sweep", string(id)).Bytes("stack", p.Stack).Msg("panic; the sweep waits until its record changes")
			delete(r.open, id)
		case errors.Is(err, job.ErrNotFound): // removed
			delete(r.open, id)
		case errors.Is(err, job.ErrCorrupt):
			r.cfg.Log.Error().Err(err).Str("sweep", string(id)).Msg("the sweep cannot be carried out")
			delete(r.open, id)
		case err != nil && !errors.Is(err, job.ErrConflict): // the record changed: read it again in the next round
			r.cfg.Log.Warn().Err(err).Str("sweep", string(id)).Msg("carry out a sweep; trying again")
		}
	}
	r.retire(ctx, time.Now())
}

// expired reports whether the record of a sweep is to be removed.
func (r *Runner) expired(now time.Time) bool {
	for _, due := range r.due {
		if now.After(due) {
			return true
		}
	}
	return false
}

// retire removes the records of sweeps that ended long ago.
func (r *Runner) retire(ctx context.Context, now time.Time) {
	for id, due := range r.due {
		if !now.After(due) {
			continue
		}
		s, revision, err := r.cfg.Sweeps.Get(ctx, id)
		if err == nil && s.Settled {
			err = r.cfg.Sweeps.Delete(ctx, id, revision)
		}
		if err != nil && !errors.Is(err, job.ErrNotFound) && !errors.Is(err, job.ErrConflict) {
			r.cfg.Log.Warn().Err(err).Str("sweep", string(id)).Msg("remove a sweep that ended long ago")
			continue
		}
		delete(r.due, id)
	}
}
