package compute

import "time"

// Phase is what a worker does in a step.
type Phase string

// The phases, in the order of a step. Appending a root while the next step is
// computed takes time of its own, beside the others.
const (
	Waiting    Phase = "wait"    // for others to commit the step before
	Folding    Phase = "fold"    // reading and folding root gradients
	Computing  Phase = "compute" // the node's partial, fetching its blocks included
	Storing    Phase = "store"   // the partial, and learning what it completes
	Reducing   Phase = "reduce"  // reading others' partials and adding them up
	Committing Phase = "commit"  // appending root gradients, or waiting for the append before
	Appending  Phase = "append"  // in the background
)

// Phases lists every phase.
var Phases = []Phase{Waiting, Folding, Computing, Storing, Reducing, Committing, Appending}

// clock splits a task's time into phases.
type clock struct {
	spent func(Phase, time.Duration) // nil: nobody wants to know
	last  time.Time
}

// start begins the first phase.
func (c *clock) start() {
	if c.spent != nil {
		c.last = time.Now()
	}
}

// lap ends a phase, and begins the next.
func (c *clock) lap(p Phase) {
	if c.spent != nil {
		now := time.Now()
		c.spent(p, now.Sub(c.last))
		c.last = now
	}
}
