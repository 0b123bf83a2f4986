package sim

import (
	"context"
	"fmt"
	"time"

	"tributary/shared/job"
	"tributary/shared/queue"
)

// queuePort is a process's connection to the task queue.
type queuePort struct{ p *process }

var _ queue.Queue = queuePort{}

// name returns this seed's name for a task.
func (w *world) name(t job.Task) string {
	known := t
	known.Ref = job.Ref{Job: job.ID(w.alias(t.Ref))}
	return known.Name()
}

// Publish sends the tasks one by one, as a client does that does not wait for
// confirmations. They may arrive in another order, or only in part.
func (q queuePort) Publish(ctx context.Context, tasks ...job.Task) error {
	errs := make(chan error, len(tasks))
	for _, t := range tasks {
		op := operation{store: natsStore, name: "publish " + q.p.w.name(t), write: true}
		go func() {
			_, err := call(ctx, q.p, op, func() (struct{}, error) {
				q.p.w.published(t)
				return struct{}{}, q.p.w.queue.Publish(in, t)
			})
			errs <- err
		}()
	}
	var first error
	for range tasks {
		if err := <-errs; err != nil && first == nil {
			first = err
		}
	}
	return first
}

func (q queuePort) Subscribe(ctx context.Context, classes ...queue.Class) (queue.Subscription, error) {
	lane := classes[0].Lane
	s, err := call(ctx, q.p, operation{store: natsStore, name: "subscribe " + string(lane)}, func() (queue.Subscription, error) {
		return q.p.w.queue.Subscribe(in, classes...)
	})
	if err != nil && ctx.Err() == nil {
		return q.Subscribe(ctx, classes...) // as the broker's client does by itself
	}
	return subscription{q.p, lane, s}, err
}

func (q queuePort) Taken(ctx context.Context, class queue.Class) (bool, error) {
	// This call takes no time: its random numbers could not be distinguished by job.
	return q.p.w.queue.Taken(ctx, class)
}

type subscription struct {
	p    *process
	lane queue.Lane
	s    queue.Subscription
}

func (s subscription) Close() {
	if s.s != nil {
		s.s.Close()
	}
}

// Next waits for a task. If the process dies or is cut off, a task in flight is lost
// until its lease ends.
func (s subscription) Next(ctx context.Context) (queue.Delivery, error) {
	for {
		if err := s.p.pass(ctx, s.p.draw(operation{name: "fetch " + string(s.lane)}).out); err != nil {
			return nil, err
		}
		if s.p.cut(natsStore) == unreachable {
			continue
		}
		d, err := s.s.Next(ctx)
		if err != nil {
			return nil, err
		}
		task := d.Task()
		name := s.p.w.name(task)
		if err := s.p.pass(ctx, s.p.draw(operation{name: "next " + name}).back); err != nil {
			return nil, err
		}
		if s.p.cut(natsStore) != whole {
			continue
		}
		if !s.p.warm(task.Ref) {
			_ = d.Nak(10 * time.Millisecond) // the Nak of the memory queue never fails
			continue
		}
		var losses int
		var taken time.Time
		s.p.w.locked(func() {
			s.p.w.trace(s.p.name, "takes "+name, fmt.Sprint("delivery ", d.Delivered()))
			s.p.w.taking(s.p.m, d)
			losses, taken = s.p.w.ledgers.losses, time.Now()
			s.p.tasks[goroutine()] = " for " + name
		})
		return &delivery{s.p, d, losses, taken}, nil
	}
}

// warm reports whether the process may begin a task of the job now. The first task of a
// job makes the job's program alone. If two tasks waited for the program, they would go
// on at the same instant, in an order that no seed decides.
func (p *process) warm(ref job.Ref) bool {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	if p.warming[ref] {
		return false
	}
	_, met := p.warming[ref]
	p.warming[ref] = !met
	return true
}

// delivery is a task that a worker holds.
type delivery struct {
	p      *process
	d      queue.Delivery
	losses int // losses of the ledger before the task was taken
	taken  time.Time
}

func (d *delivery) Task() job.Task       { return d.d.Task() }
func (d *delivery) Delivered() int       { return d.d.Delivered() }
func (d *delivery) Lease() time.Duration { return d.d.Lease() }

// endWarmup allows the worker to begin other tasks of the job.
func (d *delivery) endWarmup() {
	d.p.w.locked(func() { d.p.warming[d.d.Task().Ref] = false })
}

func (d *delivery) op(what string) operation {
	return operation{store: natsStore, name: what + " " + d.p.w.name(d.d.Task()), write: true}
}

func (d *delivery) Ack(ctx context.Context) error {
	d.endWarmup()
	d.p.w.locked(func() { d.p.w.checkAck(d) }) // by what the worker knows now, not by the state when the message arrives
	_, err := call(ctx, d.p, d.op("ack"), func() (struct{}, error) {
		return struct{}{}, d.d.Ack(in)
	})
	return err
}

// Messages that need no answer arrive or are lost.

func (d *delivery) InProgress() error {
	return d.say("in-progress", d.d.InProgress)
}

func (d *delivery) Nak(delay time.Duration) error {
	d.endWarmup()
	return d.say("nak", func() error { return d.d.Nak(delay) })
}

func (d *delivery) Term(reason string) error {
	d.endWarmup()
	return d.say("term", func() error { return d.d.Term(reason) })
}

func (d *delivery) say(what string, effect func() error) error {
	go func() {
		_, _ = call(in, d.p, d.op(what), func() (struct{}, error) { return struct{}{}, effect() }) // the caller does not wait for it
	}()
	return nil
}

// exhausted reports to a coordinator a task that the queue has given up on.
func (w *world) exhausted(t job.Task, deliveries int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.trace("queue", "gives up on "+w.name(t), fmt.Sprint(deliveries, " deliveries"))
	w.reached("the queue gives a task up")
	r := w.random("exhausted " + w.name(t) + time.Since(w.began).String())
	var ears []*machine
	for _, m := range w.machines {
		if m.process != nil && m.process.receive != nil {
			ears = append(ears, m)
		}
	}
	if len(ears) > 0 {
		w.send(r, ears[r.IntN(len(ears))].process, exhausted{t, deliveries})
	}
}
