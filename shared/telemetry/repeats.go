package telemetry

import (
	"sync"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/time/rate"
)

// How often one message may be repeated, and for how many messages this is remembered.
const (
	burst        = 20
	perBurst     = 10 * time.Second // after this time as many may come again
	mostRepeated = 1024
)

// Limit lets through a burst of equal events, and after that the same number in each ten
// seconds. It counts the events that it suppresses. It is safe for concurrent use. Use
// NewLimit.
type Limit struct {
	rate *rate.Limiter

	mu   sync.Mutex
	held int
}

// NewLimit returns a limit that lets 20 events through in 10 s.
func NewLimit() *Limit {
	return &Limit{rate: rate.NewLimiter(rate.Every(perBurst/burst), burst)}
}

// Allow reports whether one more event may pass at the time now. held is how many were
// suppressed since the last event that passed.
func (l *Limit) Allow(now time.Time) (ok bool, held int) {
	if l.rate.AllowN(now, 1) {
		return true, l.Drain()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held++
	return false, 0
}

// Drain returns how many suppressed lines are not yet counted in a log line, and resets
// the count.
func (l *Limit) Drain() (held int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	held, l.held = l.held, 0
	return held
}

// idle reports whether the limit is in the same state as a new one.
func (l *Limit) idle(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.held == 0 && l.rate.TokensAt(now) >= burst
}

// repeats is a hook that limits equal warnings and errors: those with the same level and
// message. So a fault that happens thousands of times a second fills no disk and hides no
// other fault. The next line that passes says how many were left out.
type repeats struct {
	now func() time.Time

	mu   sync.Mutex
	seen map[line]*Limit // at most mostRepeated
}

type line struct {
	level   zerolog.Level
	message string
}

func newRepeats() *repeats { return &repeats{now: time.Now, seen: map[line]*Limit{}} }

// Run implements zerolog.Hook.
func (r *repeats) Run(e *zerolog.Event, level zerolog.Level, message string) {
	if level < zerolog.WarnLevel {
		return // not a fault: for example, each job that ends is news
	}
	r.mu.Lock()
	ok, held := r.limit(line{level, message}).Allow(r.now())
	r.mu.Unlock()
	switch {
	case !ok:
		e.Discard()
	case held > 0:
		e.Int("suppressed", held)
	}
}

// limit returns the limit of a line. If there are too many limits, it forgets the idle
// ones; if none is idle, it forgets all. The caller holds r.mu.
func (r *repeats) limit(l line) *Limit {
	if known := r.seen[l]; known != nil {
		return known
	}
	if len(r.seen) >= mostRepeated {
		now := r.now()
		for other, limit := range r.seen {
			if limit.idle(now) {
				delete(r.seen, other)
			}
		}
		if len(r.seen) >= mostRepeated {
			clear(r.seen)
		}
	}
	fresh := NewLimit()
	r.seen[l] = fresh
	return fresh
}
