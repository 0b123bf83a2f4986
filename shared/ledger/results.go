package ledger

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"tributary/shared/job"
)

// Step numbers under which other data is stored in the form of evaluation units. No job
// reaches these steps.
const (
	// Concluded: the results of whole evaluations; <steps>/<split> → JSON. The report uses
	// them, and a coordinator that takes the job over.
	Concluded = int64(1) << 62
	// Earlier: the losses of the steps before the snapshot with which a lost ledger started
	// again; <from>-<to> → 16 bytes for each step. Package checkpoint reads and writes
	// them.
	Earlier = Concluded + 1
	// Drafts: manifests of checkpoints that were announced and are not in the job's record,
	// so that no checkpoint is left behind; <step>/<digest> → manifest.
	Drafts = Concluded + 2
	// History: the marks of committed steps, with which the steps can be verified when the
	// log is gone; <from>-<to> → 8 bytes for each step. Package history reads and writes
	// them.
	History = Concluded + 3
)

// Results stores small results beside the log, by step and unit.
type Results interface {
	// PutEvaluation stores the result of one unit (split/block) of the evaluation at step.
	// It returns the number of units that are stored for the step now. It is idempotent; a
	// different result fails with job.ErrCorrupt.
	PutEvaluation(ctx context.Context, l Layout, step int64, unit string, result []byte) (stored int, err error)
	// Evaluations reads all units that are stored for step.
	Evaluations(ctx context.Context, l Layout, step int64) (map[string][]byte, error)
	// DropEvaluations removes all units that are stored for step.
	DropEvaluations(ctx context.Context, l Layout, step int64) error
}

// Bounds of an evaluation's unit and its result, in bytes.
const (
	MaxUnit   = 256
	MaxResult = 1 << 20
)

// CheckUnit reports an invalid layout, step, evaluation unit or result.
func (l Layout) CheckUnit(step int64, unit string, result []byte) error {
	if err := l.CheckStep(step); err != nil {
		return err
	}
	if unit == "" || len(unit) > MaxUnit {
		return fmt.Errorf("evaluation unit %.40q: want 1 to %d bytes: %w", unit, MaxUnit, job.ErrInvalid)
	}
	if len(result) > MaxResult {
		return fmt.Errorf("evaluation result of %d bytes: want at most %d: %w", len(result), MaxResult, job.ErrInvalid)
	}
	return nil
}

// EndsEarlier reports whether unit, a unit of [Earlier], ends with the losses of the steps
// before step.
func EndsEarlier(unit string, step int64) bool {
	return strings.HasSuffix(unit, "-"+strconv.FormatInt(step, 10))
}
