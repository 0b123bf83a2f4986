package search

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tributary/shared/job"
	"tributary/shared/trial"
)

// work does what a sweep needs now. It reads the record, so that it sees what a person or
// another coordinator has changed, and replaces it by compare-and-set.
func (r *Runner) work(ctx context.Context, id job.ID) error {
	record, revision, err := r.cfg.Sweeps.Get(ctx, id)
	if err != nil {
		return err
	}
	c, err := r.course(&record)
	if err != nil {
		return err
	}
	switch {
	case record.Settled:
		return nil
	case record.State.Final():
		return r.settle(ctx, c, revision)
	}
	changed, submitted := false, false
	for _, j := range c.Next(cmp.Or(c.Parallel, defaultParallel)) {
		ended, fresh, err := r.trial(ctx, c, j)
		changed, submitted = changed || ended, submitted || fresh
		if err != nil {
			r.cfg.Log.Warn().Err(err).Str("sweep", string(id)).Str("job", string(j.ID)).Msg("a trial cannot be submitted or read; trying again")
			break
		}
	}
	if c.Advance(time.Now().UTC()) {
		changed = true
		if err := r.complete(ctx, c); err != nil {
			return err
		}
		r.cfg.Log.Info().Str("sweep", string(id)).Str("state", string(record.State)).Msg("a round of the sweep is over")
	}
	if changed {
		err = r.cfg.Sweeps.Update(ctx, record, revision)
	}
	if submitted && (!changed || err != nil) {
		err = errors.Join(err, r.recheck(ctx, id, c))
	}
	return err
}

// complete reads what the record lacks about the best trial at the end of a sweep. It stays
// without if the job was removed.
func (r *Runner) complete(ctx context.Context, c trial.Course) error {
	if !c.State.Final() || !c.Incomplete() {
		return nil
	}
	o, err := r.cfg.Jobs.Get(ctx, c.Best.Job)
	switch {
	case errors.Is(err, job.ErrNotFound), errors.Is(err, job.ErrCorrupt):
		return nil
	case err == nil && o.Outcome != nil:
		c.Complete(o.Outcome)
	}
	return err
}

// course returns the sweep of a record with the record.
func (r *Runner) course(record *trial.Record) (trial.Course, error) {
	known, ok := r.courses[record.ID]
	if ok && known.digest == record.Digest {
		return trial.Course{Sweep: known.sweep, Record: record}, record.Check()
	}
	c, err := trial.NewCourse(record)
	if err != nil {
		return c, err
	}
	r.courses[record.ID], r.submitted[record.ID] = held{record.Digest, c.Sweep}, map[job.ID]bool{}
	return c, nil
}

// trial submits a trial's job unless that has been done, and records how it has ended. It
// reports whether it has ended, and whether it may have been submitted now.
func (r *Runner) trial(ctx context.Context, c trial.Course, j trial.Job) (ended, submitted bool, err error) {
	known := r.submitted[c.ID]
	if known == nil {
		known = map[job.ID]bool{}
		r.submitted[c.ID] = known
	}
	if !known[j.ID] {
		err := r.submit(ctx, c, j)
		if refused(err) {
			c.End(j, nil, strings.TrimPrefix(job.Sentence(err), fmt.Sprintf("trial %d: ", j.Trial)))
			return true, false, nil
		}
		submitted = true // even if the answer was lost
		if err != nil {
			return false, submitted, err
		}
		known[j.ID] = true
	}
	o, err := r.cfg.Jobs.Get(ctx, j.ID)
	switch {
	case errors.Is(err, job.ErrNotFound): // a person has removed it: it is submitted again
		delete(known, j.ID)
		return false, submitted, nil
	case errors.Is(err, job.ErrCorrupt):
		c.End(j, nil, "its record cannot be read")
	case err != nil:
		return false, submitted, err
	case o.State == job.Succeeded && o.Outcome != nil:
		c.End(j, o.Outcome, "")
	case o.State == job.Failed:
		c.End(j, nil, o.Error)
	case o.State == job.Cancelled:
		c.End(j, nil, "its job was cancelled")
	default:
		return false, submitted, nil
	}
	delete(known, j.ID)
	return true, submitted, nil
}

// refused reports whether a submission fails whenever it is tried again.
func refused(err error) bool {
	return slices.ContainsFunc([]error{job.ErrInvalid, job.ErrConflict, job.ErrPoison, job.ErrCorrupt}, func(class error) bool {
		return errors.Is(err, class)
	})
}

// submit submits a trial's job, with a tag that names the sweep.
func (r *Runner) submit(ctx context.Context, c trial.Course, j trial.Job) error {
	_, s, err := c.SpecOf(c.Trial(j.Trial), j.ID, j.Epochs)
	if err != nil {
		return err
	}
	if tag := "sweep=" + c.Name; len(s.Tags) < maxTags && !slices.Contains(s.Tags, tag) {
		s.Tags = append(s.Tags, tag)
	}
	text, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("encode the spec: %w: %w", err, job.ErrInvalid)
	}
	return r.cfg.Jobs.Submit(ctx, text)
}

// maxTags bounds the tags of a spec, as its schema does.
const maxTags = 32

// recheck cancels what a round has submitted if the sweep was cancelled or removed meanwhile
// and another coordinator has not seen the jobs. It does so even if the lease was lost, as the
// other one may have settled the sweep.
func (r *Runner) recheck(ctx context.Context, id job.ID, c trial.Course) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	now, _, err := r.cfg.Sweeps.Get(ctx, id)
	if err != nil && !errors.Is(err, job.ErrNotFound) {
		return err
	}
	if err == nil && now.Digest == c.Digest && now.State != trial.Cancelled {
		return nil
	}
	_, err = r.cancel(ctx, c)
	return err
}

// settle cancels the jobs of a cancelled sweep. The record is settled when all of them have
// ended.
func (r *Runner) settle(ctx context.Context, c trial.Course, revision uint64) error {
	left, err := r.cancel(ctx, c)
	if err != nil || left {
		return err
	}
	c.Settled = true
	return r.cfg.Sweeps.Update(ctx, *c.Record, revision)
}

// cancel cancels the jobs that may run now. It reports whether one was left that had not
// ended.
func (r *Runner) cancel(ctx context.Context, c trial.Course) (left bool, err error) {
	for _, j := range c.Next(cmp.Or(c.Parallel, defaultParallel)) {
		o, err := r.cfg.Jobs.Get(ctx, j.ID)
		switch {
		case errors.Is(err, job.ErrNotFound), errors.Is(err, job.ErrCorrupt), err == nil && o.State.Final():
			continue
		case err != nil:
			return true, err
		case o.Name != c.Name:
			continue // somebody's own job of that id
		}
		left = true
		if err := r.cfg.Jobs.Cancel(ctx, j.ID); err != nil && !errors.Is(err, job.ErrConflict) && !errors.Is(err, job.ErrNotFound) {
			return true, err
		}
	}
	return left, nil
}
