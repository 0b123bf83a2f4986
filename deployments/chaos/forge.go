package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"tributary/shared/checkpoint"
	"tributary/shared/gradient"
	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/notice"
	"tributary/shared/plan"
)

// forgeEvery is the time between two bursts of forged notices.
const forgeEvery = 25 * time.Millisecond

// forgedNotices publishes false notices about the victim for a while.
func forgedNotices(ctx context.Context, e *enemy) error {
	r, err := e.record(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, randomTime(e.r, 5*time.Second, 30*time.Second))
	defer cancel()
	f := forger{enemy: e, record: r, workers: e.workers(ctx), digest: job.Digest(strings.Repeat("ab", 32))}
	if e.r.IntN(2) == 0 {
		if digest, err := e.forgeCheckpoint(ctx, r); err == nil {
			f.digest = digest
		}
	}
	for attempt := 0; wait(ctx, forgeEvery) == nil; attempt++ {
		subject, n := f.lie(attempt)
		f.send(subject, n)
	}
	return nil
}

// workers listens to heartbeats and returns the workers that are alive.
func (e *enemy) workers(ctx context.Context) []string {
	seen := map[string]bool{}
	ch := make(chan *nats.Msg, 1024)
	s, err := e.nc.ChanSubscribe("tributary.workers.beat", ch)
	if err != nil {
		return nil
	}
	defer func() { _ = s.Unsubscribe() }()                         // the connection is closed soon
	ctx, cancel := context.WithTimeout(ctx, 1500*time.Millisecond) // a worker beats each second
	defer cancel()
	for ctx.Err() == nil {
		select {
		case m := <-ch:
			var b notice.Beat
			if json.Unmarshal(m.Data, &b) == nil && m.Header.Get(forged) == "" {
				seen[b.Worker] = true
			}
		case <-ctx.Done():
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

// forger publishes false notices about one job.
type forger struct {
	*enemy
	record  job.Record
	workers []string
	digest  job.Digest // digest of a forged checkpoint
}

func (f *forger) send(subject string, n any) {
	data, err := json.Marshal(n)
	if err != nil {
		return // JSON cannot hold this number
	}
	m := nats.NewMsg(subject)
	m.Header.Set(forged, "yes")
	m.Data = data
	_ = f.nc.PublishMsg(m) // it fails while NATS is down
}

// worker returns the name of a worker that is or was alive.
func (f *forger) worker() string {
	if len(f.workers) == 0 {
		return "stranger"
	}
	return f.workers[f.r.IntN(len(f.workers))]
}

// lie returns a false notice.
func (f *forger) lie(attempt int) (subject string, n any) {
	ref, steps := f.record.Ref(), f.steps()
	beyond := steps + 1 + f.r.Int64N(1000)
	if f.r.IntN(3) == 0 {
		beyond = f.record.Steps
	}
	about := func(kind string) string { return "tributary." + kind + "." + string(ref.Job) }
	switch f.r.IntN(10) {
	case 0:
		return about("commit"), notice.Commit{Ref: ref, Step: beyond - 1, Committed: beyond, Worker: f.worker()}
	case 1:
		return about("commit"), notice.Commit{Ref: ref, Step: math.MaxInt64 - 1, Committed: math.MaxInt64, Worker: f.worker()}
	case 2:
		return about("snapshotted"), notice.Snapshotted{Ref: ref, Step: beyond}
	case 3:
		return about("evaluated"), notice.Evaluated{Ref: ref, Step: beyond, Stored: f.r.IntN(1000)}
	case 4:
		return about("checkpointed"), notice.Checkpointed{Ref: ref, Step: beyond, Digest: f.digest}
	case 5, 6:
		return about("failure"), notice.Failure{
			Ref: ref, Task: f.task(f.record, attempt), Worker: f.worker(), Error: "forged",
			Poison: f.r.IntN(2) == 0, Full: f.r.IntN(2) == 0,
		}
	case 7:
		return about("recall"), notice.Recall{Ref: ref, Before: 1 << 61}
	case 8:
		return "tributary.workers.aside", notice.Aside{Ref: ref, Worker: f.worker(), Seconds: 60}
	default:
		b := notice.Beat{Worker: fmt.Sprint("fake-", f.r.IntN(20)), Host: "h", Version: "v", Numerics: "tributary-666", Slots: notice.MaxSlots}
		if f.r.IntN(2) == 0 {
			b.Numerics = f.record.Numerics
		}
		return "tributary.workers.beat", b
	}
}

// forgeCheckpoint stores a complete checkpoint of the victim's last step.
func (e *enemy) forgeCheckpoint(ctx context.Context, r job.Record) (job.Digest, error) {
	conn, err := e.broker(ctx)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	blobs := conn.Blobs()
	data, err := blobs.Get(ctx, r.Plan)
	if err != nil {
		return "", err
	}
	p, err := plan.Decode(data)
	if err != nil {
		return "", err
	}
	need, err := gradient.NeedOf(p)
	if err != nil {
		return "", err
	}
	s := &checkpoint.State{Ref: r.Ref(), Plan: r.Plan, Numerics: r.Numerics, Evaluations: map[string][]byte{}}
	s.Snapshot.Step = r.Steps
	s.Snapshot.Chain = make(ledger.Chain, (need.Params()+p.ChunkLen-1)/p.ChunkLen)
	for range 3 {
		vector := make([]float32, need.Params())
		for i := range vector {
			vector[i] = 0.01
		}
		s.Snapshot.Vectors = append(s.Snapshot.Vectors, vector)
	}
	for range r.Steps {
		s.Losses = append(s.Losses, ledger.Sums{Examples: 64, Loss: 1})
	}
	d, err := checkpoint.NewDraft(s)
	if err != nil {
		return "", err
	}
	return d.Digest, d.Write(ctx, blobs, func() {})
}
