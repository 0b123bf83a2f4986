package run

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"tributary/shared/job"
	"tributary/shared/notice"
)

// leasing limits the requests for leases while they fail for another reason than another
// owner. The service's lock guards it.
type leasing struct {
	refused  map[job.Ref]deferral
	failures int // failed requests since the last answer
	log      zerolog.Logger
}

// deferral is the time of the next request for a job's lease.
type deferral struct {
	until, pause time.Duration
	reported     bool // the wait for the lease was reported
}

// The pauses between failed requests for a lease. Each pause is twice the last.
const (
	firstRefusal   = takeEvery
	longestRefusal = 2 * time.Second
)

func newLeasing(log zerolog.Logger) leasing {
	return leasing{refused: map[job.Ref]deferral{}, log: rateLimited(log)}
}

// due reports whether it is time to request a job's lease.
func (l *leasing) due(now time.Duration, ref job.Ref) bool { return now >= l.refused[ref].until }

// answered records the result of a request for a job's lease. It reports whether to tell
// the user now that the job waits for its lease.
func (l *leasing) answered(now time.Duration, ref job.Ref, err error) (report bool) {
	if err == nil || errors.Is(err, job.ErrConflict) {
		delete(l.refused, ref)
		l.failures = 0
		return false
	}
	l.failures++
	l.log.Warn().Err(err).Stringer("job", ref).Int("failures", l.failures).Msg("no lease can be acquired; jobs wait")
	before := l.refused[ref]
	pause := min(max(firstRefusal, 2*before.pause), longestRefusal)
	report = !before.reported && pause >= reportAfter
	l.refused[ref] = deferral{until: now + pause, pause: pause, reported: before.reported || report}
	return report
}

// leased handles the result of a request for the job's lease. Without a lease the driver
// cannot write the reason for the wait into the record, so it publishes an event.
func (d *driver) leased(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	d.service.mu.Lock()
	report := d.service.leasing.answered(d.service.now(), d.ref, err)
	d.service.mu.Unlock()
	if report {
		d.publish(notice.Event{Type: notice.WaitingEvent, Message: "waiting: " + sentence(err)})
	}
}

// unknownPause is how long a coordinator leaves a job alone whose plan it does not know.
const unknownPause = 10 * time.Second

// leaveToOtherVersion releases a job whose plan this program does not know, so that a
// coordinator of another version takes it.
func (d *driver) leaveToOtherVersion(err error) {
	d.log.Warn().Err(err).Msg("this version does not know the job's plan; a coordinator of another version must drive the job")
	d.publish(notice.Event{Type: notice.WaitingEvent, Message: "waiting: a coordinator of another version must drive the job: " + sentence(err)})
	d.service.mu.Lock()
	defer d.service.mu.Unlock()
	d.service.leasing.refused[d.ref] = deferral{until: d.service.now() + unknownPause}
}

func (l *leasing) forget(ref job.Ref) { delete(l.refused, ref) }

// The interval of checks that the records of driven jobs exist. A record counts as gone
// only after several misses in a row, because a replica may lag.
const (
	revisitEvery    = 3 * time.Second
	confirmPatience = 10 * time.Second
	missesToBeGone  = 2
)

// confirm reads the records of the jobs that are driven here. It stops the driver of a
// job whose record is gone or unreadable. The watch reports no removals, and a driver
// that takes steps seldom reads its record. The caller holds s.mu.
func (s *Service) confirm(ctx context.Context) {
	if s.now()-s.confirmed < revisitEvery {
		return
	}
	s.confirmed = s.now() + confirmPatience // until this check has ended
	drivers := slices.SortedFunc(maps.Values(s.jobs), func(a, b *driver) int {
		return strings.Compare(a.ref.String(), b.ref.String())
	})
	s.background("check the jobs' records", job.Ref{}, func() error {
		ctx, cancel := context.WithTimeout(ctx, confirmPatience)
		defer cancel()
		for _, d := range drivers {
			r, _, err := s.cfg.Records.Get(ctx, d.ref.Job)
			gone := errors.Is(err, job.ErrNotFound) || errors.Is(err, job.ErrCorrupt) || err == nil && r.Ref() != d.ref
			if gone {
				d.misses++
			} else if err == nil {
				d.misses = 0
			}
			if d.misses >= missesToBeGone {
				d.stop(errGone)
			}
		}
		s.mu.Lock()
		s.confirmed = s.now()
		s.mu.Unlock()
		return nil
	})
}
