package compute

// Phase is the kind of work that a worker does in a step.
type Phase string

// The phases, in the order of a step. The append of a root in the background runs at the
// same time as the other phases, so its time overlaps with theirs.
const (
	Waiting    Phase = "wait"    // waiting until other workers commit the step before
	Folding    Phase = "fold"    // reading and folding root gradients
	Computing  Phase = "compute" // computing the node's partial, including the fetch of its blocks
	Storing    Phase = "store"   // storing the partial, and learning which chunks it completes
	Reducing   Phase = "reduce"  // reading other nodes' partials and adding them up
	Committing Phase = "commit"  // appending root gradients, or waiting for the append of the step before
	Appending  Phase = "append"  // an append or batch commit in the background
)

// Phases lists every phase.
var Phases = []Phase{Waiting, Folding, Computing, Storing, Reducing, Committing, Appending}

// Stopwatch starts to measure a task. Each call of endPhase ends a phase and starts the
// next one. The measured times do not affect any result.
type Stopwatch func() (endPhase func(Phase))

// start starts to measure. If s is nil, endPhase does nothing.
func (s Stopwatch) start() (endPhase func(Phase)) {
	if s == nil {
		return func(Phase) {}
	}
	return s()
}
