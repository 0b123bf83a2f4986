package sim

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"tributary/shared/job"
	"tributary/shared/notice"
	worker "tributary/worker/run"
)

// bus carries notices from a worker to the processes that are coordinators at the time.
// Notices are lost, delayed, reordered and duplicated.
type bus struct{ p *process }

var _ worker.Bus = bus{}

// asideNotice is the notice that sets a worker aside.
type asideNotice = notice.Aside

type (
	commitNotice = notice.Commit
	recallNotice = notice.Recall
)

func notifyAll[T any](receivers []func(T), n T) {
	for _, h := range receivers {
		h(n)
	}
}

// exhausted is what coordinators receive in addition to notices: a task that the queue
// gave up on.
type exhausted struct {
	task       job.Task
	deliveries int
}

// notify sends a notice to every coordinator.
func (b bus) notify(what string, notice any) error {
	w := b.p.w
	w.mu.Lock()
	defer w.mu.Unlock()
	if b.p.dead || time.Now().Before(b.p.asleep) || b.p.cuts[natsStore] == unreachable && !w.calm {
		return errConnection
	}
	b.p.calls[what]++
	for _, m := range w.machines {
		if m.process != nil && m.process.listensTo(notice) {
			w.send(w.random(fmt.Sprint(b.p.name, what, b.p.calls[what], m.process.name)), m.process, notice)
		}
	}
	return nil
}

// listensTo reports whether the process listens to such notices. Coordinators listen to
// all, workers to commits of their jobs. The caller holds w.mu.
func (p *process) listensTo(n any) bool {
	if p.receive != nil {
		return true
	}
	commit, ok := n.(notice.Commit)
	return ok && len(p.commits[commit.Job]) > 0
}

// send delivers a notice to a process. The caller holds w.mu.
func (w *world) send(r *rand.Rand, to *process, notice any) {
	copies := 1
	if !w.calm {
		switch x := r.Float64(); {
		case x < w.swarm.deaf:
			w.reached("a notice is lost")
			return
		case x < w.swarm.deaf+w.swarm.double:
			w.reached("a notice is received twice")
			copies = 2
		}
	}
	for range copies {
		d := w.swarm.latency(r)
		go w.after(d, func() { w.arrive(to, notice) }) // outside the lock
	}
}

// arrive passes a notice to the process when the process is awake.
func (w *world) arrive(to *process, notice any) {
	if to.wake() != nil || to.cut(natsStore) == unreachable {
		return
	}
	w.mu.Lock()
	receive := to.receive
	if aside, ok := notice.(asideNotice); ok && to.onAside != nil {
		obey := to.onAside
		receive = func(any) { obey(aside) }
	}
	switch n := notice.(type) {
	case commitNotice:
		if receivers := slices.Collect(maps.Values(to.commits[n.Job])); receive == nil && len(receivers) > 0 {
			receive = func(any) { notifyAll(receivers, n) }
		}
	case recallNotice:
		receivers := slices.Collect(maps.Values(to.recalls[n.Job]))
		receive = func(any) { notifyAll(receivers, n) }
	}
	if to.dead {
		receive = nil
	}
	w.mu.Unlock()
	if receive != nil {
		receive(notice)
	}
}

func (b bus) PublishCommit(n notice.Commit) error {
	return b.notify("commit "+b.p.w.alias(n.Ref)+fmt.Sprint(n.Step), n)
}

func (b bus) PublishEvaluated(n notice.Evaluated) error {
	return b.notify("evaluated "+b.p.w.alias(n.Ref)+fmt.Sprint(n.Step, n.Stored), n)
}

func (b bus) PublishSnapshotted(n notice.Snapshotted) error {
	return b.notify("snapshotted "+b.p.w.alias(n.Ref)+fmt.Sprint(n.Step), n)
}

func (b bus) PublishCheckpointed(n notice.Checkpointed) error {
	return b.notify("checkpointed "+b.p.w.alias(n.Ref)+fmt.Sprint(n.Step), n)
}

func (b bus) PublishFailure(n notice.Failure) error {
	b.p.w.locked(func() { b.p.w.reached("a worker reports a failure") })
	return b.notify("failure "+b.p.w.name(n.Task), n)
}

