package course

// Event answers the last action.
type Event struct {
	Is Answer
	// Committed is the number of committed steps. In Seen it is the last number that the
	// ledger or a notice reported. In Failed it is the last number that the ledger
	// reported. In Checked it is the number that the ledger reports now.
	Committed int64
	Err       error // of Failed: the cause
}

// Answer is the outcome of an action.
type Answer uint8

// The answers. Done and Failed can answer every action. Each Verb lists the other answers
// that it can have.
const (
	Begun        Answer = iota // the worker has the task
	Done                       // the action succeeded
	Failed                     // the action failed
	Seen                       // the worker knows how many steps are committed, and the task goes on
	Recalled                   // the coordinator recalled the task: it must end
	Leaving                    // the worker stops
	Overdue                    // the commit that the task waited for did not come before the timeout
	Checked                    // the worker has read the number of committed steps from the ledger
	Contended                  // another task of this worker folded the step before speculatively; the ledger may lack it
	Stored                     // the partial is in the ledger and completes no chunk of the root
	StoredChunks               // the partial is in the ledger and completes some chunks of the root
	StoredRoot                 // the partial is in the ledger and completes all chunks of the root
	Refused                    // the replica did not fold the root
)

// Action is what the worker does next.
type Action struct {
	Do    Verb
	With  Flags
	Step  int64 // the current step; in Wait and Announce: a number of committed steps; in StartBatch: the first step
	Steps int64 // StartBatch: the number of steps
}

// Flags qualify an Action.
type Flags uint8

// The flags. Each comment names the verb that the flag belongs to.
const (
	Speculative Flags = 1 << iota // Compute: this task folded the step before speculatively; the ledger may lack it
	Batch                         // Speculate: a batch commit, not an append, puts the step into the ledger
	Own                           // Speculate: this task has already made the replica speculative
	Whole                         // Append: the task has all chunks of the root
	Quiet                         // StartAppend: the worker does not announce the commit
)

// Has reports whether a has the flag f.
func (a Action) Has(f Flags) bool { return a.With&f != 0 }

// Verb is the kind of an Action.
type Verb uint8

// The verbs.
const (
	// Poll asks how many steps are committed as far as the worker knows, without waiting.
	// Answers: Seen, Recalled or Leaving.
	Poll Verb = iota
	// Wait waits until the worker knows that Step steps are committed, or until the task
	// must stop. Answers: Seen, Recalled, Leaving or Overdue.
	Wait
	// Complete folds a committed step whose root this task appended in part. If that
	// fails, the replica reads the step from the log later. Answer: Done.
	Complete
	// Check reads from the ledger how many steps are committed. Answer: Checked.
	Check
	// Compute computes the node's partial of the step. Answers: Done, or Contended if the
	// action lacks the flag Speculative.
	Compute
	// Yield waits until the ledger has every step of the replica.
	Yield
	// Round makes the root out of the partial, which holds the sum of the root's
	// children: it rounds the sum for a lossy wire.
	Round
	// Store stores the partial, and adds up the chunks that the partial completes.
	// Answers: Stored, StoredChunks or StoredRoot.
	Store
	// Speculate folds the root before the ledger has it. Answers: Done or Refused.
	Speculate
	// Append appends the chunks of the root that this task has, waits until they are
	// stored, and announces the step if that committed it.
	Append
	// StartAppend begins to append the whole root in the background. The replica has
	// already folded it.
	StartAppend
	// WaitAppend waits for that append; then the replica confirms the step.
	WaitAppend
	// StartBatch begins to commit folded steps in the background: it stores the snapshot
	// after them.
	StartBatch
	// WaitBatch waits for that batch commit; then the replica confirms the steps.
	WaitBatch
	// Reset makes the replica discard what it has folded.
	Reset
	// Announce announces that Step steps are committed.
	Announce
	// End ends the task; Course.Err is its outcome. Nothing is in flight.
	End
)

var verbs = [...]string{
	"Poll", "Wait", "Complete", "Check", "Compute", "Yield", "Round", "Store", "Speculate", "Append",
	"StartAppend", "WaitAppend", "StartBatch", "WaitBatch", "Reset", "Announce", "End",
}

func (v Verb) String() string { return verbs[v] }
