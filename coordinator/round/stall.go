package round

import (
	"slices"
	"time"

	"tributary/shared/tree"
)

// snapshotPatience is how long the machine waits for a snapshot before it asks again.
const snapshotPatience = 30 * time.Second

// tick checks for work that was lost or is too slow.
func (r *Round) tick(now time.Duration) []Action {
	var actions []Action
	if patience := r.snapshotPatience(); r.snapshotPending && now-r.snapshotRequested > patience {
		r.snapshotRequested = now
		actions = append(actions, Snapshot{Steps: r.committed, Attempt: int(now / patience)})
	}
	actions = append(actions, r.checkpointAgain(now)...)
	if r.phase == Stepping && r.trialLost(now) {
		return append(actions, r.abandonTrial(now)...)
	}
	if (r.phase == Stepping || r.phase == Evaluating) && now >= r.deadline {
		actions = append(actions, Inspect{Steps: r.committed})
	}
	return actions
}

// missing publishes again the work that the ledger does not have. It splits a node with
// children into those children: other workers then do parts of the slow worker's work,
// and the sum has the same bits.
func (r *Round) missing(now time.Duration, e Missing) []Action {
	if e.Steps != r.committed || r.slots == 0 {
		return nil
	}
	switch r.phase {
	case Stepping:
		r.published.broken, r.published.announce = true, 1
		r.forgetStepTime()
		r.countAttempt(now)
		_, threads := r.cover()
		return []Action{Publish{Step: r.committed, Steps: 1, Nodes: r.splitNodes(e.Nodes), Threads: threads, Attempt: r.attempt}}
	case Evaluating:
		r.countAttempt(now)
		return []Action{Evaluate{Steps: r.committed, Final: r.concluding, Attempt: r.attempt}}
	default:
		return nil // the machine has asked for nothing that could be missing
	}
}

// countAttempt counts an attempt and doubles the wait, up to 64 times the first wait.
func (r *Round) countAttempt(now time.Duration) {
	r.attempt++
	r.deadline = now + r.patience()<<min(r.attempt, 6)
}

// splitNodes halves nodes while there are fewer nodes than teams.
func (r *Round) splitNodes(nodes []tree.Node) []tree.Node {
	if r.room.refused {
		return []tree.Node{tree.Root} // a task for the root stores no partials
	}
	nodes = slices.Clone(nodes)
	for i := 0; i < len(nodes) && len(nodes) < r.teams(); i++ {
		if lo, hi, ok := nodes[i].Leaves(r.cfg.Microbatches); ok && hi-lo > 1 {
			nodes = slices.Replace(nodes, i, i+1, nodes[i].Left(), nodes[i].Right())
			i++
		}
	}
	return nodes
}

// patience returns how long a step or an evaluation may take before it counts as stalled.
func (r *Round) patience() time.Duration {
	p, floor := r.current(), r.cfg.BackupFloor
	if p.n == 0 {
		floor = r.cfg.FirstFloor
	}
	expected := p.median()
	if r.phase == Stepping {
		if per := r.split.stepTime[r.split.teams()]; per > 0 {
			expected = min(expected, per) // the median may come from another number of teams
		}
		expected *= time.Duration(max(1, r.published.announce))
	}
	return max(floor, time.Duration(r.cfg.BackupFactor*float64(expected)))
}

// current returns the pace of the current kind of work.
func (r *Round) current() *pace {
	if r.phase == Evaluating {
		return &r.evaluations
	}
	return &r.steps
}

// pace records how long the latest steps or evaluations took.
type pace struct {
	recent [31]time.Duration
	n      int
	cached time.Duration // median at the last computation
}

// add records a duration. It computes the median for each of the first eight and then for
// every eighth, so that the cost for short steps stays negligible.
func (p *pace) add(d time.Duration) {
	p.recent[p.n%len(p.recent)] = d
	p.n++
	if p.n <= 8 || p.n%8 == 0 {
		known := slices.Clone(p.recent[:min(p.n, len(p.recent))])
		slices.Sort(known)
		p.cached = known[len(known)/2]
	}
}

func (p *pace) median() time.Duration { return p.cached }