func (b bus) PublishBeat(n notice.Beat) error { return b.notify("beat", n) }

func (b bus) SubscribeCalls(answer func()) (stop func(), err error) {
	b.p.w.locked(func() { b.p.called = answer })
	return func() { b.p.w.locked(func() { b.p.called = nil }) }, nil
}

// AnswerFor implements worker.Bus. It does nothing: the world knows which processes live.
func (b bus) AnswerFor(string) (stop func(), err error) { return func() {}, nil }

// missing reports whether a worker's process is known to have ended.
func (p *process) missing(ctx context.Context, worker string) bool {
	ended, err := call(ctx, p, operation{store: natsStore, name: "is " + worker + " there"}, func() (bool, error) {
		for _, m := range p.w.machines {
			if q := m.process; q != nil && q.name == worker && !q.dead {
				return false, nil
			}
		}
		p.w.reached("a worker is found to be gone")
		return true, nil
	})
	return err == nil && ended
}

// SubscribeAsides implements worker.Bus.
func (b bus) SubscribeAsides(obey func(notice.Aside)) (stop func(), err error) {
	b.p.w.locked(func() { b.p.onAside = obey })
	return func() { b.p.w.locked(func() { b.p.onAside = nil }) }, nil
}

// SubscribeCommits implements worker.Bus.
func (b bus) SubscribeCommits(id job.ID, receive func(notice.Commit)) (stop func(), err error) {
	return listen(b.p, &b.p.commits, id, receive), nil
}

// SubscribeRecalls implements worker.Bus.
func (b bus) SubscribeRecalls(id job.ID, receive func(notice.Recall)) (stop func(), err error) {
	return listen(b.p, &b.p.recalls, id, receive), nil
}

// handlers are the listeners of each job, by number.
type handlers[T any] map[job.ID]map[int]func(T)

func listen[T any](p *process, to *handlers[T], id job.ID, receive func(T)) (stop func()) {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	if *to == nil {
		*to = handlers[T]{}
	}
	if (*to)[id] == nil {
		(*to)[id] = map[int]func(T){}
	}
	p.listeners++
	n := p.listeners
	(*to)[id][n] = receive
	return func() { p.w.locked(func() { delete((*to)[id], n) }) }
}

// recall notifies workers which tasks are recalled, as a coordinator does.
func (p *process) recall(n notice.Recall) error {
	w := p.w
	w.mu.Lock()
	defer w.mu.Unlock()
	if p.dead {
		return errDead
	}
	w.reached("tasks are called back")
	for _, m := range w.machines {
		if m.process != nil && len(m.process.recalls[n.Job]) > 0 {
			w.send(w.random(fmt.Sprint(p.name, "recall", w.alias(n.Ref), m.process.name, time.Since(w.began))), m.process, n)
		}
	}
	return n.Validate()
}

// setAside notifies every worker which worker must take no tasks, as a coordinator does.
func (p *process) setAside(n notice.Aside) error {
	w := p.w
	w.mu.Lock()
	defer w.mu.Unlock()
	if p.dead {
		return errDead
	}
	w.reached("a worker is set aside")
	w.trace(p.name, "sets aside "+n.Worker, fmt.Sprint(n.Seconds, " s"))
	for _, m := range w.machines {
		if m.process != nil && m.process.onAside != nil {
			w.send(w.random(fmt.Sprint(p.name, "aside", n.Worker, m.process.name, time.Since(w.began))), m.process, n)
		}
	}
	return nil
}

// bury stores a dead letter.
func (p *process) bury(ctx context.Context, n notice.DeadLetter) error {
	_, err := call(ctx, p, operation{store: natsStore, name: "dead-letter " + n.Name, write: true}, func() (struct{}, error) {
		p.w.reached("a task is buried")
		return struct{}{}, nil
	})
	return err
}

// roll asks all workers to report, as a coordinator does when it starts.
func (p *process) roll() {
	w := p.w
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, m := range w.machines {
		if q := m.process; q != nil && q.called != nil {
			d := w.swarm.latency(w.random("roll " + p.name + q.name))
			answer := q.called
			go w.after(d, func() { // outside the lock
				if q.wake() == nil && q.cut(natsStore) != unreachable {
					answer()
				}
			})
		}
	}
}
