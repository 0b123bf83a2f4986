package course

// Event answers the last action.
type Event struct {
	Is Answer
	// Committed is how many steps are committed. Of Seen it is what the ledger or a notice
	// said last; of Failed, what the ledger said last; of Checked, what it says now.
	Committed int64
	Err       error // Failed
}

// Answer is what became of an action.
type Answer uint8

// The answers. Done and Failed answer every action, the others those that name them.
const (
	Begun      Answer = iota // the worker has the task
	Done                     // the action has succeeded
	Failed                   // it has failed
	Seen                     // the worker knows how far the ledger is, and the task goes on
	Recalled                 // the task is to end
	Leaving                  // the worker stops
	Overdue                  // the commit has not come in time
	Checked                  // the ledger was read
	Contended                // another task of this worker has the step before, and the ledger may lack it
	Stored                   // the ledger has the partial, which completes no chunk of the root
	StoredPart               // the same; it completes some chunks
	StoredRoot               // the same; it completes all
	Refused                  // the replica has not folded the root
)

// Action is the next thing to do.
type Action struct {
	Do    Verb
	With  Flags
	Step  int64 // the step in hand; of Wait and Announce, steps committed; of StartBatch, the first
	Steps int64 // StartBatch: how many
}

// Flags qualify an action.
type Flags uint8

// The flags.
const (
	Speculative Flags = 1 << iota // Compute: this task has the step before, and the ledger may lack it
	Batch                         // Speculate: a batch commit brings the step to the ledger, not an append
	Own                           // Speculate: the replica is speculative, by this task
	Whole                         // Append: the task has all chunks of the root
	Quiet                         // StartAppend: the commit is not announced
)

// Has reports whether the action has the flag.
func (a Action) Has(f Flags) bool { return a.With&f != 0 }

// Verb says what to do.
type Verb uint8

// The verbs.
const (
	// Look asks what the worker knows, without waiting: Seen, Recalled or Leaving.
	Look Verb = iota
	// Wait waits until Step steps are committed, as far as the worker knows, or the task is
	// to stop: Seen, Recalled, Leaving or Overdue.
	Wait
	// Complete folds a committed step of whose root this task appended a part. The replica
	// reads the log later if that fails: Done.
	Complete
	// Check reads how many steps the ledger has: Checked.
	Check
	// Compute computes the node's partial of the step: Done, or Contended unless the task is
	// speculative.
	Compute
	// Yield waits until the replica has no step that the ledger lacks.
	Yield
	// Round makes the root of the partial, which is the sum of the root's children.
	Round
	// Store stores the partial, and sums up the chunks that it completes: Stored,
	// StoredPart or StoredRoot.
	Store
	// Speculate folds the root of the step before the ledger has it: Done or Refused.
	Speculate
	// Append appends the chunks of the root that this task has, waits for it, and announces
	// the step.
	Append
	// StartAppend begins to append the whole root, which is folded.
	StartAppend
	// WaitAppend waits for that append, and has the replica confirm the step.
	WaitAppend
	// StartBatch begins to commit steps that are folded, by the snapshot after them.
	StartBatch
	// WaitBatch waits for that commit, and has the replica confirm the steps.
	WaitBatch
	// Reset has the replica discard what it has folded.
	Reset
	// Announce announces that Step steps are committed.
	Announce
	// End ends the task, with its Err; nothing is in flight.
	End
)

var verbs = [...]string{
	"Look", "Wait", "Complete", "Check", "Compute", "Yield", "Round", "Store", "Speculate", "Append",
	"StartAppend", "WaitAppend", "StartBatch", "WaitBatch", "Reset", "Announce", "End",
}

func (v Verb) String() string { return verbs[v] }
