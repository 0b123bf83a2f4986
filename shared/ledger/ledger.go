// Package ledger defines the contract of the store that holds a job's training state: the
// partials of the running step, the update log of root gradients, snapshots, and evaluation
// results.
//
// It owns the interfaces and their value types. Package ledger/redis implements them in
// Redis, ledger/memory in one process; ledgertest is the test suite that both pass. Workers
// write partials and roots. The coordinator reads how far a job has come.
//
// Terms: a partial is the gradient that a worker computed for one node of the step's
// reduction tree. The root is the sum over the whole tree. Vectors are stored in chunks,
// and each chunk is reduced on its own. To fold a root means to apply it to the parameters.
//
// Invariants:
//   - Every write is put-if-absent; only a note replaces another. So any process may repeat
//     any call at any time. A write that differs from the stored data fails with
//     job.ErrCorrupt.
//   - A step is committed when every chunk of its root gradient is in the log. Steps are
//     committed in order.
//   - The log of each chunk is a hash chain: a reader that follows it notices an entry of
//     another history at once.
//
// The contract is split into roles: [Reader], [Partials], [Committer], [Restorer],
// [Results], [Journal], [Admin]. Callers take the roles that they need.
//
// Every method of every role fails
//   - with a wrapped context error when ctx ends,
//   - with job.ErrInvalid when an argument breaks its rules,
//   - with job.ErrFull when the store refuses writes for now (it is at its memory limit, or
//     read-only during a failover): the caller should try again later,
//   - with job.ErrCorrupt when stored bytes do not match their checksum,
//   - and otherwise with the store's own error. Then the write may or may not have taken
//     effect.
//
// The doc of a method names its further errors. Implementations are safe for concurrent
// use. A method takes at most three arguments after ctx and the layout; more than three are
// the fields of a struct.
package ledger

// Worker is the roles that a worker's tasks need.
type Worker interface {
	Reader
	Partials
	Committer
	Results
	Journal
}

// Driver is the roles that the coordinator needs to drive a job. The coordinator stores no
// gradient.
type Driver interface {
	Reader
	PartialReader
	Restorer
	Results
	Journal
	Admin
}

// Ledger is all roles. An implementation provides them.
type Ledger interface {
	Worker
	Driver
}
