// Package verify computes committed steps of a job or of a saved model again, in
// one plain loop on this machine, and compares them with what was recorded: the
// marks of the steps, checkpoints, partials that have arrived, and the final
// parameters. What differs first is narrowed down to a micro-batch where that can
// be known.
//
// It owns the choice of steps, the comparison, the verify command and the waiting
// line of verifications over NATS. The arithmetic is shared/serial's, the marks are
// shared/history's.
//
// Invariant: a step counts as verified only when it was computed again here, from
// parameters that were computed here or that a checkpoint of the same history has.
package verify

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"

	"tributary/shared/blob"
	"tributary/shared/gradient"
	"tributary/shared/history"
	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/numeric"
)

// Bounds of what one verification holds in memory, in bytes.
const (
	blockCache = 256 << 20
	leafBytes  = 512 << 20 // gradients of a step's micro-batches, to find the wrong one
)

// Request says which steps are to be verified; none of the three stands for all.
type Request struct {
	Steps  []int64
	Sample int // so many, by chance
	All    bool
}

// The bounds of a request.
const (
	maxSample = 1000    // they are listed in the answer
	maxAsked  = 1 << 16 // numbers of steps in one request
)

// SetSample sets the number of steps to choose by chance; nil leaves it unset. A number that is
// given is 1 to 1000: none would stand for all steps.
func (r *Request) SetSample(n *int) error {
	if n == nil {
		return nil
	}
	if *n < 1 || *n > maxSample {
		return fmt.Errorf("sample: %d: want 1 to %d: %w", *n, maxSample, job.ErrInvalid)
	}
	r.Sample = *n
	return nil
}

// Validate reports a request that means nothing, before a job is looked at.
func (r Request) Validate() error {
	given := 0
	for _, is := range []bool{len(r.Steps) > 0, r.Sample != 0, r.All} {
		if is {
			given++
		}
	}
	switch {
	case r.Steps != nil && len(r.Steps) == 0:
		return fmt.Errorf("steps: the list is empty: want numbers of steps, or all: %w", job.ErrInvalid)
	case given > 1:
		return fmt.Errorf("steps, sample, all: want one of them: %w", job.ErrInvalid)
	case r.Sample < 0 || r.Sample > maxSample:
		return fmt.Errorf("sample: %d: want 1 to %d: %w", r.Sample, maxSample, job.ErrInvalid)
	case len(r.Steps) > maxAsked:
		return fmt.Errorf("steps: %d of them: want at most %d, or all: %w", len(r.Steps), maxAsked, job.ErrInvalid)
	}
	return nil
}

// choose lists the steps that are asked for, in order, nil for all of them.
func (r Request) choose(committed int64) ([]int64, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	steps := slices.Compact(slices.Sorted(slices.Values(r.Steps)))
	for _, s := range steps {
		if s < 0 || s >= committed {
			return nil, fmt.Errorf("steps: %d: the job has committed %d steps, want 0 to %d: %w", s, committed, committed-1, job.ErrInvalid)
		}
	}
	if r.Sample == 0 {
		return steps, nil
	}
	chosen := map[int64]bool{}
	for len(steps) < int(min(int64(r.Sample), committed)) {
		if s := rand.Int64N(committed); !chosen[s] {
			chosen[s] = true
			steps = append(steps, s)
		}
	}
	slices.Sort(steps)
	return steps, nil
}

// Start is a point from which steps can be computed.
type Start struct {
	Step int64 // steps before it
	Name string
	// Read returns the state after these steps.
	Read func(context.Context) (ledger.Snapshot, error)
}

// Ledger is what a verification reads of a job's training state.
type Ledger interface {
	ledger.Reader
	ledger.PartialReader
	ledger.Results
}

// Subject is what is verified: what a job was to compute, and what was recorded of it.
type Subject struct {
	ID        job.ID
	Engine    *gradient.Engine
	Layout    ledger.Layout
	Store     blob.Store       // of the blocks
	Committed int64            // steps
	History   *history.History // of them, as it was kept beside the log
	Log       *history.History // as the log has it now; nil when it is deleted
	// Final is the digest of the parameters at the end, "" when there is none yet.
	Final  job.Digest
	Starts []Start // in order of steps
	// Ledger holds the log from step Floor on, nil when it is deleted.
	Ledger Ledger
	Floor  int64
	// Broken says why the log cannot be followed past BrokenAt, nil when it can.
	Broken   error
	BrokenAt int64
	// Running: the step Committed may have partials.
	Running bool
	// Saved makes sure that the saved parameters are those of the digest, which the
	// record names; nil when there are none.
	Saved func(context.Context) error
	Notes []string
}

// checkNumerics refuses to compare this program's arithmetic with another.
func checkNumerics(whose string, n job.Numerics) error {
	if n != "" && string(n) != numeric.Fingerprint() {
		return fmt.Errorf("%s was computed with the arithmetic %.80q; this program computes with %q, and comes to other bits: want a program of that version: %w",
			whose, string(n), numeric.Fingerprint(), job.ErrConflict)
	}
	return nil
}
