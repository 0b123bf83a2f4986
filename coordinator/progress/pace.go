package progress

import "time"

const (
	paceEvery  = 500 * time.Millisecond // the least time a rate is taken over
	paceWeight = 0.3                    // of the newest rate in the moving average
	longest    = 100 * 24 * time.Hour   // a longer time left is not worth showing
)

// pace estimates the time left from the moving average of steps per second. It
// has no clock of its own.
type pace struct {
	at   time.Time
	step int64
	rate float64 // steps per second; 0: not known
}

// observe notes that step steps are committed.
func (p *pace) observe(now time.Time, step int64) {
	if p.at.IsZero() || step < p.step {
		*p = pace{at: now, step: step}
		return
	}
	passed := now.Sub(p.at)
	if passed < paceEvery {
		return
	}
	rate := float64(step-p.step) / passed.Seconds()
	if p.rate > 0 {
		rate = paceWeight*rate + (1-paceWeight)*p.rate
	}
	p.at, p.step, p.rate = now, step, rate
}

// left estimates how long n more steps will take.
func (p *pace) left(n int64) (time.Duration, bool) {
	if n <= 0 || p.rate <= 0 {
		return 0, false
	}
	seconds := float64(n) / p.rate
	if seconds > longest.Seconds() {
		return 0, false
	}
	return time.Duration(seconds * float64(time.Second)), true
}
