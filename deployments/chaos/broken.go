package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/rs/zerolog"

	"github.com/nats-io/nats.go/jetstream"

	"tributary/shared/access"
	"tributary/shared/broker"
	"tributary/shared/job"
)

// record returns the victim's record after its numerics are chosen.
func (e *enemy) record(ctx context.Context) (r job.Record, err error) {
	for {
		if err := e.ask(ctx, "tributary.jobs.get", string(e.victim), &r); err != nil {
			return r, err
		}
		if r.Plan != "" && r.Numerics != "" {
			return r, nil
		}
		if err := wait(ctx, 20*time.Millisecond); err != nil {
			return r, err
		}
	}
}

// badRecords puts invalid records into the jobs bucket without the API.
func badRecords(ctx context.Context, e *enemy) error {
	r, err := e.record(ctx)
	if err != nil {
		return err
	}
	js, err := jetstream.New(e.nc)
	if err != nil {
		return err
	}
	bad := map[string]func(*job.Record){
		"batch0": func(r *job.Record) { r.Spec = bytes.Replace(r.Spec, []byte(`"batch":`), []byte(`"batch":0,"was":`), 1) },
		"zero": func(r *job.Record) {
			r.Spec, r.State, r.Plan = replaceNumber(r.Spec, "batch", "0"), job.Submitted, ""
		},
		"haunted": func(r *job.Record) { r.State = "haunted" },
		"term":    func(r *job.Record) { r.Term = math.MaxUint64 },
		"stolen":  func(r *job.Record) { r.State, r.Released = job.Succeeded, false },
		"null":    func(r *job.Record) { r.Spec = json.RawMessage("null") },
	}
	put := func(id string, value []byte) error {
		e.made(job.ID(id), nil)
		for {
			kv, err := js.KeyValue(ctx, "tributary-jobs")
			if err == nil {
				if _, err = kv.Put(ctx, id, value); err == nil {
					return nil
				}
			}
			if wait(ctx, 100*time.Millisecond) != nil {
				return fmt.Errorf("put %s: %w", id, err)
			}
		}
	}
	if err := put("junk", []byte("\x00\xff{")); err != nil {
		return err
	}
	for name, spoil := range bad {
		own := r
		own.ID, own.Run, own.Name = job.ID("bad-"+name), job.Run(fmt.Sprintf("%016x", e.r.Uint64())), name
		spoil(&own)
		value, err := json.Marshal(own)
		if err != nil {
			value = []byte(`{"id":"bad-` + name + `"}`)
		}
		if err := put(string(own.ID), value); err != nil {
			return err
		}
		if err := wait(ctx, randomTime(e.r, 0, time.Second)); err != nil {
			return err
		}
	}
	return nil
}

// replaceNumber replaces the number of the first field called name in JSON.
func replaceNumber(data []byte, name, value string) []byte {
	i := bytes.Index(data, []byte(`"`+name+`":`))
	if i < 0 {
		return data
	}
	i += len(name) + 3
	n := bytes.IndexAny(data[i:], ",}")
	return bytes.Join([][]byte{data[:i], []byte(value), data[i+n:]}, nil)
}

// broker returns a connection with the module's own client, without a proxy.
func (e *enemy) broker(ctx context.Context) (*broker.Conn, error) {
	return broker.Connect(ctx, broker.Config{URL: access.URL("nats://" + e.fleet.nats.address)}, zerolog.Nop())
}

// eventually repeats do until it succeeds, because it fails while a server is down.
func eventually(ctx context.Context, do func() error) error {
	for {
		err := do()
		if err == nil {
			return nil
		}
		if wait(ctx, 200*time.Millisecond) != nil {
			return err
		}
	}
}

// badTasks stores its own plans and publishes tasks for them.
func badTasks(ctx context.Context, e *enemy) error {
	r, err := e.record(ctx)
	if err != nil {
		return err
	}
	conn, err := e.broker(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	blobs := conn.Blobs()
	var original []byte
	if err := eventually(ctx, func() (err error) { original, err = blobs.Get(ctx, r.Plan); return err }); err != nil {
		return err
	}
	var plans []job.Digest
	for _, p := range [][]byte{
		replaceNumber(original, "chunk_len", "0"), replaceNumber(original, "chunk_len", "17"),
		replaceNumber(original, "seed", "666"), replaceNumber(original, "microbatches", "1"),
	} {
		if err := eventually(ctx, func() error {
			digest, err := blobs.Put(ctx, p)
			plans = append(plans, digest)
			return err
		}); err != nil {
			return err
		}
	}
	for attempt := 0; ; attempt++ {
		t := e.task(r, attempt)
		t.Plan = plans[e.r.IntN(len(plans))]
		if e.r.IntN(3) == 0 {
			t.Run = "aaaaaaaaaaaaaaaa"
		}
		lane := "background"
		if t.Kind == job.Gradient {
			lane = "gradient"
		}
		data, err := json.Marshal(t)
		if err != nil {
			return err
		}
		_ = e.nc.Publish("tributary.tasks."+lane+"."+string(r.Numerics), data) // it fails while NATS is down
		if err := wait(ctx, randomTime(e.r, 20*time.Millisecond, 300*time.Millisecond)); err != nil {
			return err
		}
	}
}

// task returns a task of any kind that the victim might have now.
func (e *enemy) task(r job.Record, attempt int) job.Task {
	t := job.Task{
		Ref: r.Ref(), Plan: r.Plan, Numerics: r.Numerics, Step: e.steps() + int64(e.r.IntN(20)), Attempt: attempt,
		Kind: []job.Kind{job.Gradient, job.Evaluate, job.Snapshot, job.Save}[e.r.IntN(4)],
	}
	if e.r.IntN(2) == 0 {
		t.Attempt += 1 << 61
	}
	switch t.Kind {
	case job.Gradient:
		t.Node, t.Steps, t.Announce, t.Threads = 1, 100, 100, job.MaxThreads
	case job.Evaluate:
		t.Split = job.Validation
	default:
	}
	return t
}
