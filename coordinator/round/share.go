package round

import "time"

// Whether teams of slots share each step, or one of them has whole steps to itself, is
// found out by trying: what teams give each other takes longer than the gradient of a
// small model, and then the others are better left to other jobs. Now and then a span
// is published the other way, and what was faster is kept.

// The shape of trials.
const (
	trialSteps = 8   // of a trial, at least
	trialEvery = 32  // steps before the first trial, and in trials from one to the next, at least
	trialRare  = 512 // likewise, at the most: it doubles whenever nothing was found
	trialGain  = 0.95
)

// share is what is known of the two ways.
type share struct {
	alone bool             // one team has whole steps to itself
	trial bool             // the span that runs is one, the other way
	per   [2]time.Duration // a step's time, in the last span shared and alone; 0: not known
	began time.Duration    // when the span that runs was published
	next  int64            // step before which there is no trial
	every int64            // trials from one to the next
}

// fresh forgets what was known of another fleet.
func (r *Round) fresh() {
	r.share = share{next: r.committed + trialEvery, every: trialEvery}
}

// way is the index in per of the way the next span, or the one that runs, goes.
func (s *share) way() int {
	if s.alone != s.trial {
		return 1
	}
	return 0
}

// choose decides which way a span of so many steps goes, and how many it has.
func (r *Round) choose(now time.Duration, steps int64) int64 {
	s := &r.share
	if s.trial { // it was broken off
		r.settle(false)
	}
	s.began = now
	if r.cfg.TrialTime == 0 || r.teams() == 1 || r.cfg.Microbatches == 1 {
		s.alone = false
		return steps
	}
	try := max(trialSteps, r.within(r.cfg.TrialTime))
	if s.per[s.way()] == 0 || r.committed < s.next || steps < try {
		return steps
	}
	s.trial = true
	return try
}

// weigh learns from a span that is over.
func (r *Round) weigh(now time.Duration) {
	s := &r.share
	clean := !r.span.broken && r.attempt == 0 && r.committed == r.span.end
	if clean && r.span.steps >= trialSteps {
		s.per[s.way()] = max(1, (now-s.began)/time.Duration(r.span.steps))
	}
	if !s.trial {
		return
	}
	tried, was := s.per[s.way()], s.per[1-s.way()]
	r.settle(clean && float64(tried) < trialGain*float64(was))
}

// settle ends a trial: what was tried stays when it was better.
func (r *Round) settle(better bool) {
	s := &r.share
	s.trial = false
	if better {
		s.alone, s.every = !s.alone, trialEvery
	} else {
		s.every = min(2*s.every, trialRare)
	}
	s.next = r.committed + s.every*r.span.steps
}
