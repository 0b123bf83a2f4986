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

// leasing paces the asking for leases while they cannot be had for another
// reason than that somebody holds them. The service's lock guards it.
type leasing struct {
	refused  map[job.Ref]deferral
	failures int // since a lease was last answered
	log      zerolog.Logger
}

// deferral says when to ask again for a job's lease.
type deferral struct {
	until, pause time.Duration
	told         bool // people know that the job waits for it
}

// The pauses between attempts at a lease that fail; each is twice the last.
const (
	firstRefusal   = takeEvery
	longestRefusal = 2 * time.Second
)

func newLeasing(log zerolog.Logger) leasing {
	return leasing{refused: map[job.Ref]deferral{}, log: sparing(log)}
}

// due reports whether it is time to ask for a job's lease.
func (l *leasing) due(now time.Duration, ref job.Ref) bool { return now >= l.refused[ref].until }

// answered notes what came of asking for a job's lease. It reports whether people
// should know by now that the job waits for it.
func (l *leasing) answered(now time.Duration, ref job.Ref, err error) (tell bool) {
	if err == nil || errors.Is(err, job.ErrConflict) {
		delete(l.refused, ref)
		l.failures = 0
		return false
	}
	l.failures++
	l.log.Warn().Err(err).Stringer("job", ref).Int("failures", l.failures).Msg("no lease can be acquired; jobs wait")
	before := l.refused[ref]
	pause := min(max(firstRefusal, 2*before.pause), longestRefusal)
	tell = !before.told && pause >= quiet
	l.refused[ref] = deferral{until: now + pause, pause: pause, told: before.told || tell}
	return tell
}

// leased notes what came of asking for the job's lease. Without a lease the record
// cannot say what the job waits for, so an event does.
func (d *driver) leased(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	d.service.mu.Lock()
	tell := d.service.leasing.answered(d.service.now(), d.ref, err)
	d.service.mu.Unlock()
	if tell {
		d.publish(notice.Event{Type: notice.WaitingEvent, Message: "waiting: " + sentence(err)})
	}
}

// unknownPause is how long a coordinator leaves a job alone whose plan it does not know.
const unknownPause = 10 * time.Second

// leaveToOthers lets go of a job whose plan this program does not know, for a coordinator of
// another version to take.
func (d *driver) leaveToOthers(err error) {
	d.log.Warn().Err(err).Msg("the job is left to a coordinator of another version")
	d.publish(notice.Event{Type: notice.WaitingEvent, Message: "waiting: a coordinator of another version must drive the job: " + sentence(err)})
	d.service.mu.Lock()
	defer d.service.mu.Unlock()
	d.service.leasing.refused[d.ref] = deferral{until: d.service.now() + unknownPause}
}

func (l *leasing) forget(ref job.Ref) { delete(l.refused, ref) }

// The pace of confirming that the records of driven jobs are still there, and
// how often in a row one must be missing to be gone: a replica may lag behind.
const (
	revisitEvery    = 3 * time.Second
	confirmPatience = 10 * time.Second
	missesToBeGone  = 2
)

// confirm looks for the records of the jobs that are driven here, and stops the
// driver of a job whose record is gone or is no record any more. Watching reports no removals, and a driver
// that takes steps has little to do with its record. s.mu is held.
func (s *Service) confirm(ctx context.Context) {
	if s.now()-s.confirmed < revisitEvery {
		return
	}
	s.confirmed = s.now() + confirmPatience // until this one has ended
	drivers := slices.SortedFunc(maps.Values(s.jobs), func(a, b *driver) int {
		return strings.Compare(a.ref.String(), b.ref.String())
	})
	s.background("look for the jobs' records", job.Ref{}, func() error {
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
