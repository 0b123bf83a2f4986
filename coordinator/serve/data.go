package serve

import (
	"context"

	"tributary/coordinator/ingest"
	"tributary/coordinator/inspect"
	"tributary/shared/broker"
	"tributary/shared/spec"
)

// inspector describes sources that submitted specs may read.
func inspector(sources *ingest.Roots) func(context.Context, inspect.Request) (*inspect.Report, error) {
	in := &ingest.Ingest{Sources: sources}
	return func(ctx context.Context, q inspect.Request) (*inspect.Report, error) {
		return inspect.Inspect(ctx, in, q)
	}
}

// ofData returns the endpoints of the requests about data, tributary.data.
func (c *Coordinator) ofData() []broker.Endpoint {
	endpoint := func(name string, handle func(context.Context, []byte) (any, error), about string, most int) broker.Endpoint {
		return broker.Endpoint{
			Name: "data-" + name, Subject: "tributary.data." + name, Queue: "coordinators",
			Metadata:   map[string]string{"about": about},
			MaxRequest: most,
			Handler: func(ctx context.Context, r broker.Request) ([]byte, error) {
				return encode(handle(ctx, r.Data))
			},
		}
	}
	return []broker.Endpoint{
		endpoint("inspect", func(ctx context.Context, p []byte) (any, error) { return c.API.InspectData(ctx, p) },
			"a source, {source, format, label}, or a spec → a report of its columns, and a suggested spec", 2*spec.MaxBytes),
	}
}
