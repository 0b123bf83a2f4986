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

// Why a driver stops before its job has ended.
var (
	errHalted    = fmt.Errorf("the job was ended or paused from outside: %w", job.ErrStale)
	errFenced    = fmt.Errorf("another coordinator has taken the job: %w", job.ErrStale)
	errReplaced  = fmt.Errorf("the job's id stands for another run now: %w", job.ErrStale)
	errGone      = fmt.Errorf("the job's record is gone: %w", job.ErrStale)
	errLeaseLost = errors.New("the lease was lost")
)

// releaseTimeout bounds the deletion of a job's training state; what is left
// then is deleted when the record is seen again.
const releaseTimeout = 10 * time.Second

// driver carries one job through its life.
type driver struct {
	service *Service
	ref     job.Ref
	stop    context.CancelCauseFunc
	inbox   chan any
	log     zerolog.Logger
	term    uint64         // of the lease, as the record has it too since claim
	ending  atomic.Bool    // the driver is about to make the record final itself
	sharing bool           // in the fleet's slots; the service's lock guards it
	misses  int            // how often in a row confirm did not find the record; confirm's
	stored  *ledger.Layout // the training state, nil before there is any
	notes   *telemetry.Limit
}

// What else is told to a driver, beside the notices.
type (
	fleetChanged struct{}
	workerGone   struct{}
	exhausted    struct {
		task       job.Task
		deliveries int
	}
)

// tell hands a message over, or drops it when the driver is far behind: every
// message is a hint, and a tick finds out what was missed.
func (d *driver) tell(message any) {
	select {
	case d.inbox <- message:
	default:
	}
}

// live drives the job under a lease's term until it is final and released, is
// paused or taken away, or ctx ends.
func (d *driver) live(ctx context.Context, term uint64) {
	r, err := d.claim(ctx, term)
	if errors.Is(err, job.ErrNotFound) || errors.Is(err, job.ErrCorrupt) || errors.Is(err, errReplaced) {
		d.service.forget(d.ref) // until there is a record that can be read
	}
	if err != nil || r.Released {
		return
	}
	if r.State.Driven() {
		d.log.Info().Str("name", r.Name).Str("state", string(r.State)).Int("resumed", r.Resumed).Msg("job started")
	}
	if r.State.Driven() && !d.drive(ctx) {
		if ctx.Err() != nil && errors.Is(context.Cause(ctx), context.Canceled) { // this coordinator stops
			d.preserve(ctx, partingPatience)
		}
		return
	}
	d.preserve(ctx, preservePatience)
	if err := d.release(ctx); err != nil {
		d.log.Warn().Err(err).Msg("delete the job's training state")
		d.giveUp(err)
	}
}

// claim writes the lease's term into the record: from then on nothing that an
// earlier owner still does changes the record. A lease that was lost before
// its term was written is as good as none.
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
		case r.Term == term || r.Released: // a claim whose confirmation was lost, or nothing to do
			return r, nil
		}
		r.Term, r.Owner = term, d.service.cfg.Owner
		_, err = d.service.cfg.Records.Update(ctx, r, revision)
		return r, err
	})
}

// drive carries the job to its end and records it. It reports whether the job
// may be final now, by this driver or from outside.
func (d *driver) drive(ctx context.Context) (over bool) {
	var outcome *job.Outcome
	err := d.service.contain("carry the job", d.ref, func() (err error) {
		outcome, err = d.carry(ctx)
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
		d.log.Info().AnErr("cause", errors.Join(cause, err)).Msg("let go of the job")
		return false
	}
	if errors.Is(err, job.ErrUnsupported) {
		d.leaveToOthers(err)
		return false
	}
	// From here on a final record is this driver's doing, or it was faster and
	// end finds the record final.
	d.ending.Store(true)
	r, err := d.end(ctx, outcome, err)
	switch {
	case errors.Is(err, errHalted):
		d.log.Info().Msg("the job was ended or paused from outside")
		return true
	case errors.Is(err, errFenced), errors.Is(err, errReplaced):
		d.log.Info().Err(err).Msg("let go of the job")
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

// abandon lets go of a job whose record is gone, and has its training state
// deleted later, unless the record is there again by then.
func (d *driver) abandon() {
	d.log.Error().Msg("the job's record is gone or unreadable; the job cannot go on")
	if d.stored != nil {
		d.service.sweepLater(*d.stored)
	}
}

// giveUp leaves a job alone, until its record changes or the next start, after
// an error that another try would meet again. That the lease was lost in the
// middle is none: whoever is there takes the job again.
func (d *driver) giveUp(err error) {
	if final(err) && !errors.Is(err, context.Canceled) {
		d.service.forget(d.ref)
	}
}

// carry takes the job from wherever it stands to its outcome.
func (d *driver) carry(ctx context.Context) (*job.Outcome, error) {
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
		d.log.Warn().Err(err).Msg("training goes on")
	}
}

// end makes the record final. A record that is final already may be this very
// change, when its confirmation was lost.
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

// change applies a change to the job's record by compare-and-set, for as long
// as it takes. It fails with job.ErrStale when the job stands still, is of another
// incarnation, or was claimed by another owner since: a driver that was paused
// beyond its lease changes nothing when it wakes up. Between the check and the
// write it is the revision that refuses.
func (d *driver) change(ctx context.Context, apply func(*job.Record)) (job.Record, error) {
	return persist(ctx, d, "change the job's record", func() (job.Record, error) {
		r, revision, err := d.service.cfg.Records.Get(ctx, d.ref.Job)
		if err != nil {
			return r, err
		}
		if err := d.mine(r); err != nil {
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

// mine reports why the record is not this driver's to carry on, if so.
func (d *driver) mine(r job.Record) error {
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

// release deletes the training state of a final job and notes that in the
// record, so that it is done even when the job ended while nobody drove it. An
// owner that is paused before the deletion and wakes up when the job was resumed
// deletes what is computed again then, to the same bits.
func (d *driver) release(ctx context.Context) error {
	// A stop of the coordinator does not cut it off: it is short.
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

// deleteLedger deletes a job's training state now, and what stragglers store
// a little later.
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

// persist repeats an operation until it succeeds, ctx ends, or it fails in a
// way that another try cannot mend. When it fails for longer than a second it
// tells people what the job waits for.
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
	w.over(ctx)
	return result, nil
}

// newPauses returns the pauses between attempts: 20 ms to 2 s. They are not random:
// a job has one driver, and drivers are not in step with each other.
func newPauses() *backoff.ExponentialBackOff {
	return &backoff.ExponentialBackOff{InitialInterval: 20 * time.Millisecond, Multiplier: 2, MaxInterval: 2 * time.Second}
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

// final reports whether trying again is no use.
func final(err error) bool {
	for _, class := range []error{job.ErrInvalid, job.ErrPoison, job.ErrUnsupported, job.ErrCorrupt, job.ErrStale, job.ErrNotFound, context.Canceled} {
		if errors.Is(err, class) {
			return true
		}
	}
	return false
}
