package run

import (
	"context"
	"errors"
	"regexp"
	"time"

	"github.com/rs/zerolog"

	"tributary/shared/job"
	"tributary/shared/notice"
)

// The limits of reports about a lasting fault. If its cause changes, the fault is
// reported again, at least quietPeriod after the last report.
const (
	quietPeriod   = 10 * time.Second
	recordMessage = 2 * time.Second // bounds writing the message into the record
)

// wait reports what a job waits for while an operation fails: in the log, in the job's
// record and in an event.
type wait struct {
	d          *driver
	what       string // name of the operation
	log        zerolog.Logger
	failures   int
	began      time.Duration // time of the first failure
	reportedAt time.Duration // time of the last report
	cause      string        // last reported cause, "" for none
	message    string        // the message that this wait wrote into the record
	before     string        // the message before that
}

func newWait(d *driver, what string) *wait {
	return &wait{d: d, what: what, log: rateLimited(d.log)}
}

// rateLimited returns a logger that writes at most one line in quietPeriod.
func rateLimited(log zerolog.Logger) zerolog.Logger {
	return log.Sample(&zerolog.BurstSampler{Burst: 1, Period: quietPeriod})
}

// failed records a failure after which the operation is tried again.
func (w *wait) failed(ctx context.Context, err error) {
	now := w.d.service.now()
	if w.failures == 0 {
		w.began = now
	}
	w.failures++
	w.log.Warn().Err(err).Int("failures", w.failures).Msg(w.what + "; trying again")
	// Two coordinators that change one record at the same time are not a fault.
	if now-w.began < reportAfter || errors.Is(err, job.ErrConflict) {
		return
	}
	cause := varying.ReplaceAllString(err.Error(), "…")
	if cause == w.cause || w.cause != "" && now-w.reportedAt < quietPeriod {
		return
	}
	message := notice.Clip("waiting: " + w.what + ": " + sentence(err))
	if !w.record(ctx, message) {
		return
	}
	w.cause, w.reportedAt = cause, now
	w.d.publish(notice.Event{Type: notice.WaitingEvent, Message: message})
}

// succeeded records that the operation has succeeded.
func (w *wait) succeeded(ctx context.Context) {
	if w.cause == "" {
		return
	}
	w.d.log.Info().Int("failures", w.failures).Msg(w.what + ": works again")
	for range 3 { // another process may change the record at the same time
		if w.message == w.before {
			return
		}
		w.record(ctx, w.before)
	}
}

// record tries to write a message into the job's record. It reports whether this driver
// owns the job, as far as is known.
func (w *wait) record(ctx context.Context, message string) (ours bool) {
	ctx, cancel := context.WithTimeout(ctx, recordMessage)
	defer cancel()
	records := w.d.service.cfg.Records
	r, revision, err := records.Get(ctx, w.d.ref.Job)
	switch {
	case errors.Is(err, job.ErrNotFound):
		return false
	case err != nil:
		return true
	case r.Ref() != w.d.ref, !r.State.Driven(), r.Term > w.d.term:
		return false
	case r.Term < w.d.term, r.Message == message:
		return true // the driver has not claimed the record yet, or it is written
	case w.message != "" && r.Message != w.message:
		return true // the record says something newer
	}
	if w.message == "" {
		w.before = r.Message
	}
	r.Message = message
	if _, err := records.Update(ctx, r, revision); err != nil {
		w.d.log.Debug().Err(err).Msg("record what the job waits for")
		return true
	}
	w.message = message
	return true
}

var (
	// varying matches digests, names of temporary files and counts. They differ between
	// attempts without a different cause.
	varying = regexp.MustCompile(`[0-9a-f]{16,}|[0-9]+`)
	// secrets matches a user and a password in an address.
	secrets = regexp.MustCompile(`://[^/\s@]+@`)
)

// sentence returns an error's text for people, without secrets.
func sentence(err error) string {
	return secrets.ReplaceAllString(job.Sentence(err), "://…@")
}
