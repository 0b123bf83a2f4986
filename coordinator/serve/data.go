package serve

import (
	"context"
	"errors"
	"io"
	"time"

	"tributary/coordinator/garbage"
	"tributary/coordinator/ingest"
	"tributary/coordinator/inspect"
	"tributary/shared/blob"
	"tributary/shared/broker"
	"tributary/shared/catalog"
	"tributary/shared/job"
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
	endpoint := endpointsOf("data")
	return []broker.Endpoint{
		endpoint("put", func(ctx context.Context, p []byte) (any, error) { return c.API.PutData(ctx, p) },
			"{name, source, format} → a new version of a named data set", small),
		endpoint("list", func(ctx context.Context, p []byte) (any, error) { return c.API.ListData(ctx, p) },
			"→ the named data sets and their versions", small),
		endpoint("get", func(ctx context.Context, p []byte) (any, error) { return c.API.GetData(ctx, p) },
			"name, name@version or {name, version} → what is known about the version", small),
		endpoint("remove", func(ctx context.Context, p []byte) (any, error) { return c.API.RemoveData(ctx, p) },
			"name@version or {name, version} of a version that no job needs → {name, version, removed}", small),
		endpoint("inspect", func(ctx context.Context, p []byte) (any, error) { return c.API.InspectData(ctx, p) },
			"a source, {source, format, label}, or a spec → a report of its columns, and a suggested spec", 2*spec.MaxBytes),
	}
}

// Catalog returns the named data sets on a NATS server, whose bytes are in a blob store.
func Catalog(conn *broker.Conn, blobs blob.Store) *catalog.Catalog {
	return &catalog.Catalog{
		Names: conn.Datasets(), Blobs: blobs, Now: time.Now,
		Collecting: func(ctx context.Context) (bool, error) { return conn.Leases().Held(ctx, garbage.Key) },
		Needed: func(ctx context.Context, name string, version int) (needed []string, err error) {
			for e, err := range conn.Records().All(ctx) {
				switch {
				case errors.Is(err, job.ErrCorrupt): // no coordinator can drive it
				case err != nil:
					return nil, err
				case e.Record.NeedsDataset(name, version):
					needed = append(needed, "job "+string(e.Record.ID))
				}
			}
			for s, err := range conn.Sweeps().All(ctx) {
				switch {
				case errors.Is(err, job.ErrCorrupt): // no coordinator can carry it out
				case err != nil:
					return nil, err
				case s.NeedsDataset(name, version):
					needed = append(needed, "sweep "+string(s.ID))
				}
			}
			return needed, nil
		},
	}
}

// named sets the parts of a coordinator that need named data sets.
func named(of *catalog.Catalog, sources *ingest.Roots) {
	if sources.Dataset == nil {
		sources.Dataset = func(ctx context.Context, name string, version int) (io.ReadCloser, error) {
			return of.Open(ctx, name, version)
		}
	}
}
