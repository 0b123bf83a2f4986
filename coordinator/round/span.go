package round

import (
	"time"

	"tributary/shared/tree"
)

// maxSpan is the maximum number of steps of one task. loneSpan multiplies SpanTime when
// one team has whole steps: its span may be longer, because another worker would first
// have to catch up.
const (
	maxSpan  = 1 << 14
	loneSpan = 4
)

// span is the step range of the tasks on the queue. While a span lasts, workers go from
// step to step without the coordinator.
type span struct {
	end    int64 // the step after the last step
	steps  int64 // number of steps
	tell   int64 // maximum number of steps per commit or announcement
	broken bool  // other work was published or the fleet changed; the span ends with the current step
}

// lasts reports whether the queue has tasks for the step after the given committed steps.
func (s span) lasts(committed int64) bool { return !s.broken && committed < s.end }

// Due reports whether the machine has something to do, other than to wait for the next
// step, when the given number of steps is committed.
func (r *Round) Due(steps int64) bool {
	return r.phase != Stepping || steps > r.committed && !r.span.lasts(steps)
}

// publish starts a span with the current step. It first recalls tasks of the previous
// span that have steps left.
func (r *Round) publish(now time.Duration) []Action {
	var actions []Action
	if r.span.end > r.committed {
		actions = append(actions, Recall{})
	}
	steps := r.choose(now)
	r.share.steps = steps
	r.span = span{end: r.committed + steps, steps: steps, tell: 1}
	nodes, threads := r.cover()
	publish := Publish{Step: r.committed, Steps: steps, Nodes: nodes, Threads: threads}
	if len(nodes) == 1 {
		r.span.tell = min(r.within(r.cfg.TellTime), steps)
		if r.crowded {
			r.span.tell = min(r.span.tell, (steps+1)/2) // the first commit shows when the turn began
		}
		publish.Tell = r.span.tell
	}
	return append(actions, publish)
}

// within returns how many steps take about d, at least 1.
func (r *Round) within(d time.Duration) int64 {
	step := r.share.per[r.share.teams()]
	if step == 0 {
		step = r.steps.median()
	}
	if step == 0 {
		return 1
	}
	return max(1, int64(d/step))
}

// stride returns the number of steps of the next span: about as many as take SpanTime, or
// ShortSpan while other jobs wait for slots. While the step time is uncertain, a span has
// at most twice the steps of the previous one. The length changes which worker computes
// what, never the results.
func (r *Round) stride() int64 {
	span := r.cfg.SpanTime
	switch {
	case r.crowded:
		span = r.cfg.ShortSpan
	case r.share.kept == 1:
		span *= loneSpan
	}
	steps, twice := min(r.within(span), maxSpan), max(1, 2*r.share.steps)
	switch known := r.share.per[r.share.teams()] > 0; {
	case r.crowded && !known:
		// The measured step time is mostly the wait for a turn. One or two turns of a few
		// steps give the real step time. A span that was broken off gives none.
		if r.committed != r.span.end {
			twice = max(1, r.share.steps)
		}
		steps = min(trialSteps, twice)
	case r.crowded || !known:
		steps = min(steps, twice)
	}
	return r.upTo(steps)
}

// upTo limits a span: it ends at the job's end, where the log has no more room, and at an
// evaluation, because the next step waits for that.
func (r *Round) upTo(steps int64) int64 {
	steps = min(steps, r.cfg.Steps-r.committed)
	if !r.leaps() {
		steps = min(steps, max(1, r.left()))
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
	nodes = tree.Cover(r.cfg.Microbatches, r.share.teams())
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
