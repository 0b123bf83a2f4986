package run

import (
	"context"
	"io"

	"tributary/shared/job"
	"tributary/shared/notice"
)

// Records keeps what is known about jobs, each with a revision that makes
// changes compare-and-set. It is the authority for a job's state.
type Records interface {
	// Get fails with job.ErrNotFound, and with job.ErrCorrupt when the value is no
	// record; it then still returns the revision.
	Get(ctx context.Context, id job.ID) (job.Record, uint64, error)
	// Update fails with job.ErrConflict when the revision is not the newest.
	Update(ctx context.Context, r job.Record, revision uint64) (uint64, error)
	// Delete removes a record as it stood at revision, and fails with
	// job.ErrConflict when that is not the newest. One that is not there is no
	// error.
	Delete(ctx context.Context, id job.ID, revision uint64) error
	// Watch calls see with every record there is and with every change, until
	// ctx ends. It may call it with records that have not changed.
	Watch(ctx context.Context, see func(job.Record)) error
}

// Leases makes sure that a job has one owner.
type Leases interface {
	// Acquire fails with job.ErrConflict while another owner holds the key.
	Acquire(ctx context.Context, key, owner string) (Lease, error)
}

// Lease is held until Release, or until renewing it has failed for too long.
type Lease interface {
	// Term numbers the holders of a key: whoever holds it later has a greater
	// term. It is written into the record, which refuses what an earlier holder
	// still wants to change.
	Term() uint64
	Lost() <-chan struct{}
	Release(ctx context.Context) error
}

// Events tells people what happens. It never blocks, and fails only for an
// event that cannot be told to anybody.
type Events interface {
	Publish(notice.Event) error
}

// Models is the registry's storage.
type Models interface {
	PutFile(ctx context.Context, model, file string, content io.Reader) error
	// SetAlias makes alias stand for the model.
	SetAlias(ctx context.Context, alias, model string) error
	// Has reports whether there is a model of that id.
	Has(ctx context.Context, model string) (bool, error)
	// Delete removes a model's files; a name that stood for it stands for the newest
	// that is left of that name. One that is not there is no error.
	Delete(ctx context.Context, model string) error
	// Probe fails when no file can be put now.
	Probe(ctx context.Context) error
}

// Sources opens what a spec names as a source of data or weights.
type Sources interface {
	Open(ctx context.Context, source string) (io.ReadCloser, error)
}
