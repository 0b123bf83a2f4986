package sim

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"

	"tributary/coordinator/api"
	"tributary/coordinator/ingest"
	"tributary/coordinator/report"
	"tributary/coordinator/run"
	"tributary/shared/job"
	"tributary/shared/notice"
	worker "tributary/worker/run"
)

// log is where a process's log goes: nowhere, unless the seed is told.
func (p *process) log() zerolog.Logger {
	if p.w.tell == nil {
		return zerolog.Nop()
	}
	return zerolog.New(logged{p}).Level(zerolog.InfoLevel)
}

// logged puts a process's log into the story, not into its hash.
type logged struct{ p *process }

func (l logged) Write(line []byte) (int, error) {
	l.p.w.locked(func() {
		l.p.w.tell(fmt.Sprintf("%14.9f %-5s | %s", time.Since(l.p.w.began).Seconds(), l.p.name, line[:len(line)-1]))
	})
	return len(line), nil
}

// coordinate runs a coordinator as coordinator/serve puts it together.
func (p *process) coordinate() {
	ctx, kill := context.WithCancel(context.Background())
	p.kill, p.leave = kill, kill
	w := p.w
	s := run.New(run.Config{
		Owner: p.name, Records: recordsPort{p}, Leases: leasesPort{p}, Queue: p.mutateQueue(queuePort{p}),
		Ledger: p.mutateLedger(ledgerPort{p}), Blobs: newBlobsPort(p), Models: modelsPort{p}, Sources: &ingest.Roots{}, Events: eventsPort{p},
		ChunkLen: w.swarm.chunkLen, SnapshotEvery: w.swarm.snapshotEvery,
		Report: func(c report.Curves) (map[string][]byte, error) {
			return map[string][]byte{report.MetricsFile: report.MetricsJSONL(c)}, nil // plots take time and are the same
		},
		SetAside: p.setAside, DeadLetter: p.bury, Log: p.log(),
	})
	w.locked(func() {
		p.hear = func(n any) {
			switch n := n.(type) {
			case notice.Beat:
				s.Beat(n)
			case notice.Commit:
				s.Committed(n)
			case notice.Evaluated:
				s.Evaluated(n)
			case notice.Snapshotted:
				s.Snapshotted(n)
			case notice.Checkpointed:
				s.Checkpointed(n)
			case notice.Failure:
				s.Failed(n)
			case exhausted:
				s.Exhausted(n.task, n.deliveries)
			}
		}
	})
	p.roll()
	p.run(func() error { return s.Run(ctx) })
}

// work runs a worker.
func (p *process) work() {
	hard, kill := context.WithCancel(context.Background())
	soft, leave := context.WithCancel(hard)
	p.kill, p.leave = kill, leave
	w := p.w
	p.run(func() error {
		defer leave()
		return worker.Run(soft, hard, worker.Config{
			ID: p.name, Slots: p.m.slots, Numerics: "n", Queue: p.mutateQueue(queuePort{p}), Ledger: p.mutateLedger(ledgerPort{p}),
			Blobs: newBlobsPort(p), Bus: bus{p}, BlockBytes: w.swarm.blockBytes, ReplicaBytes: 1 << 20, Log: p.log(),
			Observe: func(t job.Task, _ time.Duration, err error) { p.observe(t, err) },
		})
	})
}

// observe counts what became of a task in a worker's hands.
func (p *process) observe(t job.Task, err error) {
	p.w.locked(func() {
		switch {
		case errors.Is(err, job.ErrStale):
			p.w.reached("a stale task is dropped: " + string(t.Kind))
		case err != nil && !p.dead:
			p.w.reached("a task fails: " + outcome(err))
		}
	})
}

// submit is what a person does: each job is submitted at its time, now and
// then twice, some are cancelled, and some ids are used again.
func (p *process) submit(ctx context.Context) {
	for _, planned := range p.w.swarm.jobs {
		p.w.busy.Go(func() { p.follow(ctx, planned) })
	}
}

// follow submits a planned job and its successors under the same id.
func (p *process) follow(ctx context.Context, planned planned) {
	w := p.w
	runs := 0
	a := &api.API{Records: recordsPort{p}, Sources: &ingest.Roots{}, Events: eventsPort{p}, NewRun: func() job.Run {
		runs++
		return job.Run(fmt.Sprintf("run-%s-%d", planned.id, runs))
	}}
	if p.pass(ctx, planned.at) != nil {
		return
	}
	for i, template := range planned.templates {
		text := specOf(template, planned.id)
		if !p.insist(ctx, func() error { _, err := a.Submit(ctx, text); return err }) {
			return
		}
		if i < len(planned.cancelled) && planned.cancelled[i] > 0 {
			if p.pass(ctx, planned.cancelled[i]) != nil || !p.insist(ctx, func() error { return p.cancel(ctx, a, planned.id) }) {
				return
			}
		}
		if i == len(planned.templates)-1 || !p.watch(ctx, planned.id) {
			return
		}
		w.locked(func() { w.remove(planned.id) })
	}
}

// cancel cancels the job; that it has ended already is fine.
func (p *process) cancel(ctx context.Context, a *api.API, id job.ID) error {
	_, err := a.Cancel(ctx, []byte(id))
	if errors.Is(err, job.ErrConflict) && !errors.Is(err, errConnection) {
		return nil
	}
	if err == nil {
		p.w.locked(func() { p.w.reached("a job is cancelled") })
	}
	return err
}

// insist repeats a request until it is answered.
func (p *process) insist(ctx context.Context, request func() error) bool {
	for {
		err := request()
		if err == nil {
			return true
		}
		if p.pass(ctx, 100*time.Millisecond) != nil {
			return false
		}
	}
}

// watch waits until the job is over and released.
func (p *process) watch(ctx context.Context, id job.ID) bool {
	for {
		var over bool
		p.w.locked(func() {
			r, ok := p.w.records.newest(id)
			over = ok && r.Released
		})
		if over {
			return true
		}
		if p.pass(ctx, 200*time.Millisecond) != nil {
			return false
		}
	}
}
