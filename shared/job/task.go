package job

import (
	"fmt"
	"time"

	"tributary/shared/tree"
)

// Kind is the kind of work that a task asks for.
type Kind string

// The kinds of task.
const (
	Gradient Kind = "gradient" // compute the partial of one node of a step's reduction tree
	Evaluate Kind = "evaluate" // compute the metric sums of one block of a split at a step
	Snapshot Kind = "snapshot" // store parameters and optimizer state at the task's step or later
	// Save asks for a checkpoint at the task's step or later.
	Save Kind = "checkpoint"
)

// Kinds lists the kinds of task that this program knows.
var Kinds = []Kind{Gradient, Evaluate, Snapshot, Save}

// Split names a part of a dataset.
type Split string

// The splits.
const (
	Train      Split = "train"
	Validation Split = "validation"
	Test       Split = "test"
)

// Splits lists every split, in the order of reports.
var Splits = []Split{Train, Validation, Test}

// AnnounceTime bounds roughly how much work a worker with whole steps of its own may keep
// uncommitted. If the worker dies, this work is lost.
const AnnounceTime = 500 * time.Millisecond

// Task is the unit of work on the queue: the name and the arguments of a pure function.
// (Plan, Step, Node) determine the result of a gradient task bit for bit, and (Plan,
// Step, Split, Block) the result of an evaluate task.
type Task struct {
	Ref
	Plan     Digest    `json:"plan"`     // digest of the job's plan in the blob store
	Numerics Numerics  `json:"numerics"` // the arithmetic that the result must be computed with
	Kind     Kind      `json:"kind"`
	Step     int64     `json:"step"`            // number of committed steps that the parameters have folded
	Node     tree.Node `json:"node,omitempty"`  // gradient: node of the step's reduction tree
	Split    Split     `json:"split,omitempty"` // evaluate
	Block    int       `json:"block,omitempty"` // evaluate: index of the block in the split
	// Best asks an evaluate task for the parameters of the best evaluation, which is the one
	// after so many steps; 0: for the parameters after Step steps.
	Best int64 `json:"best,omitempty"`
	// Steps is how many consecutive steps of the node a gradient task asks for, beginning
	// with Step; 0 means 1. The partial of each step is a separate result, with the same
	// name as the result of a task of one step. The worker waits for the commit of each
	// step before it computes the next.
	Steps int64 `json:"steps,omitempty"`
	// Announce bounds how often the worker must commit steps, or announce their commits,
	// in a gradient task of the root. It must do so every Announce steps and at the last
	// step; 0 means 1. No other task has a part in these steps.
	Announce int64 `json:"tell,omitempty"`
	// Threads is how many slots of its worker a gradient task gets; 0 means 1.
	Threads int `json:"threads,omitempty"`
	// Class says which workers the task is for. It does not change the result.
	Class Class `json:"class,omitempty"`
	// Attempt counts the publications of the same task: 0 for the first, then more for
	// backups. So the queue does not drop a backup as a duplicate.
	Attempt int `json:"attempt,omitempty"`
}

// Name returns the name of the task's result: job/step/node, job/step/split/block,
// job/step/snapshot or job/step/checkpoint. All attempts of a task have the same name.
func (t Task) Name() string {
	switch t.Kind {
	case Evaluate:
		return fmt.Sprintf("%s/%d/%s", t.Ref, t.Step, t.Unit())
	case Snapshot, Save:
		return fmt.Sprintf("%s/%d/%s", t.Ref, t.Step, t.Kind)
	default:
		return fmt.Sprintf("%s/%d/%d", t.Ref, t.Step, t.Node)
	}
}

// Unit returns the name of what an evaluate task computes: split/block, or best/split/block
// with the parameters of the best evaluation.
func (t Task) Unit() string {
	if t.Best != 0 {
		return fmt.Sprintf("best/%s/%d", t.Split, t.Block)
	}
	return fmt.Sprintf("%s/%d", t.Split, t.Block)
}

// MsgID returns the id of this publication of the task, for the queue's deduplication
// window.
func (t Task) MsgID() string { return fmt.Sprintf("%s#%d", t.Name(), t.Attempt) }

// End returns the step after the task's last step.
func (t Task) End() int64 { return t.Step + max(1, t.Steps) }

// At returns the part of the task for one of its steps.
func (t Task) At(step int64) Task {
	t.Step, t.Steps = step, 0
	return t
}

// MaxSteps and MaxThreads bound what one task may ask for.
const (
	MaxSteps   = 1 << 20
	MaxThreads = 4096
)
