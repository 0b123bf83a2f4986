package round

import "time"

// The machine finds by trial how many teams of slots a step is split over. The exchange
// between teams may take longer than the gradient of a small model. One team that has
// whole steps exchanges nothing, and the other teams are then free for other jobs.
// Periodically the machine splits a step range over more or fewer teams and keeps the
// faster count.

// The settings of trials.
const (
	trialMinSteps = 8           // minimum steps of a trial, except when steps are long
	trialMinTime  = time.Second // a step range with fewer than trialMinSteps steps gives a valid step time if it took this long
	trialMinWait  = 16          // minimum time until the next trial, as a multiple of the last trial's time
	trialMaxWait  = 256         // maximum of that multiple, which doubles after each trial without a gain
	trialGain     = 0.95
	trialMaxRatio = 4 // the machine does not wait for a lost trial if the kept teams are more than this × the tried teams
)

// splitPlan holds what the machine knows about how to split the steps over teams.
type splitPlan struct {
	all         int                   // number of teams
	kept        int                   // number of teams that steps are split over, outside trials
	tried       int                   // the same for the current step range, if it is a trial; else 0
	stepTime    map[int]time.Duration // step time by number of teams, from the last step range with that number
	began       time.Duration         // time at which the current step range was published
	steps       int64                 // steps of the current step range; 0: the length starts again from 1 step
	firstCommit commitPoint           // first commit of the current step range, if it is not its last commit
	candidate   int                   // which other number of teams the next trial takes
	nextTrial   time.Duration         // earliest time of the next trial
	waitFactor  time.Duration         // wait until the next trial, as a multiple of the trial's time
}

// commitPoint is a number of committed steps and the time at which the machine learned of
// it.
type commitPoint struct {
	steps int64
	at    time.Duration
}

// resetSplit discards what the machine learned about an earlier fleet.
func (r *Round) resetSplit() {
	all := min(r.teams(), r.cfg.Microbatches)
	r.split = splitPlan{all: all, kept: all, stepTime: map[int]time.Duration{}, waitFactor: trialMinWait}
}

// teams returns the number of teams that the current or next step range is split over.
func (s *splitPlan) teams() int {
	if s.tried > 0 {
		return s.tried
	}
	return s.kept
}

// nextCandidate returns the number of teams for the next trial. It takes in turn: one
// team, half as many, twice as many, all. After a gain it takes the same rule again.
func (s *splitPlan) nextCandidate() int {
	for ; ; s.candidate++ {
		candidates := [...]int{1, (s.kept + 1) / 2, min(2*s.kept, s.all), s.all}
		if n := candidates[s.candidate%len(candidates)]; n != s.kept {
			return n // such a number exists: with two teams or more these are not all equal
		}
	}
}

// chooseSplit decides the number of teams and the number of steps of the next step range.
func (r *Round) chooseSplit(now time.Duration) (steps int64) {
	s := &r.split
	if s.tried > 0 { // the trial was abandoned
		r.finishTrial(now, false)
	}
	s.began, s.firstCommit = now, commitPoint{}
	least := max(min(trialMinSteps, r.stepsIn(r.cfg.TaskTime)), 2)
	try := r.limit(min(max(least, r.stepsIn(r.cfg.TrialTime)), maxTaskSteps, r.logSpace()))
	if r.cfg.TrialTime == 0 || s.all == 1 || s.stepTime[s.kept] == 0 || now < s.nextTrial || try < least {
		return r.length()
	}
	s.tried = s.nextCandidate()
	return try
}

// learn records the step time of a step range that is over, and ends a trial.
func (r *Round) learn(now time.Duration) {
	s := &r.split
	clean := !r.published.broken && r.attempt == 0 && r.committed == r.published.end
	took, known := now-s.began, s.stepTime[s.teams()]
	per := max(1, took/time.Duration(r.published.steps))
	sure := s.tried > 0 || r.published.steps >= trialMinSteps || took >= trialMinTime || per < known
	if r.crowded {
		// The time before the first commit is mostly the wait for a turn.
		if sure = s.firstCommit.steps > 0; sure {
			per = max(1, (now-s.firstCommit.at)/time.Duration(r.committed-s.firstCommit.steps))
		}
	}
	if clean && sure {
		s.stepTime[s.teams()] = per
	}
	if s.tried > 0 {
		r.finishTrial(now, clean && float64(per) < trialGain*float64(s.stepTime[s.kept]))
	}
}

// forgetStepTime discards the known step time, because steps now take longer than that.
func (r *Round) forgetStepTime() {
	delete(r.split.stepTime, r.split.teams())
	r.split.steps = 0
}

// trialLost reports whether the current trial has taken as long as the kept number of
// teams needs for its steps.
func (r *Round) trialLost(now time.Duration) bool {
	s := &r.split
	return s.tried > 0 && !r.published.broken && now-s.began >= s.stepTime[s.kept]*time.Duration(r.published.steps)
}

// abandonTrial ends a lost trial. It normally waits for the current step, because a team
// that has whole steps then commits them. If trialMaxRatio times the tried teams are
// fewer than the kept teams, that step may take very long; then all teams compute it at
// once instead.
func (r *Round) abandonTrial(now time.Duration) []Action {
	if trialMaxRatio*r.split.tried < r.split.kept {
		return r.next(now)
	}
	r.published.broken = true
	return []Action{Recall{}}
}

// finishTrial ends a trial. It keeps the tried number of teams if that was better.
func (r *Round) finishTrial(now time.Duration, better bool) {
	s := &r.split
	took := min(now-s.began, trialMaxRatio*s.stepTime[s.kept]*time.Duration(r.published.steps)) // bounds the time that counts for the wait until the next trial
	if better {
		s.kept, s.waitFactor = s.tried, trialMinWait
	}
	s.tried, s.nextTrial = 0, now+s.waitFactor*took
	if !better {
		s.candidate++
		s.waitFactor = min(2*s.waitFactor, trialMaxWait)
	}
}
