package telemetry

import (
	"sync"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/time/rate"
)

// How often one message may be repeated, and of how many messages that is remembered.
const (
	burst        = 20
	perBurst     = 10 * time.Second // in which as many may come again
	mostRepeated = 1024
)

// Limit lets a burst of equal things pass, then as many in each ten seconds, and
// counts what it holds back. It is safe for concurrent use. Use NewLimit.
type Limit struct {
	rate *rate.Limiter

	mu   sync.Mutex
	held int
}

// NewLimit returns a limit that lets 20 pass in 10 s.
func NewLimit() *Limit {
	return &Limit{rate: rate.NewLimiter(rate.Every(perBurst/burst), burst)}
}

// Allow reports whether one more may pass at that time, and how many were held back
// since the last one that did.
func (l *Limit) Allow(now time.Time) (ok bool, held int) {
	if l.rate.AllowN(now, 1) {
		return true, l.Drain()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held++
	return false, 0
}

// Drain returns how many lines were held back and not yet counted in a log line, and
// resets the count.
func (l *Limit) Drain() (held int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	held, l.held = l.held, 0
	return held
}

// idle reports whether the limit stands as a new one does.
func (l *Limit) idle(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.held == 0 && l.rate.TokensAt(now) >= burst
}

// repeats is a hook that limits equal warnings and errors: those of one level and one message.
// A fault that recurs thousands of times a second then fills no disk and hides no
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
		return // no fault: each job that ends, for one, is news
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

// limit returns the limit of a line. Where there are too many it forgets those that
// stand as new ones do, and when there are none of these, all. r.mu is held.
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
