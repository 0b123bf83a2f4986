package run

import (
	"math"
	"time"

	"tributary/shared/job"
)

// pace is how long steps took, from one commit to the next, as this
// coordinator heard of them. It holds a fixed number of bytes, whatever the
// number of steps: times are counted in bins that grow by paceRatio, so a
// quantile is within one percent of the truth.
type pace struct {
	bins  [paceBins]int64
	count int64
	since time.Duration // the time of the newest commit, or when steps went on

	warm  int64         // steps that the mean leaves out: workers fetch their data in them
	sum   time.Duration // of the others
	timed int64         // how many they are
}

// hear is told of the time at every event: whether a step was under way until
// then, and how many the event committed.
func (p *pace) hear(now time.Duration, stepping bool, commits int64) {
	if stepping && commits > 0 {
		p.add(now-p.since, commits)
	}
	if !stepping || commits != 0 {
		p.since = now
	}
}

// The bins: the first ends at paceFirst, the last at some ten hours.
const (
	paceFirst = time.Microsecond
	paceRatio = 1.02
	paceBins  = 1230
)

// add counts n steps that were committed in the time d together, as when one
// message tells of several.
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

// quantile is the time, in milliseconds, that a share q of the steps took no
// longer than: the middle of a bin.
func (p *pace) quantile(q float64) float64 {
	rank := max(1, int64(math.Ceil(q*float64(p.count))))
	for i, n := range p.bins {
		if rank -= n; rank <= 0 {
			return float64(paceFirst) * math.Pow(paceRatio, float64(i)+0.5) / float64(time.Millisecond)
		}
	}
	return 0
}

// times is what an outcome says of it; nil when no step was seen.
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
