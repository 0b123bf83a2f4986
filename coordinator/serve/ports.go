package serve

import (
	"context"
	"iter"

	"tributary/coordinator/run"
	"tributary/shared/broker"
	"tributary/shared/job"
	"tributary/shared/readable"
)

// records adapts the broker's records to the ports of package run and package api.
type records struct{ *broker.Records }

func (r records) Get(ctx context.Context, id job.ID) (job.Record, uint64, error) {
	e, err := r.Records.Get(ctx, id)
	return e.Record, e.Revision, err
}

func (r records) All(ctx context.Context) iter.Seq2[job.Record, error] {
	return func(yield func(job.Record, error) bool) {
		for e, err := range r.Records.All(ctx) {
			if !yield(e.Record, err) {
				return
			}
		}
	}
}

func (r records) Watch(ctx context.Context, see func(job.Record)) error {
	return r.Records.Watch(ctx, func(e broker.Entry) { see(e.Record) })
}

// leases adapts the broker's leases to the port of package run.
type leases struct{ *broker.Leases }

func (l leases) Acquire(ctx context.Context, key, owner string) (run.Lease, error) {
	lease, err := l.Leases.Acquire(ctx, key, owner)
	if err != nil {
		return nil, err // not a nil *broker.Lease in an interface
	}
	return lease, nil
}

// encode encodes an answer as JSON.
func encode(answer any, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	return readable.JSON(answer)
}
