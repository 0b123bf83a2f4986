// Package checkpoint stores the whole training state of a job in a blob store: parameters,
// optimizer state, the losses and marks of all steps before, and the evaluations concluded
// before. When the ledger is lost, the job continues from a checkpoint.
//
// It owns the format, writing, reading and deleting a checkpoint, and the exchange of its
// content with a ledger. Workers write checkpoints. Coordinators record and restore them,
// and write the last one of a job that stops. Package round decides when to make one; the
// job's spec says how many to keep, and the job's record lists them.
//
// Invariants: a checkpoint is named by the digest of its manifest. The manifest is written
// after all parts, each of which was read back. Every part holds the job's incarnation, the
// step and its own place, so two checkpoints share no blob, and deleting one never damages
// another. Equal states have equal bytes.
package checkpoint

import (
	"tributary/shared/job"
	"tributary/shared/ledger"
)

// State is what a checkpoint holds.
type State struct {
	job.Ref
	Plan     job.Digest
	Numerics job.Numerics
	Snapshot ledger.Snapshot // after Snapshot.Step steps
	Losses   []ledger.Sums   // of the steps 0 … Snapshot.Step-1
	Marks    []ledger.Mark   // of the same steps; empty, or zeros, where they are not known
	// Evaluations are the concluded evaluations at steps before the snapshot's, in the form
	// that the ledger stores under [ledger.Concluded]. An evaluation at the snapshot's own
	// step may still be in progress; the job makes it again.
	Evaluations map[string][]byte
}
