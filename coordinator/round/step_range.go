package round

import (
	"time"

	"tributary/shared/tree"
)

// maxTaskSteps is the maximum number of steps of one task. singleTeamFactor multiplies
// TaskTime when one team has whole steps: its step range may be longer, because another
// worker would first have to catch up.
const (
	maxTaskSteps     = 1 << 14
	singleTeamFactor = 4
)

// stepRange is the step range of the tasks on the queue. Until its end, workers go from
// step to step without the coordinator.
type stepRange struct {
	end      int64 // the step after the last step
	steps    int64 // number of steps
	announce int64 // maximum number of steps per commit or announcement
	broken   bool  // other work was published or the fleet changed; the step range ends with the current step
}

// hasNext reports whether the queue has tasks for the step after the given committed
// steps.
func (s stepRange) hasNext(committed int64) bool { return !s.broken && committed < s.end }

// Due reports whether the machine has something to do, other than to wait for the next
// step, when the given number of steps is committed.
func (r *Round) Due(steps int64) bool {
	return r.phase != Stepping || steps > r.committed && !r.published.hasNext(steps)
}

// publish starts a step range with the current step. It first recalls tasks of the
// previous step range that have steps left.
func (r *Round) publish(now time.Duration) []Action {
	var actions []Action
	if r.published.end > r.committed {
		actions = append(actions, Recall{})
	}
	steps := r.untilDeadline(now, r.chooseSplit(now))
	r.split.steps = steps
	r.published = stepRange{end: r.committed + steps, steps: steps, announce: 1}
	nodes, threads := r.cover()
	publish := Publish{Step: r.committed, Steps: steps, Nodes: nodes, Threads: threads}
	if len(nodes) == 1 {
		r.published.announce = min(r.stepsIn(r.cfg.AnnounceTime), steps)
		if r.crowded {
			r.published.announce = min(r.published.announce, (steps+1)/2) // the first commit shows when the turn began
		}
		publish.Announce = r.published.announce
	}
	return append(actions, publish)
}

// stepsIn returns how many steps take about d, at least 1.
func (r *Round) stepsIn(d time.Duration) int64 {
	step := r.split.stepTime[r.split.teams()]
	if step == 0 {
		step = r.steps.median()
	}
	if step == 0 {
		return 1
	}
	return max(1, int64(d/step))
}

// length returns the number of steps of the next step range: about as many as take
// TaskTime, or ShortTaskTime while other jobs wait for slots. While the step time is
// uncertain, a step range has at most twice the steps of the previous one. The length
// changes which worker computes what, never the results.
func (r *Round) length() int64 {
	target := r.cfg.TaskTime
	switch {
	case r.crowded:
		target = r.cfg.ShortTaskTime
	case r.split.kept == 1:
		target *= singleTeamFactor
	}
	steps, twice := min(r.stepsIn(target), maxTaskSteps), max(1, 2*r.split.steps)
	switch known := r.split.stepTime[r.split.teams()] > 0; {
	case r.crowded && !known:
		// The measured step time is mostly the wait for a turn. One or two turns of a few
		// steps give the real step time. An abandoned step range gives none.
		if r.committed != r.published.end {
			twice = max(1, r.split.steps)
		}
		steps = min(trialMinSteps, twice)
	case r.crowded || !known:
		steps = min(steps, twice)
	}
	return r.limit(steps)
}

// limit shortens a step range: it ends at the job's end, where the log has no more room,
// and at an evaluation, because the next step waits for that.
func (r *Round) limit(steps int64) int64 {
	steps = min(steps, r.end-r.committed)
	if !r.commitsInBatches() {
		steps = min(steps, max(1, r.logSpace()))
	}
	for n := int64(1); n < steps; n++ {
		if r.cfg.EvaluateAfter(r.committed + n) {
			return n
		}
	}
	return steps
}

// cover splits the tree over the best known number of teams. A team is slots of one
// worker. If the job's slots are not a whole number of teams, the teams are smaller.
func (r *Round) cover() (nodes []tree.Node, threads int) {
	nodes = tree.Cover(r.cfg.Microbatches, r.split.teams())
	return nodes, max(1, min(r.team, r.slots/len(nodes)))
}

// teams returns the maximum number of tasks at a time.
func (r *Round) teams() int {
	team := r.team
	for r.slots%max(1, team) != 0 {
		team-- // ends at 1 at the latest
	}
	return max(1, r.slots/max(1, team))
}
