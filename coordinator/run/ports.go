package run

import (
	"context"
	"io"

	"tributary/shared/job"
	"tributary/shared/notice"
)

// Records stores the records of jobs, each with a revision for compare-and-set changes.
// It is the authority for a job's state.
type Records interface {
	// Get fails with job.ErrNotFound if there is no record, and with job.ErrCorrupt if
	// the value is not a record. With job.ErrCorrupt it still returns the revision.
	Get(ctx context.Context, id job.ID) (job.Record, uint64, error)
	// Update fails with job.ErrConflict if the revision is not the newest.
	Update(ctx context.Context, r job.Record, revision uint64) (uint64, error)
	// Delete removes the record at that revision. It fails with job.ErrConflict if the
	// revision is not the newest. A missing record is not an error.
	Delete(ctx context.Context, id job.ID, revision uint64) error
	// Watch calls see with every existing record and with every change, until ctx ends.
	// It may call see with records that have not changed.
	Watch(ctx context.Context, see func(job.Record)) error
}

// Leases ensures that a job has at most one owner.
type Leases interface {
	// Acquire fails with job.ErrConflict while another owner holds the key.
	Acquire(ctx context.Context, key, owner string) (Lease, error)
}

// Lease is held until Release, or until its renewal has failed for too long.
type Lease interface {
	// Term numbers the holders of a key; a later holder has a greater term. The record
	// holds the term and refuses the changes of earlier holders.
	Term() uint64
	Lost() <-chan struct{}
	Release(ctx context.Context) error
}

// Events publishes events to users. It never blocks. It fails only for an event that
// cannot be published to any receiver.
type Events interface {
	Publish(notice.Event) error
}

// Models is the storage of the model registry.
type Models interface {
	PutFile(ctx context.Context, model, file string, content io.Reader) error
	// SetAlias makes alias refer to the model.
	SetAlias(ctx context.Context, alias, model string) error
	// Has reports whether there is a model with that id.
	Has(ctx context.Context, model string) (bool, error)
	// Delete removes a model's files. A name that referred to the model then refers to
	// the newest remaining model of that name. A missing model is not an error.
	Delete(ctx context.Context, model string) error
	// Probe fails if no file can be stored now.
	Probe(ctx context.Context) error
}

// Sources opens the sources of data or weights that a spec names.
type Sources interface {
	Open(ctx context.Context, source string) (io.ReadCloser, error)
}
