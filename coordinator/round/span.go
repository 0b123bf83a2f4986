package round

import (
	"time"

	"tributary/shared/tree"
)

// maxSpan bounds the steps of one task. loneSpan is how many times SpanTime one may take
// that has whole steps to itself: another worker would have to catch up first.
const (
	maxSpan  = 1 << 14
	loneSpan = 4
)

// span is the steps that the tasks on the queue were published for. While a span
// lasts, workers go from step to step by themselves.
type span struct {
	end    int64 // the step after its last
	steps  int64 // how many it had
	tell   int64 // how many may be committed, or told of, at a time
	broken bool  // work was published beside it, or the fleet has changed: it ends with the step in hand
}

// lasts reports whether tasks are there for the step after so many.
func (s span) lasts(committed int64) bool { return !s.broken && committed < s.end }

// Due reports whether the machine would have something else to do, were so many steps
// committed, than to wait for the next step.
func (r *Round) Due(steps int64) bool {
	return r.phase != Stepping || steps > r.committed && !r.span.lasts(steps)
}

// publish begins a span with the step in hand. Tasks of the last one that have
// steps to go are called back first.
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
			r.span.tell = min(r.span.tell, (steps+1)/2) // the first commit says when the turn began
		}
		publish.Tell = r.span.tell
	}
	return append(actions, publish)
}

// within is how many steps take about so long, at least 1.
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

// stride is how many steps the next span has: about as many as take SpanTime, or
// ShortSpan, at most twice as many as the last while it is not known well what they
// take. It decides who asks for which results, never what they are.
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
		// What steps have taken so far is mostly the wait for a turn: a turn or two of a
		// few steps say what they take. A span that was broken off says nothing.
		if r.committed != r.span.end {
			twice = max(1, r.share.steps)
		}
		steps = min(trialSteps, twice)
	case r.crowded || !known:
		steps = min(steps, twice)
	}
	return r.upTo(steps)
}

// upTo cuts a span off at the job's end, where the log has no more room, and at an
// evaluation, which the next step waits for.
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

// cover parts the tree among teams of slots of one worker each, as many as are best. A
// job whose share is no whole number of teams has smaller ones.
func (r *Round) cover() (nodes []tree.Node, threads int) {
	nodes = tree.Cover(r.cfg.Microbatches, r.share.teams())
	return nodes, max(1, min(r.team, r.slots/len(nodes)))
}

// teams is how many tasks there may be at a time.
func (r *Round) teams() int {
	team := r.team
	for r.slots%max(1, team) != 0 {
		team-- // ends at 1
	}
	return max(1, r.slots/max(1, team))
}
