package round

import "tributary/shared/tree"

// Event is something that happened.
type Event interface{ event() }

// The events.
type (
	// Resumed tells what the ledger holds: on start, on takeover, and whenever
	// it holds less than was thought.
	Resumed struct {
		Committed  int64 // steps in the log
		Snapshot   int64 // steps in the newest snapshot
		Checkpoint int64 // steps in the newest checkpoint on record
	}
	// Fleet tells how many slots this job may use now, and how many of them at
	// the most are to work on one task: those of one worker. Crowded: there are
	// jobs that wait for a slot.
	Fleet struct {
		Slots, Team int
		Crowded     bool
	}
	// Committed tells that so many steps are in the log.
	Committed struct{ Steps int64 }
	// Missing answers Inspect for the work after Steps steps: the highest
	// nodes of the step's tree without a partial (when a step is running).
	Missing struct {
		Steps int64
		Nodes []tree.Node
	}
	// Evaluated tells that the evaluation after Steps steps is complete.
	Evaluated struct{ Steps int64 }
	// Snapshotted tells that a snapshot of so many steps is stored.
	Snapshotted struct{ Steps int64 }
	// Checkpointed tells that a checkpoint of so many steps is on record.
	Checkpointed struct{ Steps int64 }
	// Unsaved tells that the checkpoint asked for after Steps steps could not be
	// written.
	Unsaved struct{ Steps int64 }
	// Full tells that the ledger refuses what workers store.
	Full struct{}
	// Room tells how many steps of log the ledger has room for; 0: as many as there are.
	Room struct{ Steps int64 }
	// Tick tells that time has passed.
	Tick struct{}
)

func (Resumed) event()      {}
func (Fleet) event()        {}
func (Committed) event()    {}
func (Missing) event()      {}
func (Evaluated) event()    {}
func (Snapshotted) event()  {}
func (Checkpointed) event() {}
func (Unsaved) event()      {}
func (Full) event()         {}
func (Room) event()         {}
func (Tick) event()         {}

// Action is something to do.
type Action interface{ action() }

// The actions.
type (
	// Publish puts a gradient task for each of the nodes on the queue, for Steps
	// steps one after the other, Threads slots each. Of a root's task it is enough to
	// commit, or to tell of it, every Tell steps.
	Publish struct {
		Step    int64
		Steps   int64
		Nodes   []tree.Node
		Threads int
		Tell    int64
		Attempt int
	}
	// Recall has the tasks left off that were published so far and have steps to
	// go: others take their place.
	Recall struct{}
	// Evaluate puts the evaluate tasks that are still missing on the queue:
	// of the validation split, or of every split when Final.
	Evaluate struct {
		Steps   int64
		Final   bool
		Attempt int
	}
	// Snapshot asks a worker for a snapshot of at least so many steps.
	Snapshot struct {
		Steps   int64
		Attempt int
	}
	// Checkpoint asks a worker for a checkpoint of at least so many steps.
	Checkpoint struct {
		Steps   int64
		Attempt int
	}
	// Inspect asks what the ledger has of the work after Steps steps. It is
	// answered by Committed, Evaluated, Resumed or Missing.
	Inspect struct{ Steps int64 }
	// Wait tells people that no worker can take the job's tasks.
	Wait struct{}
	// Finish tells that every step is committed and evaluated.
	Finish struct{}
)

func (Publish) action()    {}
func (Recall) action()     {}
func (Evaluate) action()   {}
func (Snapshot) action()   {}
func (Checkpoint) action() {}
func (Inspect) action()    {}
func (Wait) action()       {}
func (Finish) action()     {}
