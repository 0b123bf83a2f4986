package run

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/rs/zerolog"

	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/notice"
	"tributary/shared/telemetry"
)

// The reasons for which a driver stops before its job has ended.
var (
	errHalted    = fmt.Errorf("the job was ended or paused from outside: %w", job.ErrStale)
	errFenced    = fmt.Errorf("another coordinator has taken the job: %w", job.ErrStale)
	errReplaced  = fmt.Errorf("the job's id stands for another run now: %w", job.ErrStale)
	errGone      = fmt.Errorf("the job's record is gone: %w", job.ErrStale)
	errLeaseLost = errors.New("the lease was lost")
)

// releaseTimeout bounds the deletion of a job's training state. The coordinator deletes
// the rest when it sees the record again.
const releaseTimeout = 10 * time.Second

// driver drives one job from the lease to its end.
type driver struct {
	service *Service
	ref     job.Ref
	stop    context.CancelCauseFunc
	inbox   chan any
	log     zerolog.Logger
	term    uint64         // term of the lease, which claim also writes into the record
	ending  atomic.Bool    // the driver is about to make the record final
	sharing bool           // the job has a share of the fleet's slots; the service's lock guards it
	misses  int            // how often in a row confirm did not find the record; only confirm uses it
	stored  *ledger.Layout // layout of the training state; nil if there is none yet
	notes   *telemetry.Limit
}

// The messages to a driver that are not notices.
type (
	fleetChanged struct{}
	workerGone   struct{}
	exhausted    struct {
		task       job.Task
		deliveries int
	}
)

// notify puts a message into the driver's inbox, or drops it if the inbox is full. Every
// message is a hint, and a tick finds what was missed.
func (d *driver) notify(message any) {
	select {
	case d.inbox <- message:
	default:
	}
}

// own drives the job under a lease's term. It returns when the job is final and
// released, is paused or taken away, or ctx ends.
func (d *driver) own(ctx context.Context, term uint64) {
	r, err := d.claim(ctx, term)
	if errors.Is(err, job.ErrNotFound) || errors.Is(err, job.ErrCorrupt) || errors.Is(err, errReplaced) {
		d.service.forget(d.ref) // until there is a readable record
	}
	if err != nil || r.Released {
		return
	}
	if r.State.Driven() {
		d.log.Info().Str("name", r.Name).Str("state", string(r.State)).Int("resumed", r.Resumed).Msg("job started")
	}
	if r.State.Driven() && !d.drive(ctx) {
		if ctx.Err() != nil && errors.Is(context.Cause(ctx), context.Canceled) { // this coordinator stops
			d.preserve(ctx, shutdownPatience)
		}
		return
	}
	d.preserve(ctx, preservePatience)
	if err := d.release(ctx); err != nil {
		d.log.Warn().Err(err).Msg("delete the job's training state")
		d.giveUp(err)
	}
}

// claim writes the lease's term into the record. After that an earlier owner cannot
// change the record. If the lease is lost before the term is written, the driver does not
// own the job.
func (d *driver) claim(ctx context.Context, term uint64) (job.Record, error) {
	d.term = term
	return persist(ctx, d, "take the job", func() (job.Record, error) {
		r, revision, err := d.service.cfg.Records.Get(ctx, d.ref.Job)
		switch {
		case err != nil:
			return r, err
		case r.Ref() != d.ref:
			return r, errReplaced
		case r.Term > term:
			return r, errFenced
		case r.Term == term || r.Released: // the confirmation of this claim was lost, or there is nothing to do
			return r, nil
		}
		r.Term, r.Owner = term, d.service.cfg.Owner
		_, err = d.service.cfg.Records.Update(ctx, r, revision)
		return r, err
	})
}

// drive carries the job to its end and records the outcome. It reports whether the record
// may be final now, by this driver or by a user's request.
func (d *driver) drive(ctx context.Context) (over bool) {
	var outcome *job.Outcome
	err := d.service.contain("run the job", d.ref, func() (err error) {
		outcome, err = d.execute(ctx)
		return err
	})
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errHalted), errors.Is(err, errHalted):
		d.log.Info().Msg("the job was ended or paused from outside")
		return true
	case errors.Is(cause, errGone):
		d.abandon()
		return false
	case ctx.Err() != nil, errors.Is(err, errFenced), errors.Is(err, errReplaced):
		d.log.Info().AnErr("cause", errors.Join(cause, err)).Msg("released the job")
		return false
	}
	if errors.Is(err, job.ErrUnsupported) {
		d.leaveToOtherVersion(err)
		return false
	}
	// From here on a final record comes from this driver, or a user's request came first
	// and end finds the record final.
	d.ending.Store(true)
	r, err := d.end(ctx, outcome, err)
	switch {
	case errors.Is(err, errHalted):
		d.log.Info().Msg("the job was ended or paused from outside")
		return true
	case errors.Is(err, errFenced), errors.Is(err, errReplaced):
		d.log.Info().Err(err).Msg("released the job")
		return false
	case errors.Is(err, job.ErrNotFound):
		d.abandon()
		d.service.forget(d.ref)
		return false
	case err != nil:
		d.log.Error().Err(err).Msg("record the job's end")
		d.giveUp(err)
		return false
	}
	d.log.Info().Str("state", string(r.State)).Str("error", r.Error).Msg("job ended")
	ended := notice.Event{Type: notice.StateEvent, State: r.State, Message: r.Error, Steps: r.Steps, Outcome: outcome}
	if outcome != nil {
		ended.Step = outcome.Steps
	}
	d.publish(ended)
	return true
}

