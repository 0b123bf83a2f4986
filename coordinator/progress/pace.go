package progress

import "time"

const (
	paceEvery  = 500 * time.Millisecond // minimum time over which a rate is measured
	paceWeight = 0.3                    // weight of the newest rate in the moving average
	longest    = 100 * 24 * time.Hour   // a longer time left is not shown
)

// pace estimates the time left from the moving average of steps per second. It has no
// clock.
type pace struct {
	at   time.Time
	step int64
	rate float64 // steps per second; 0: unknown
}

// observe records the number of committed steps at a time.
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

// left estimates the time of n more steps.
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
