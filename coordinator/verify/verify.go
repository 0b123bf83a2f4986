// Package verify recomputes committed steps of a job or of a saved model, in one plain
// loop on this machine. It compares them with the records: the marks of the steps,
// checkpoints, partials that have arrived, and the final parameters. It narrows the first
// difference down to a micro-batch if possible.
//
// It owns the choice of steps, the comparison, the verify command and the queue of
// verifications over NATS. It leaves the arithmetic to shared/serial and the marks to
// shared/history. The coordinator's main package runs the command; package serve runs the
// queue.
//
// Invariant: a step counts as verified only if this package recomputed it, from
// parameters that it computed or that a checkpoint of the same history holds.
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

// The memory limits of one verification, in bytes.
const (
	blockCache = 256 << 20
	leafBytes  = 512 << 20 // gradients of a step's micro-batches, to find the wrong one
)

// Request says which steps to verify. An empty request means all steps.
type Request struct {
	Steps  []int64
	Sample int // this many steps, chosen at random
	All    bool
}

// The bounds of a request.
const (
	maxSample = 1000    // the answer lists the chosen steps
	maxAsked  = 1 << 16 // maximum number of steps in one request
)

// SetSample sets the number of steps to choose at random; nil leaves it unset. The number
// must be 1 to 1000, because 0 would mean all steps.
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

// Validate returns an error for a request that is contradictory or out of bounds, before
// any job is read.
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

// choose returns the requested steps in order, nil for all steps.
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
	Step int64 // number of steps before it
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

// Subject is the object of a verification: what a job had to compute and its records.
type Subject struct {
	ID        job.ID
	Engine    *gradient.Engine
	Layout    ledger.Layout
	Store     blob.Store       // of the blocks
	Committed int64            // committed steps
	History   *history.History // of these steps, as stored beside the log
	Log       *history.History // from the current log; nil if the log is deleted
	// Final is the digest of the final parameters, "" if there are none yet.
	Final  job.Digest
	Starts []Start // in order of steps
	// Ledger holds the log from step Floor on; nil if the log is deleted.
	Ledger Ledger
	Floor  int64
	// Broken is the reason why the log cannot be followed past BrokenAt; nil if it can.
	Broken   error
	BrokenAt int64
	// Running means that the step Committed may have partials.
	Running bool
	// Saved checks that the saved parameters have the digest in the record; nil if there
	// are no saved parameters.
	Saved func(context.Context) error
	Notes []string
}

// checkNumerics refuses to compare this program's arithmetic with another one.
func checkNumerics(whose string, n job.Numerics) error {
	if n != "" && string(n) != numeric.Fingerprint() {
		return fmt.Errorf("%s was computed with the arithmetic %.80q; this program computes with %q, which gives other bits: use a program of that version: %w",
			whose, string(n), numeric.Fingerprint(), job.ErrConflict)
	}
	return nil
}
