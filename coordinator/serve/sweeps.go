package serve

import (
	"context"

	"tributary/coordinator/api"
	"tributary/shared/broker"
	"tributary/shared/job"
	"tributary/shared/spec"
)

// ofSweeps returns the endpoints of the requests about sweeps, tributary.sweeps.
func (c *Coordinator) ofSweeps() []broker.Endpoint {
	endpoint := endpointsOf("sweeps")
	return []broker.Endpoint{
		endpoint("submit", func(ctx context.Context, p []byte) (any, error) { return c.API.SubmitSweep(ctx, p) },
			"a sweep (YAML or JSON) with its spec inline → {id, state, trials}", 2*spec.MaxBytes),
		endpoint("get", func(ctx context.Context, p []byte) (any, error) { return c.API.ShowSweep(ctx, p) },
			"id, or {id, limit} → the sweep, its best trial and a table of its trials", small),
		endpoint("list", func(ctx context.Context, p []byte) (any, error) { return c.API.ListSweeps(ctx, p) },
			"nothing, or {limit, before, state} → the sweeps, newest first", small),
		endpoint("cancel", func(ctx context.Context, p []byte) (any, error) { return c.API.CancelSweep(ctx, p) },
			"id → {id, state, trials}; jobs that have not ended are cancelled", small),
		endpoint("remove", func(ctx context.Context, p []byte) (any, error) { return c.API.RemoveSweep(ctx, p) },
			"id of a sweep that has ended → {id, removed}; its jobs and models stay", small),
	}
}

// small bounds the requests that name a thing and do not contain it, in bytes.
const small = 64 << 10

// endpointsOf returns a function that makes the endpoint of a request tributary.GROUP.NAME.
func endpointsOf(group string) func(name string, handle func(context.Context, []byte) (any, error), about string, most int) broker.Endpoint {
	return func(name string, handle func(context.Context, []byte) (any, error), about string, most int) broker.Endpoint {
		return broker.Endpoint{
			Name: group + "-" + name, Subject: "tributary." + group + "." + name, Queue: "coordinators",
			Metadata:   map[string]string{"about": about},
			MaxRequest: most,
			Handler: func(ctx context.Context, r broker.Request) ([]byte, error) {
				return encode(handle(ctx, r.Data))
			},
		}
	}
}

// trials adapts the requests to the port of package search.
type trials struct{ *api.API }

func (t trials) Submit(ctx context.Context, text []byte) error {
	_, err := t.API.Submit(ctx, text)
	return err
}

func (t trials) Get(ctx context.Context, id job.ID) (job.Record, error) {
	return t.API.Get(ctx, []byte(id))
}

func (t trials) Cancel(ctx context.Context, id job.ID) error {
	_, err := t.API.Cancel(ctx, []byte(id))
	return err
}
