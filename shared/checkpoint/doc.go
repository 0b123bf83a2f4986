// Package checkpoint is the whole training state of a job as blobs, from which
// the job goes on when the ledger is lost: parameters, optimizer state, the
// losses of every step before and the evaluations concluded before it.
//
// It owns the bytes, their writing, reading and deleting, and what is gathered
// from and given back to a ledger. Workers write, coordinators record and restore; when
// one is made and how many are kept is package round's and the record's affair.
//
// Invariants: a checkpoint is named by its manifest's digest and is written
// once all its parts are there and were read back; every part carries the job's
// incarnation, the step and its own place, so no two checkpoints share a blob
// and deleting one harms no other. The same state makes the same bytes.
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
	Marks    []ledger.Mark   // of the same steps; empty, or zeros, where none is known
	// Evaluations are those concluded after fewer steps than the snapshot's, as
	// the ledger has them under [ledger.Concluded]. One after just as many may be
	// under way, and is made again.
	Evaluations map[string][]byte
}