// abandon gives up a job whose record is gone. It schedules the deletion of the training
// state, which is skipped if the record is back by then.
func (d *driver) abandon() {
	d.log.Error().Msg("the job's record is gone or unreadable; the job cannot go on")
	if d.stored != nil {
		d.service.sweepLater(*d.stored)
	}
}

// giveUp ignores a job after an error that another try would meet again, until its record
// changes or the next start. A lease lost during the work is no such error: any running
// coordinator takes the job again.
func (d *driver) giveUp(err error) {
	if final(err) && !errors.Is(err, context.Canceled) {
		d.service.forget(d.ref)
	}
}

// execute takes the job from its recorded state to its outcome.
func (d *driver) execute(ctx context.Context) (*job.Outcome, error) {
	p, err := d.prepare(ctx)
	if err != nil {
		return nil, err
	}
	for {
		s, err := d.train(ctx, p)
		if err != nil {
			return nil, err
		}
		outcome, err := s.finish(ctx)
		if !errors.Is(err, errLost) {
			return outcome, err
		}
		d.log.Warn().Err(err).Msg("training continues")
	}
}

// end makes the record final. If the record is final already, this change may have been
// written and its confirmation lost.
func (d *driver) end(ctx context.Context, outcome *job.Outcome, cause error) (job.Record, error) {
	now := d.service.cfg.Now().UTC()
	r, err := d.change(ctx, func(r *job.Record) {
		r.Finished, r.Message, r.Outcome = &now, "", outcome
		r.State = job.Succeeded
		if cause != nil {
			r.State, r.Error = job.Failed, notice.Clip(job.Sentence(cause))
		}
	})
	if errors.Is(err, errHalted) && r.Finished != nil && r.Finished.Equal(now) {
		return r, nil
	}
	return r, err
}

// change applies a change to the job's record by compare-and-set and retries until that
// succeeds. It fails with job.ErrStale if the job is paused or final, has another
// incarnation, or was claimed by another owner since. So a driver that was paused longer
// than its lease changes nothing when it continues. Between the check and the write, the
// record's revision prevents the change.
func (d *driver) change(ctx context.Context, apply func(*job.Record)) (job.Record, error) {
	return persist(ctx, d, "change the job's record", func() (job.Record, error) {
		r, revision, err := d.service.cfg.Records.Get(ctx, d.ref.Job)
		if err != nil {
			return r, err
		}
		if err := d.checkOwner(r); err != nil {
			return r, fmt.Errorf("job %s is %s: %w", r.Ref(), r.State, err)
		}
		before := r
		if apply(&r); reflect.DeepEqual(before, r) {
			return r, nil
		}
		_, err = d.service.cfg.Records.Update(ctx, r, revision)
		return r, err
	})
}

// checkOwner returns an error with the reason if this driver may not drive the record's
// job.
func (d *driver) checkOwner(r job.Record) error {
	switch {
	case r.Ref() != d.ref:
		return errReplaced
	case r.Term != d.term:
		return errFenced
	case !r.State.Driven():
		return errHalted
	}
	return nil
}

// release deletes the training state of a final job and notes that in the record. So the
// deletion also happens for a job that ended without a driver. An owner may be paused before
// the deletion and continue after the job was resumed. It then deletes new results, which
// workers compute again with the same bits.
func (d *driver) release(ctx context.Context) error {
	// A stop of the coordinator does not interrupt it, because it is short.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	_, err := persist(ctx, d, "release the job", func() (job.Record, error) {
		r, revision, err := d.service.cfg.Records.Get(ctx, d.ref.Job)
		if err != nil || r.Ref() != d.ref || r.Term != d.term || !r.State.Final() || r.Released {
			return r, err
		}
		if err := d.deleteLedger(ctx, r); err != nil {
			return r, err
		}
		r.Released = true
		_, err = d.service.cfg.Records.Update(ctx, r, revision)
		return r, err
	})
	return err
}

// deleteLedger deletes a job's training state now, and again later for the results of
// late workers.
func (d *driver) deleteLedger(ctx context.Context, r job.Record) error {
	if r.Plan == "" {
		return nil
	}
	layout, err := d.address(ctx, r.Plan)
	if err != nil {
		return err
	}
	if err := d.service.deleteTraining(ctx, layout, r.Checkpoints); err != nil {
		return err
	}
	d.service.sweepLater(layout)
	return nil
}

// persist repeats an operation until it succeeds, ctx ends, or it fails with a final
// error. If it fails for longer than a second, persist reports to the user what the job
// waits for.
func persist[T any](ctx context.Context, d *driver, what string, try func() (T, error)) (T, error) {
	w := newWait(d, what)
	result, err := backoff.Retry(ctx, func() (T, error) {
		v, err := try()
		if err != nil && final(err) {
			return v, backoff.Permanent(err)
		}
		return v, err
	}, backoff.WithBackOff(newPauses()), backoff.WithMaxElapsedTime(0), backoff.WithNotify(func(err error, _ time.Duration) {
		w.failed(ctx, err)
	}))
	if err != nil {
		return result, fmt.Errorf("%s: %w", what, err)
	}
	w.succeeded(ctx)
	return result, nil
}

// newPauses returns the pauses between attempts: 20 ms to 2 s. They are not random,
// because a job has one driver and drivers do not run in step.
func newPauses() *backoff.ExponentialBackOff {
	return &backoff.ExponentialBackOff{InitialInterval: 20 * time.Millisecond, Multiplier: 2, MaxInterval: 2 * time.Second}
}

// pause waits for d or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

// final reports whether another try cannot succeed.
func final(err error) bool {
	for _, class := range []error{job.ErrInvalid, job.ErrPoison, job.ErrUnsupported, job.ErrCorrupt, job.ErrStale, job.ErrNotFound, context.Canceled} {
		if errors.Is(err, class) {
			return true
		}
	}
	return false
}
