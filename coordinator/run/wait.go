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

// The pace of reports about a fault that lasts. If its cause changes, then the
// fault is reported again, no sooner than after quietPeriod.
const (
	quietPeriod   = 10 * time.Second
	recordMessage = 2 * time.Second // bounds writing the message into the record
)

// wait tells people what a job waits for while an operation fails: in the log,
// in the job's record and in an event.
type wait struct {
	d        *driver
	what     string // the operation
	log      zerolog.Logger
	failures int
	began    time.Duration // of the first failure
	told     time.Duration // when people were last told
	cause    string        // that was reported last, "" for none
	message  string        // that this wait has written into the record
	before   string        // what stood there
}

func newWait(d *driver, what string) *wait {
	return &wait{d: d, what: what, log: sparing(d.log)}
}

// sparing returns a logger that writes at most one line in quietPeriod.
func sparing(log zerolog.Logger) zerolog.Logger {
	return log.Sample(&zerolog.BurstSampler{Burst: 1, Period: quietPeriod})
}

// failed notes a failure after which the operation is tried again.
func (w *wait) failed(ctx context.Context, err error) {
	now := w.d.service.now()
	if w.failures == 0 {
		w.began = now
	}
	w.failures++
	w.log.Warn().Err(err).Int("failures", w.failures).Msg(w.what + "; trying again")
	// Two coordinators that change one record at the same time are no fault.
	if now-w.began < quiet || errors.Is(err, job.ErrConflict) {
		return
	}
	cause := varying.ReplaceAllString(err.Error(), "…")
	if cause == w.cause || w.cause != "" && now-w.told < quietPeriod {
		return
	}
	message := notice.Clip("waiting: " + w.what + ": " + sentence(err))
	if !w.record(ctx, message) {
		return
	}
	w.cause, w.told = cause, now
	w.d.publish(notice.Event{Type: notice.WaitingEvent, Message: message})
}

// over notes that the operation has succeeded.
func (w *wait) over(ctx context.Context) {
	if w.cause == "" {
		return
	}
	w.d.log.Info().Int("failures", w.failures).Msg(w.what + ": goes on")
	for range 3 { // somebody else may change the record at the same time
		if w.message == w.before {
			return
		}
		w.record(ctx, w.before)
	}
}

// record writes a message into the job's record if it can. It reports whether
// the job is this driver's to speak of, as far as it can be known.
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
	// varying is digests, names of temporary files and counts: they differ from
	// one try to the next, which is no other cause.
	varying = regexp.MustCompile(`[0-9a-f]{16,}|[0-9]+`)
	// secrets are a user and a password in an address.
	secrets = regexp.MustCompile(`://[^/\s@]+@`)
)

// sentence is an error as people read it, without secrets.
func sentence(err error) string {
	return secrets.ReplaceAllString(job.Sentence(err), "://…@")
}
