package compute

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

// Stopwatch begins to take the time of a task; lap ends a phase and begins the next.
// Nothing that is computed depends on it.
type Stopwatch func() (lap func(Phase))

// start begins to take the time, if anybody wants to know.
func (s Stopwatch) start() (lap func(Phase)) {
	if s == nil {
		return func(Phase) {}
	}
	return s()
}
