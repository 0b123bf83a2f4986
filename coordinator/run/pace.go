package run

import (
	"math"
	"time"

	"tributary/shared/job"
)

// pace records the time from one commit to the next, as this coordinator received the
// notices. It uses a fixed number of bytes for any number of steps. It counts times in
// bins that grow by paceRatio, so a quantile has an error of at most one percent.
type pace struct {
	bins  [paceBins]int64
	count int64
	since time.Duration // time of the newest commit, or when steps went on

	warm  int64         // steps that the mean leaves out, because workers fetch their data in them
	sum   time.Duration // total time of the other steps
	timed int64         // number of the other steps
}

// observe records the time of an event. stepping reports whether a step was running until
// then; commits is the number of steps that the event committed.
func (p *pace) observe(now time.Duration, stepping bool, commits int64) {
	if stepping && commits > 0 {
		p.add(now-p.since, commits)
	}
	if !stepping || commits != 0 {
		p.since = now
	}
}

// The bins: the first one ends at paceFirst, the last one at about ten hours.
const (
	paceFirst = time.Microsecond
	paceRatio = 1.02
	paceBins  = 1230
)

// add counts n steps that were committed together in the time d, as when one message
// reports several commits.
func (p *pace) add(d time.Duration, n int64) {
	if n <= 0 {
		return
	}
	each := max(1, float64(d)/float64(n)/float64(paceFirst))
	bin := int(math.Log(each) / math.Log(paceRatio))
	p.bins[min(bin, paceBins-1)] += n
	if p.count += n; p.count > p.warm {
		p.sum += max(0, d)
		p.timed += n
	}
}

// quantile returns the time in milliseconds that a fraction q of the steps did not
// exceed. The result is the middle of a bin.
func (p *pace) quantile(q float64) float64 {
	rank := max(1, int64(math.Ceil(q*float64(p.count))))
	for i, n := range p.bins {
		if rank -= n; rank <= 0 {
			return float64(paceFirst) * math.Pow(paceRatio, float64(i)+0.5) / float64(time.Millisecond)
		}
	}
	return 0
}

// times returns the step times for an outcome; nil if no step was seen.
func (p *pace) times() *job.StepTimes {
	if p.count == 0 {
		return nil
	}
	times := &job.StepTimes{P50: p.quantile(0.5), P99: p.quantile(0.99)}
	if p.timed > 0 {
		times.Mean = float64(p.sum) / float64(p.timed) / float64(time.Millisecond)
	}
	return times
}
