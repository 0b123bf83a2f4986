// Package ledger is the contract of the training state: partials as they
// arrive, the update log of root gradients, snapshots, evaluation results.
//
// It owns the contract and its value types; ledger/redis keeps it in Redis,
// ledger/memory in a process, and ledgertest is the suite both pass. Workers
// write partials and roots, the coordinator reads how far a job has come.
//
// Invariants: every write is put-if-absent, so any call may be repeated, by
// anyone, at any time; a write that differs from what is there fails with
// job.ErrCorrupt. Vectors travel in chunks and each chunk is reduced on its
// own; a step is committed when every chunk of its root gradient is there,
// and steps are committed in order. The log of each chunk is a hash chain:
// whoever follows it notices an entry of another history at once.
//
// The contract is split by role: [Reader], [Partials], [Committer], [Restorer],
// [Results], [Journal], [Admin]. Callers take the roles that they need.
//
// Every method of every role fails
//   - with a wrapped context error when ctx ends,
//   - with job.ErrInvalid when an argument breaks its rules,
//   - with job.ErrFull when the store refuses writes for now (it is at its memory
//     limit, or read-only in a failover): call again later,
//   - with job.ErrCorrupt when stored bytes fail their checksum,
//   - and otherwise with the store's own error. Then the write may or may not have
//     taken effect.
//
// The doc of a method names what it fails with beyond that. Implementations are safe
// for concurrent use. A method takes at most three arguments after ctx and the layout;
// more than three are the fields of a struct.
package ledger

// Worker is what a worker's tasks need.
type Worker interface {
	Reader
	Partials
	Committer
	Results
	Journal
}

// Driver is what the coordinator needs to drive a job: it stores no gradient.
type Driver interface {
	Reader
	PartialReader
	Restorer
	Results
	Journal
	Admin
}

// Ledger is all roles: what an implementation provides.
type Ledger interface {
	Worker
	Driver
}
