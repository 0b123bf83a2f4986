package round

import "time"

// The machine finds by trial how many teams of slots a step is split over. The exchange
// between teams may take longer than the gradient of a small model. One team that has
// whole steps exchanges nothing, and the other teams are then free for other jobs.
// Periodically the machine splits a span over more or fewer teams and keeps the faster
// count.

// The settings of trials.
const (
	trialSteps = 8           // minimum steps of a trial, except when steps are long
	trialLong  = time.Second // a span with fewer than trialSteps steps gives a valid step time if it took this long
	trialEvery = 16          // minimum time until the next trial, as a multiple of the last trial's time
	trialRare  = 256         // maximum of that multiple, which doubles after each trial without a gain
	trialGain  = 0.95
	trialWait  = 4 // the machine does not wait for a lost trial if the kept teams are more than this × the tried teams
)

// share holds what the machine knows about the ways to split the steps over teams.
type share struct {
	all   int                   // number of teams
	kept  int                   // number of teams that steps are split over, outside trials
	tried int                   // the same for the current span, if it is a trial; else 0
	per   map[int]time.Duration // step time by number of teams, from the last span with that number
	began time.Duration         // time at which the current span was published
	steps int64                 // steps of the current span; 0: the length starts again from 1 step
	first reached               // first commit of the current span, if it is not its last commit
	turn  int                   // which other number of teams the next trial takes
	next  time.Duration         // earliest time of the next trial
	every time.Duration         // wait until the next trial, as a multiple of the trial's time
}

// reached is a number of committed steps and the time at which the machine learned of it.
type reached struct {
	steps int64
	at    time.Duration
}

// fresh discards what the machine learned about an earlier fleet.
func (r *Round) fresh() {
	all := min(r.teams(), r.cfg.Microbatches)
	r.share = share{all: all, kept: all, per: map[int]time.Duration{}, every: trialEvery}
}

// teams returns the number of teams that the current or next span is split over.
func (s *share) teams() int {
	if s.tried > 0 {
		return s.tried
	}
	return s.kept
}

// other returns the number of teams for the next trial. It takes in turn: one team, half
// as many, twice as many, all. After a gain it takes the same rule again.
func (s *share) other() int {
	for ; ; s.turn++ {
		ways := [...]int{1, (s.kept + 1) / 2, min(2*s.kept, s.all), s.all}
		if n := ways[s.turn%len(ways)]; n != s.kept {
			return n // such a number exists: with two teams or more these are not all equal
		}
	}
}

// choose decides the number of teams and the number of steps of the next span.
func (r *Round) choose(now time.Duration) (steps int64) {
	s := &r.share
	if s.tried > 0 { // the trial was broken off
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

// stalled discards the known step time, because steps now take longer than that.
func (r *Round) stalled() {
	delete(r.share.per, r.share.teams())
	r.share.steps = 0
}

// lost reports whether the current trial has taken as long as the kept way needs for its
// steps.
func (r *Round) lost(now time.Duration) bool {
	s := &r.share
	return s.tried > 0 && !r.span.broken && now-s.began >= s.per[s.kept]*time.Duration(r.span.steps)
}

// breakOff ends a lost trial. It normally waits for the current step, because a team that
// has whole steps then commits them. If trialWait times the tried teams are fewer than
// the kept teams, that step may take very long; then all teams compute it at once
// instead.
func (r *Round) breakOff(now time.Duration) []Action {
	if trialWait*r.share.tried < r.share.kept {
		return r.next(now)
	}
	r.span.broken = true
	return []Action{Recall{}}
}

// settle ends a trial. It keeps the tried number of teams if that was better.
func (r *Round) settle(now time.Duration, better bool) {
	s := &r.share
	took := min(now-s.began, trialWait*s.per[s.kept]*time.Duration(r.span.steps)) // bounds the time that counts for the wait until the next trial
	if better {
		s.kept, s.every = s.tried, trialEvery
	}
	s.tried, s.next = 0, now+s.every*took
	if !better {
		s.turn++
		s.every = min(2*s.every, trialRare)
	}
}
