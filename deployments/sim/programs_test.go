package sim

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"tributary/coordinator/api"
	"tributary/coordinator/ingest"
	"tributary/coordinator/report"
	"tributary/coordinator/run"
	"tributary/shared/job"
	"tributary/shared/notice"
	"tributary/shared/plan"
	"tributary/worker/compute"
	worker "tributary/worker/run"
)

// log returns the log of a process. It is discarded, unless the seed's story is printed.
func (p *process) log() zerolog.Logger {
	if p.w.onTrace == nil {
		return zerolog.Nop()
	}
	return zerolog.New(logged{p}).Level(zerolog.InfoLevel)
}

// logged writes a process's log into the story, but not into its hash.
type logged struct{ p *process }

func (l logged) Write(line []byte) (int, error) {
	l.p.w.locked(func() {
		l.p.w.onTrace(fmt.Sprintf("%14.9f %-5s | %s", time.Since(l.p.w.began).Seconds(), l.p.name, line[:len(line)-1]))
	})
	return len(line), nil
}

// coordinate runs a coordinator with the same parts as coordinator/serve.
func (p *process) coordinate() {
	ctx, kill := context.WithCancel(context.Background())
	p.kill, p.leave = kill, kill
	w := p.w
	s := run.New(run.Config{
		Owner: p.name, Records: recordsPort{p: p}, Leases: leasesPort{p}, Queue: p.mutateQueue(queuePort{p}),
		Ledger: p.mutateLedger(ledgerPort{p}), Blobs: newBlobsPort(p), Models: modelsPort{p}, Sources: &ingest.Roots{}, Events: eventsPort{p},
		ChunkLen: w.swarm.chunkLen, SnapshotEvery: w.swarm.snapshotEvery, TryFewer: w.seed%2 == 1, AnnounceTime: w.swarm.announceTime,
		Report: func(c report.Curves) (map[string][]byte, error) {
			return map[string][]byte{report.MetricsFile: report.MetricsJSONL(c)}, nil // plots take time and do not differ
		},
		Now: func() time.Time { return time.Now().Add(w.swarm.skew[p.m.name]) }, SetAside: p.setAside, Recall: p.recall, Gone: p.missing, DeadLetter: p.bury, Log: p.log(),
	})
	w.locked(func() {
		p.api = &api.API{
			Records: recordsPort{p: p, master: true}, Sources: &ingest.Roots{}, Events: eventsPort{p}, Jobs: s,
			NewRun: func() job.Run {
				var n int
				w.locked(func() { p.calls["run"]++; n = p.calls["run"] })
				return job.Run(fmt.Sprintf("%s-%d", strings.ReplaceAll(p.name, ".", "-"), n))
			},
		}
		p.receive = func(n any) {
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
	w, operations := p.w, plan.Capabilities()
	if p.m.older {
		operations = nil
	}
	p.run(func() error {
		defer leave()
		return worker.Run(soft, hard, worker.Config{
			ID: p.name, Slots: p.m.slots, Numerics: "n", Operations: operations, Queue: p.mutateQueue(queuePort{p}), Ledger: p.mutateLedger(ledgerPort{p}),
			Blobs: newBlobsPort(p), Bus: bus{p}, Records: recordsPort{p: p}, BlockBytes: w.swarm.blockBytes, ReplicaBytes: 1 << 20, Log: p.log(),
			Time:    p.stopwatch,
			Observe: func(t job.Task, _ time.Duration, err error) { p.observe(t, err) },
		})
	})
}

// stopwatch makes the computation of a step take time.
func (p *process) stopwatch() (endPhase func(compute.Phase)) {
	return func(phase compute.Phase) {
		if phase != compute.Computing || p.w.swarm.step == 0 {
			return
		}
		d := p.w.swarm.step
		p.w.locked(func() {
			if p.unwritten++; p.unwritten == many {
				p.w.doom(p, 2*many*d)
			}
			if p.m.slow > 1 {
				d = min(time.Duration(p.m.slow*float64(d)), slowest)
			}
		})
		_ = p.pass(in, d) // a dead process notices it with its next call
	}
}

// observe counts the outcome of a worker's task.
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

// submit does what people do: it submits each job at its time, pauses, cancels and
// resumes some jobs, and uses some ids again.
func (p *process) submit(ctx context.Context) {
	for _, planned := range p.w.swarm.jobs {
		p.w.locked(func() { p.w.wishing[planned.id] = true })
		p.w.busy.Go(func() {
			p.follow(ctx, planned)
			p.w.locked(func() { p.w.wishing[planned.id] = false })
		})
	}
}

// follow submits a planned job and the jobs that follow it under the same id.
func (p *process) follow(ctx context.Context, planned planned) {
	if p.pass(ctx, planned.at) != nil {
		return
	}
	id := []byte(planned.id)
	for i, incarnation := range planned.incarnations {
		text := specOf(incarnation.template, planned.id)
		ok := p.insist(ctx, "submit", func(ctx context.Context, a *api.API) error {
			_, err := a.Submit(ctx, text)
			return err
		})
		for _, wish := range incarnation.wishes {
			if !ok || p.pass(ctx, wish.after) != nil {
				return
			}
			ok = p.insist(ctx, string(wish.request), func(ctx context.Context, a *api.API) error {
				switch wish.request {
				case job.Pause:
					_, err := a.Pause(ctx, id)
					return err
				case job.Resume:
					_, err := a.Resume(ctx, id)
					return err
				default:
					_, err := a.Cancel(ctx, id)
					return err
				}
			})
		}
		if !ok || i == len(planned.incarnations)-1 || !p.watch(ctx, planned.id) {
			return
		}
		if !p.insist(ctx, "remove", func(ctx context.Context, a *api.API) error {
			_, err := a.Remove(ctx, id)
			if errors.Is(err, job.ErrNotFound) {
				return nil // the job was removed before, when the answer was lost
			}
			return err
		}) {
			return
		}
	}
}

// insist repeats a request to any coordinator that answers, until one has granted it or
// refused it because of the job's state.
func (p *process) insist(ctx context.Context, what string, request func(context.Context, *api.API) error) bool {
	for {
		if a := p.w.ask(); a != nil {
			c, cancel := context.WithTimeout(ctx, 5*time.Second)
			err := request(c, a)
			cancel()
			refused := errors.Is(err, job.ErrConflict) && (what == string(job.Cancel) || what == string(job.Pause) || what == string(job.Resume))
			if err == nil || refused {
				p.w.locked(func() { p.w.reached("a person's request is answered: " + what + ", " + outcome(err)) })
				return true
			}
		}
		if p.pass(ctx, 100*time.Millisecond) != nil {
			return false
		}
	}
}

// ask returns the API of a coordinator, or nil if there is none.
func (w *world) ask() *api.API {
	w.mu.Lock()
	defer w.mu.Unlock()
	var there []*api.API
	for _, m := range w.machines {
		if m.process != nil && m.process.api != nil {
			there = append(there, m.process.api)
		}
	}
	if len(there) == 0 {
		return nil
	}
	return there[w.random(fmt.Sprint("ask ", time.Since(w.began))).IntN(len(there))]
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
