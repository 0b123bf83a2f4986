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
	"tributary/shared/notice"
)

// Why a driver stops before its job has ended.
var (
	errFinal     = errors.New("the job was ended from outside")
	errLeaseLost = errors.New("the lease was lost")
)

// releaseTimeout bounds the deletion of a job's training state; what is left
// then is deleted when the record is seen again.
const releaseTimeout = 10 * time.Second

// sweepAfter is how long after its release a job's training state is deleted
// once more: a worker may have been in the middle of a task, and what it then
// stored would stay for weeks.
const sweepAfter = 5 * time.Second

// driver carries one job through its life.
type driver struct {
	service *Service
	ref     job.Ref
	stop    context.CancelCauseFunc
	inbox   chan any
	log     zerolog.Logger
	ending  atomic.Bool // the driver is about to make the record final itself
	sharing bool        // in the fleet's slots; the service's lock guards it
}

// What else is told to a driver, beside the notices.
type (
	fleetChanged struct{}
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

// live drives the job until it is final and released, is taken away, or ctx
// ends. It reports whether the job was released just now.
func (d *driver) live(ctx context.Context) (released bool) {
	r, err := persist(ctx, d.log, "read the job's record", d.get(ctx))
	if errors.Is(err, job.ErrNotFound) || errors.Is(err, job.ErrStale) {
		d.service.forget(d.ref)
	}
	if err != nil || r.Released {
		return false
	}
	if !r.State.Final() {
		outcome, err := d.carry(ctx)
		switch {
		case errors.Is(context.Cause(ctx), errFinal):
			d.log.Info().Msg("the job was ended from outside")
		case ctx.Err() != nil:
			d.log.Info().AnErr("cause", context.Cause(ctx)).Msg("let go of the job")
			return false
		default:
			// From here on a final record is this driver's doing, or it was
			// faster and end finds the record final.
			d.ending.Store(true)
			r, err = d.end(ctx, outcome, err)
			if errors.Is(err, job.ErrStale) {
				d.log.Info().Msg("the job was ended from outside")
				break
			}
			if err != nil {
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
		}
	}
	if err := d.release(ctx); err != nil {
		d.log.Warn().Err(err).Msg("delete the job's training state")
		d.giveUp(err)
		return false
	}
	return true
}

// giveUp leaves a job alone, until its record changes or the next start, after
// an error that another try would meet again.
func (d *driver) giveUp(err error) {
	if final(err) {
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
	now := time.Now().UTC()
	r, err := d.change(ctx, func(r *job.Record) {
		r.Finished, r.Message, r.Outcome = &now, "", outcome
		r.State = job.Succeeded
		if cause != nil {
			r.State, r.Error = job.Failed, notice.Clip(job.Sentence(cause))
		}
	})
	if errors.Is(err, job.ErrStale) && r.Ref() == d.ref && r.Finished != nil && r.Finished.Equal(now) {
		return r, nil
	}
	return r, err
}

// change applies a change to the job's record by compare-and-set, for as long
// as it takes. It fails with job.ErrStale when the record is final or another
// incarnation's.
func (d *driver) change(ctx context.Context, apply func(*job.Record)) (job.Record, error) {
	return persist(ctx, d.log, "change the job's record", func() (job.Record, error) {
		r, revision, err := d.service.cfg.Records.Get(ctx, d.ref.Job)
		if err != nil {
			return r, err
		}
		if r.Ref() != d.ref || r.State.Final() {
			return r, fmt.Errorf("job %s is %s: %w", r.Ref(), r.State, job.ErrStale)
		}
		before := r
		if apply(&r); reflect.DeepEqual(before, r) {
			return r, nil
		}
		_, err = d.service.cfg.Records.Update(ctx, r, revision)
		return r, err
	})
}

// get reads the record, which must be of this incarnation.
func (d *driver) get(ctx context.Context) func() (job.Record, error) {
	return func() (job.Record, error) {
		r, _, err := d.service.cfg.Records.Get(ctx, d.ref.Job)
		if err == nil && r.Ref() != d.ref {
			err = fmt.Errorf("job %s is now %s: %w", d.ref, r.Ref(), job.ErrStale)
		}
		return r, err
	}
}

// release deletes the training state of a final job and notes that in the
// record, so that it is done even when the job ended while nobody drove it.
func (d *driver) release(ctx context.Context) error {
	// A stop of the coordinator does not cut it off: it is short.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	_, err := persist(ctx, d.log, "release the job", func() (job.Record, error) {
		r, revision, err := d.service.cfg.Records.Get(ctx, d.ref.Job)
		if err != nil || r.Ref() != d.ref || !r.State.Final() || r.Released {
			return r, err
		}
		if r.Plan != "" {
			if err := d.deleteLedger(ctx, r); err != nil {
				return r, err
			}
		}
		r.Released = true
		_, err = d.service.cfg.Records.Update(ctx, r, revision)
		return r, err
	})
	return err
}

// sweep deletes what stragglers have stored since the job's release, unless
// ctx ends before.
func (d *driver) sweep(ctx context.Context) {
	select {
	case <-ctx.Done():
		return
	case <-time.After(sweepAfter):
	}
	ctx, cancel := context.WithTimeout(ctx, releaseTimeout)
	defer cancel()
	r, err := d.get(ctx)()
	if err == nil && r.Plan != "" {
		err = d.deleteLedger(ctx, r)
	}
	if err != nil {
		d.log.Debug().Err(err).Msg("delete what stragglers stored")
	}
}

func (d *driver) deleteLedger(ctx context.Context, r job.Record) error {
	layout, err := d.address(ctx, r.Plan)
	if errors.Is(err, job.ErrNotFound) {
		return nil // without its plan the job has written nothing
	}
	if err != nil {
		return err
	}
	return d.service.cfg.Ledger.Delete(ctx, layout)
}

// publish tells people about the job.
func (d *driver) publish(e notice.Event) {
	e.Job, e.Run, e.Time, e.Message = d.ref.Job, d.ref.Run, time.Now().UTC(), notice.Clip(e.Message)
	if err := d.service.cfg.Events.Publish(e); err != nil {
		d.log.Debug().Err(err).Str("type", string(e.Type)).Msg("publish event")
	}
}

// waitFor records what the job is waiting for, "" when it goes on, and tells people.
func (d *driver) waitFor(ctx context.Context, message string) {
	if _, err := d.change(ctx, func(r *job.Record) { r.Message = message }); err != nil {
		d.log.Debug().Err(err).Msg("record message")
	}
	if message != "" {
		d.log.Info().Msg(message)
		d.publish(notice.Event{Type: notice.WaitingEvent, Message: message})
	}
}

// persist repeats an operation until it succeeds, ctx ends, or it fails in a
// way that another try cannot mend.
func persist[T any](ctx context.Context, log zerolog.Logger, what string, try func() (T, error)) (T, error) {
	result, err := backoff.Retry(ctx, func() (T, error) {
		v, err := try()
		if err != nil && final(err) {
			return v, backoff.Permanent(err)
		}
		return v, err
	}, backoff.WithBackOff(&backoff.ExponentialBackOff{
		InitialInterval: 20 * time.Millisecond, RandomizationFactor: 0.3, Multiplier: 2, MaxInterval: 2 * time.Second,
	}), backoff.WithMaxElapsedTime(0), backoff.WithNotify(func(err error, wait time.Duration) {
		log.Warn().Err(err).Dur("again_in", wait).Msg(what)
	}))
	if err != nil {
		return result, fmt.Errorf("%s: %w", what, err)
	}
	return result, nil
}

// final reports whether trying again is no use.
func final(err error) bool {
	for _, class := range []error{job.ErrInvalid, job.ErrPoison, job.ErrCorrupt, job.ErrStale, job.ErrNotFound, context.Canceled} {
		if errors.Is(err, class) {
			return true
		}
	}
	return false
}
