// Package serve makes the coordinator a program: its settings, its connections and its
// subscriptions.
//
// It owns the assembly of a coordinator from its parts, and leaves decisions and work to
// the parts. The serve command runs it alone; the train command runs it together with
// workers.
//
// Invariant: it is ready (/readyz) exactly while it can record and drive a submitted job.
package serve

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/rs/zerolog"

	"tributary/coordinator/api"
	"tributary/coordinator/garbage"
	"tributary/coordinator/ingest"
	"tributary/coordinator/run"
	"tributary/coordinator/search"
	"tributary/coordinator/verify"
	"tributary/coordinator/warm"
	"tributary/shared/broker"
	"tributary/shared/lifecycle"
	"tributary/shared/spec"
	"tributary/shared/telemetry/build"
)

// Coordinator holds the parts of a coordinator. It does nothing until Run.
type Coordinator struct {
	API           *api.API
	service       *run.Service
	verifications *verify.Runner
	sweeps        *search.Runner     // nil if this coordinator takes only certain jobs
	garbage       *garbage.Collector // nil if the blobs exist only as long as this process
	depths        *depths
	conn          *broker.Conn
	sources       *ingest.Roots
	queue         *broker.Queue
	log           zerolog.Logger
}

// New assembles a coordinator. cfg is its configuration; New sets the fields that only
// NATS can provide.
func New(conn *broker.Conn, queue *broker.Queue, sources *ingest.Roots, cfg run.Config) *Coordinator {
	if sources.Object == nil {
		sources.Object = func(ctx context.Context, bucket, object string) (io.ReadCloser, error) {
			return conn.OpenObject(ctx, bucket+"/"+object)
		}
	}
	datasets := Catalog(conn, cfg.Blobs)
	named(datasets, sources)
	records := records{conn.Records()}
	if sources.Job == nil {
		sources.Job = (&warm.Jobs{Records: records, Models: conn.Models(), Blobs: cfg.Blobs}).Open
	}
	cfg.Records, cfg.Leases, cfg.Models = records, leases{conn.Leases()}, conn.Models()
	cfg.Queue, cfg.Sources = queue, sources
	cfg.Forget, cfg.DeadLetter, cfg.SetAside = conn.Forget, conn.PutDead, conn.Notices().PublishAside
	cfg.Recall, cfg.Gone = conn.Notices().PublishRecall, conn.Notices().Gone
	c := &Coordinator{depths: &depths{read: conn.Depths}, conn: conn, sources: sources, queue: queue, log: cfg.Log}
	if !cfg.Volatile {
		c.garbage = garbage.New(garbage.Config{
			Owner: cfg.Owner, Records: records, Leases: cfg.Leases, Ledger: cfg.Ledger, Blobs: cfg.Blobs,
			Tidy: conn.Models().Tidy, Datasets: datasets.NeededBlobs, Log: cfg.Log,
		})
		cfg.Collect = func() { c.garbage.Wake() }
		cfg.Collecting = func(ctx context.Context) (bool, error) { return conn.Leases().Held(ctx, garbage.Key) }
	}
	c.service = run.New(cfg)
	past := &verify.Jobs{Records: records, Models: conn.Models(), Blobs: cfg.Blobs, Ledger: cfg.Ledger, Memory: cfg.Memory}
	c.verifications = verify.NewRunner(past.Open, cfg.Events)
	c.API = &api.API{Inspect: inspector(sources), Datasets: datasets, OpenSource: sources.Open, Records: records, Sources: sources, Events: cfg.Events, Jobs: c.service, Verifier: c.verifications, Rehearse: run.Rehearse, Blobs: cfg.Blobs, Standing: c.service.Standing, Log: cfg.Log}
	c.API.Sweeps = conn.Sweeps()
	if cfg.Only == nil {
		c.sweeps = search.New(search.Config{Owner: cfg.Owner, Sweeps: conn.Sweeps(), Jobs: trials{c.API}, Leases: cfg.Leases, Retain: cfg.Retain, Log: cfg.Log})
	}
	return c
}

// Run subscribes and drives jobs until ctx ends.
func (c *Coordinator) Run(ctx context.Context) error {
	stop, err := c.listen()
	defer stop()
	if err != nil {
		return err
	}
	exhausted := make(chan error, 1)
	ctx, cancel := context.WithCancel(ctx)
	go func() { exhausted <- c.queue.Exhausted(ctx, c.service.Exhausted) }()
	if err := c.conn.Notices().Call(); err != nil {
		c.log.Debug().Err(err).Msg("call the workers")
	}
	var beside sync.WaitGroup
	beside.Go(c.guard("verify", func() { c.verifications.Run(ctx) }))
	if c.garbage != nil {
		beside.Go(c.guard("collect blobs", func() { c.garbage.Run(ctx) }))
	}
	if c.sweeps != nil {
		beside.Go(c.guard("carry out sweeps", func() { c.sweeps.Run(ctx) }))
	}
	beside.Go(c.guard("keep the streams and buckets", func() { c.conn.Keep(ctx, broker.SetupConfig{}) }))
	beside.Go(c.guard("measure the queue", func() { c.depths.keep(ctx) }))
	err = c.service.Run(ctx)
	cancel()
	beside.Wait()
	if gone := <-exhausted; err == nil && gone != nil && ctx.Err() == nil {
		err = gone
	}
	return err
}

