package job

import (
	"fmt"
	"time"

	"tributary/shared/tree"
)

// Kind is what a task asks for.
type Kind string

// The kinds of task.
const (
	Gradient Kind = "gradient" // the partial of a node of a step
	Evaluate Kind = "evaluate" // the metric sums of one block of a split at a step
	Snapshot Kind = "snapshot" // parameters and optimizer state at the task's step or later
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

// Splits lists every split, in the order in which they are reported.
var Splits = []Split{Train, Validation, Test}

// Ahead is about how much of its work a worker that has whole steps by itself may
// keep to itself, and so may lose.
const Ahead = 500 * time.Millisecond

// Task is the unit of work on the queue: a pure function's name and
// arguments. (Plan, Step, Node) fix a gradient task's result bit for bit,
// (Plan, Step, Split, Block) an evaluate task's.
type Task struct {
	Ref
	Plan     Digest    `json:"plan"`     // digest of the job's plan in the blob store
	Numerics Numerics  `json:"numerics"` // arithmetic the result must be computed with
	Kind     Kind      `json:"kind"`
	Step     int64     `json:"step"`            // steps committed before the task: parameters' age
	Node     tree.Node `json:"node,omitempty"`  // gradient: node of the step's reduction tree
	Split    Split     `json:"split,omitempty"` // evaluate
	Block    int       `json:"block,omitempty"` // evaluate: index of the block in the split
	// Steps, of a gradient task: how many consecutive steps' partials of the node
	// are asked for, Step's first; 0 is 1. Each is a result of its own, named as
	// if it had been asked for alone; who computes them waits for each step's
	// commit before the next.
	Steps int64 `json:"steps,omitempty"`
	// Announce, of a gradient task of the root: it is enough that the worker commits steps,
	// or announces their commits, every so many steps, and the last; 0 is 1. Nobody else
	// computes the steps.
	Announce int64 `json:"tell,omitempty"`
	// Threads, of a gradient task: how many slots of its worker it is to have; 0 is 1.
	Threads int `json:"threads,omitempty"`
	// Class says which workers the task is for. It changes no result.
	Class Class `json:"class,omitempty"`
	// Attempt counts publications of the same task (0 first, backups after),
	// so that a backup is not taken for a duplicate publish.
	Attempt int `json:"attempt,omitempty"`
}

// Name identifies the task's result: job/step/node, job/step/split/block,
// job/step/snapshot, or job/step/checkpoint. Attempts of a task share it.
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

// Unit names what an evaluate task computes: split/block.
func (t Task) Unit() string { return fmt.Sprintf("%s/%d", t.Split, t.Block) }

// MsgID identifies this publication of the task, for the queue's dedup window.
func (t Task) MsgID() string { return fmt.Sprintf("%s#%d", t.Name(), t.Attempt) }

// End is the step after the last that the task asks for.
func (t Task) End() int64 { return t.Step + max(1, t.Steps) }

// At is the part of the task that is about one of its steps.
func (t Task) At(step int64) Task {
	t.Step, t.Steps = step, 0
	return t
}

// MaxSteps and MaxThreads bound what one task may ask for.
const (
	MaxSteps   = 1 << 20
	MaxThreads = 4096
)
