package round

import "time"

// Among how many teams of slots the steps are parted is found out by trying: what teams
// give each other takes longer than the gradient of a small model, and one that has whole
// steps to itself gives nothing away. The others are better left to other jobs then. Now
// and then a span is parted among more or fewer, and what was faster is kept.

// The shape of trials.
const (
	trialSteps = 8           // of a trial, at least, but for long steps
	trialLong  = time.Second // a span of fewer steps says what they take when it took so long
	trialEvery = 16          // times as long as a trial took it is until the next, at least
	trialRare  = 256         // likewise, at the most: it doubles whenever nothing was found
	trialGain  = 0.95
	trialWait  = 4 // times as many teams as are tried are not waited for
)

// share is what is known of ways to part the steps.
type share struct {
	all   int                   // teams there are
	kept  int                   // teams that steps are parted among, but for trials
	tried int                   // likewise in the span that runs, when it is a trial; else 0
	per   map[int]time.Duration // by teams: a step's time, as the last span said that was parted so
	began time.Duration         // when the span that runs was published
	steps int64                 // that it has; 0: how long it may be is to be found anew
	first reached               // its first commit, when that is not its last
	turn  int                   // which of the other ways is tried next
	next  time.Duration         // when there may be another trial
	every time.Duration         // how many times as long as a trial until the next
}

// reached is when so many steps were known to be committed.
type reached struct {
	steps int64
	at    time.Duration
}

// fresh forgets what was known of another fleet.
func (r *Round) fresh() {
	all := min(r.teams(), r.cfg.Microbatches)
	r.share = share{all: all, kept: all, per: map[int]time.Duration{}, every: trialEvery}
}

// teams is what the next span, or the one that runs, is parted among.
func (s *share) teams() int {
	if s.tried > 0 {
		return s.tried
	}
	return s.kept
}

// other is what the next trial is of: one team, half as many, twice as many, or all, in
// turn, and the same again when that was better.
func (s *share) other() int {
	for ; ; s.turn++ {
		ways := [...]int{1, (s.kept + 1) / 2, min(2*s.kept, s.all), s.all}
		if n := ways[s.turn%len(ways)]; n != s.kept {
			return n // there is one: with two teams or more these are not all the same
		}
	}
}

// choose decides among how many teams the next span is parted, and how many steps it has.
func (r *Round) choose(now time.Duration) (steps int64) {
	s := &r.share
	if s.tried > 0 { // it was broken off
		r.settle(now, false)
	}
	s.began, s.first = now, reached{}
	least := max(min(trialSteps, r.within(r.cfg.SpanTime)), 2)
	try := r.upTo(min(max(least, r.within(r.cfg.TrialTime)), maxSpan, r.left()))
	if r.cfg.TrialTime == 0 || s.all == 1 || s.per[s.kept] == 0 || now < s.next || try < least {
		return r.stride()
	}
	s.tried = s.other()
	return try
}

// weigh learns from a span that is over.
func (r *Round) weigh(now time.Duration) {
	s := &r.share
	clean := !r.span.broken && r.attempt == 0 && r.committed == r.span.end
	took, known := now-s.began, s.per[s.teams()]
	per := max(1, took/time.Duration(r.span.steps))
	sure := s.tried > 0 || r.span.steps >= trialSteps || took >= trialLong || per < known
	if r.crowded {
		// The time before the first commit is mostly the wait for a turn.
		if sure = s.first.steps > 0; sure {
			per = max(1, (now-s.first.at)/time.Duration(r.committed-s.first.steps))
		}
	}
	if clean && sure {
		s.per[s.teams()] = per
	}
	if s.tried > 0 {
		r.settle(now, clean && float64(per) < trialGain*float64(s.per[s.kept]))
	}
}

// stalled forgets what a step takes, which is longer than was thought.
func (r *Round) stalled() {
	delete(r.share.per, r.share.teams())
	r.share.steps = 0
}

// lost reports whether the trial that runs has taken too long to be won.
func (r *Round) lost(now time.Duration) bool {
	s := &r.share
	return s.tried > 0 && !r.span.broken && now-s.began >= s.per[s.kept]*time.Duration(r.span.steps)
}

// breakOff ends a trial that is lost with a step in hand, which is waited for: who has
// steps to itself commits them then. But a few that had the work of many may take so
// long for a step that it is done by all meanwhile.
func (r *Round) breakOff(now time.Duration) []Action {
	if trialWait*r.share.tried < r.share.kept {
		return r.next(now)
	}
	r.span.broken = true
	return []Action{Recall{}}
}

// settle ends a trial: what was tried is kept when it was better.
func (r *Round) settle(now time.Duration, better bool) {
	s := &r.share
	took := min(now-s.began, trialWait*s.per[s.kept]*time.Duration(r.span.steps)) // no longer than that is due to it
	if better {
		s.kept, s.every = s.tried, trialEvery
	}
	s.tried, s.next = 0, now+s.every*took
	if !better {
		s.turn++
		s.every = min(2*s.every, trialRare)
	}
}