// guard wraps background work, so that a panic in it does not stop the jobs.
func (c *Coordinator) guard(what string, work func()) func() {
	return func() {
		err := lifecycle.Contain(what, func() error { work(); return nil })
		if p := (*lifecycle.PanicError)(nil); errors.As(err, &p) {
			c.log.Error().Err(err).Bytes("stack", p.Stack).Msg("panic; the coordinator continues without this work; start it again to restore it")
		}
	}
}

// listen subscribes to all messages for coordinators.
func (c *Coordinator) listen() (stop func(), err error) {
	n, s := c.conn.Notices(), c.service
	var stops []func()
	stop = func() {
		for _, f := range stops {
			f()
		}
	}
	for _, subscribe := range []func() (func(), error){
		func() (func(), error) { return n.SubscribeBeats(s.Beat) },
		func() (func(), error) { return n.SubscribeCommits("", s.Committed) },
		func() (func(), error) { return n.SubscribeEvaluated("", s.Evaluated) },
		func() (func(), error) { return n.SubscribeSnapshotted("", s.Snapshotted) },
		func() (func(), error) { return n.SubscribeCheckpointed("", s.Checkpointed) },
		func() (func(), error) { return n.SubscribeFailures("", s.Failed) },
	} {
		f, err := subscribe()
		if err != nil {
			return stop, fmt.Errorf("listen to workers: %w", err)
		}
		stops = append(stops, f)
	}
	return stop, nil
}

// maxRequests bounds the requests of endpoints that take more than a job's id, in bytes.
var maxRequests = map[string]int{
	"submit": 2 * spec.MaxBytes, // package spec gives the best message about a larger spec
	"verify": 1 << 20,           // for the numbers of steps
}

// Answer serves the API as a NATS micro service over conn, until it is stopped.
func (c *Coordinator) Answer(conn *broker.Conn) (*broker.Service, error) {
	endpoint := func(name string, handle func(context.Context, []byte) (any, error), about string) broker.Endpoint {
		return broker.Endpoint{
			Name: name, Subject: "tributary.jobs." + name, Queue: "coordinators",
			Metadata:   map[string]string{"about": about},
			MaxRequest: cmp.Or(maxRequests[name], 64<<10),
			Handler: func(ctx context.Context, r broker.Request) ([]byte, error) {
				return encode(handle(ctx, r.Data))
			},
		}
	}
	return conn.Serve(broker.ServiceConfig{
		Name: "tributary", Version: build.SemVer(),
		Description: "Trains models data-parallel on a job queue.",
	}, append(append(c.ofData(), c.ofSweeps()...),
		endpoint("submit", func(ctx context.Context, p []byte) (any, error) { return c.API.Submit(ctx, p) }, "spec (YAML or JSON) → {id, state}"),
		endpoint("get", func(ctx context.Context, p []byte) (any, error) { return c.API.Show(ctx, p) }, "id → everything known about the job"),
		endpoint("list", func(ctx context.Context, p []byte) (any, error) { return c.API.List(ctx, p) }, "nothing, or {limit, before, state, name, tag} → the jobs, newest first"),
		endpoint("pause", func(ctx context.Context, p []byte) (any, error) { return c.API.Pause(ctx, p) }, "id → {id, state}"),
		endpoint("resume", func(ctx context.Context, p []byte) (any, error) { return c.API.Resume(ctx, p) }, "id of a paused, failed or cancelled job → {id, state}"),
		endpoint("retry", func(ctx context.Context, p []byte) (any, error) { return c.API.Retry(ctx, p) }, "id of a failed or cancelled job → {id, state}"),
		endpoint("continue", func(ctx context.Context, p []byte) (any, error) { return c.API.Continue(ctx, p) }, "{id, epochs, as} of a job that has succeeded → {id, state} of a new job that goes on from it"),
		endpoint("remove", func(ctx context.Context, p []byte) (any, error) { return c.API.Remove(ctx, p) }, "id of a job that has ended, or {id, model} → {id, removed}"),
		endpoint("priority", func(ctx context.Context, p []byte) (any, error) { return c.API.Prioritize(ctx, p) }, "{id, priority, max_slots} → {id, state, priority, max_slots}"),
		endpoint("cancel", func(ctx context.Context, p []byte) (any, error) { return c.API.Cancel(ctx, p) }, "id → {id, state}"),
		endpoint("verify", func(ctx context.Context, p []byte) (any, error) { return c.API.Verify(ctx, p) }, "id, or {id, steps | sample | all, wait} → the result of computing steps again, or a ticket"),
		endpoint("schema", func(ctx context.Context, p []byte) (any, error) { return c.API.Schema(ctx, p) }, "→ the spec's JSON Schema"),
	)...)
}
