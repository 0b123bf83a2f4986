package round

import "tributary/shared/tree"

// Event is an input of the machine: something that happened.
type Event interface{ event() }

// The events.
type (
	// Resumed reports what the ledger holds. It comes on start, on takeover, and whenever
	// the ledger holds fewer steps than the machine knew of.
	Resumed struct {
		Committed  int64 // steps in the log
		Snapshot   int64 // steps in the newest snapshot
		Checkpoint int64 // steps in the newest checkpoint on record
	}
	// Fleet reports how many slots this job may use now. Team is the maximum number of
	// slots for one task, which is the slots of one worker. Crowded means that other jobs
	// wait for a slot.
	Fleet struct {
		Slots, Team int
		Crowded     bool
	}
	// Committed reports that the log holds Steps steps.
	Committed struct{ Steps int64 }
	// Missing answers Inspect for the work after Steps steps. While a step is running,
	// Nodes are the highest nodes of the step's tree that have no partial.
	Missing struct {
		Steps int64
		Nodes []tree.Node
	}
	// Evaluated reports that the evaluation after Steps steps is complete. Stop means that the
	// job ends at these steps because of it.
	Evaluated struct {
		Steps int64
		Stop  bool
	}
	// Snapshotted reports that a snapshot of Steps steps is stored.
	Snapshotted struct{ Steps int64 }
	// Checkpointed reports that a checkpoint of Steps steps is on record.
	Checkpointed struct{ Steps int64 }
	// Unsaved reports that no worker could write the checkpoint that was requested after
	// Steps steps.
	Unsaved struct{ Steps int64 }
	// Full reports that the ledger refuses what workers store.
	Full struct{}
	// Room reports how many steps of log fit into the ledger; 0: no limit.
	Room struct{ Steps int64 }
	// Tick reports that time has passed.
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

// Action is an output of the machine: something to do.
type Action interface{ action() }

// The actions.
type (
	// Publish puts a gradient task for each of Nodes on the queue. Each task covers Steps
	// consecutive steps from Step and uses Threads slots. A task for the root needs to
	// commit, or announce its commits, only every Announce steps.
	Publish struct {
		Step     int64
		Steps    int64
		Nodes    []tree.Node
		Threads  int
		Announce int64
		Attempt  int
	}
	// Recall stops the tasks that are published so far and have steps left. Other tasks
	// replace them.
	Recall struct{}
	// Evaluate puts the evaluate tasks that are still missing on the queue. They cover
	// the validation split, or every split if Final is set.
	Evaluate struct {
		Steps   int64
		Final   bool
		Attempt int
	}
	// Snapshot asks a worker for a snapshot of at least Steps steps.
	Snapshot struct {
		Steps   int64
		Attempt int
	}
	// Checkpoint asks a worker for a checkpoint of at least Steps steps.
	Checkpoint struct {
		Steps   int64
		Attempt int
	}
	// Inspect asks what the ledger holds of the work after Steps steps. The answer is
	// Committed, Evaluated, Resumed or Missing.
	Inspect struct{ Steps int64 }
	// Wait reports to the user that no worker can take the job's tasks.
	Wait struct{}
	// Finish reports that every step is committed and evaluated.
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
