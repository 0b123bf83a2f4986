package sim

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"time"

	"tributary/coordinator/api"
	"tributary/shared/job"
	"tributary/shared/notice"
)

// machine runs one process after another. The world's lock guards all fields except the
// first.
type machine struct {
	w     *world
	name  string
	slots int  // slots of a worker
	older bool // a worker whose program does not know novelty
	start func(*process)

	boots   int
	process *process // the running process; nil if none runs
	slow    float64  // how many times slower it is than others
}

// process is one incarnation of a program.
type process struct {
	w     *world
	m     *machine // nil if the process is a person
	name  string
	gone  chan struct{} // closed by a kill: after that nothing that it does has an effect
	kill  context.CancelFunc
	leave context.CancelFunc // asks the process to stop; nil: it is killed instead

	// Guarded by the world's lock.
	dead    bool
	asleep  time.Time          // the process is paused until this time
	cuts    map[store]cut      // connections that are cut
	calls   map[string]int     // how often each operation was called
	receive func(notice any)   // a coordinator's handler of notices; nil before it listens
	api     *api.API           // the API of a coordinator
	onAside func(notice.Aside) // a worker's handler; nil before it listens
	called  func()             // a worker's answer when a coordinator calls all workers
	commits handlers[notice.Commit]
	recalls handlers[notice.Recall]
	// unwritten is how many steps a worker has computed since it last wrote a step to the
	// ledger.
	unwritten int
	runs      int // how often it had many of these, or committed many at once
	// listeners is how many listeners there have been so far.
	listeners int
	warming   map[job.Ref]bool  // jobs whose first task this worker holds
	tasks     map[string]string // the tasks that a worker's slots hold, by goroutine
}

// boot starts a process, unless one runs.
func (m *machine) boot() {
	w := m.w
	w.mu.Lock()
	if m.process != nil || w.ending {
		w.mu.Unlock()
		return
	}
	m.boots++
	p := &process{
		w: w, m: m, name: fmt.Sprintf("%s.%d", m.name, m.boots), gone: make(chan struct{}),
		cuts: map[store]cut{}, calls: map[string]int{}, warming: map[job.Ref]bool{}, tasks: map[string]string{},
	}
	m.process = p
	w.trace(p.name, "boots", "")
	w.mu.Unlock()
	m.start(p)
}

// kill ends the machine's process like kill -9.
func (m *machine) kill() {
	var p *process
	m.w.locked(func() {
		if p = m.process; p == nil {
			return
		}
		m.process, p.dead = nil, true
		m.w.trace(p.name, "killed", "")
		if p.unwritten >= many {
			m.w.reached("a worker is killed with many steps that the ledger lacks")
		}
		close(p.gone)
	})
	if p != nil {
		p.kill()
	}
}

// terminate asks the machine's process to stop, like SIGTERM. The process is dead when
// its main function has returned.
func (m *machine) terminate() {
	m.w.mu.Lock()
	p := m.process
	if p != nil {
		m.w.trace(p.name, "asked to stop", "")
	}
	m.w.mu.Unlock()
	if p != nil {
		p.leave()
	}
}

// run runs a process's main function until it returns.
func (p *process) run(main func() error) {
	p.w.busy.Go(func() {
		err := main()
		p.w.locked(func() {
			if p.m.process != p {
				return // killed
			}
			p.m.process, p.dead = nil, true
			p.w.trace(p.name, "ends", outcome(err))
			close(p.gone)
			if err != nil {
				p.w.wrong("%s ends by itself: %v", p.name, err)
			}
			d := p.w.swarm.startup(p.w.random(p.name + " ends"))
			go p.w.after(d, p.m.boot) // outside the lock
		})
	})
}

// store names a server that a process is connected to.
type store string

const (
	ledgerStore store = "ledger"
	natsStore   store = "nats"
	blobStore   store = "blobs"
)

// cut says which messages a broken connection still carries.
type cut int

const (
	whole       cut = iota
	noReply         // requests arrive, replies are lost
	unreachable     // nothing passes
)

var (
	errDead       = fmt.Errorf("the process is dead: %w", context.Canceled)
	errConnection = errors.New("connection lost")
	errRefused    = errors.New("the server refused")
)

// operation is one call of a process on a store.
type operation struct {
	store store
	// name distinguishes the call from other calls that the process may make at the same
	// time. It says what the call asks for, without what differs between two runs of a
	// seed.
	name  string
	write bool // it changes the store, so it may be repeated, delayed or lost
}

// luck is what the seed chooses for one call.
type luck struct {
	out, back time.Duration // how long the request and the reply travel
	fault     fault
	late      time.Duration // until a delayed or repeated request arrives
	straggles bool          // the request is already sent when the caller gives up
}

type fault int

const (
	fine      fault = iota
	refused         // the server refuses; the call has no effect
	full            // the store is full
	lost            // the request is lost
	replyLost       // the call takes effect, but the reply is lost
	delayed         // the caller gives up, and the call takes effect much later
	repeated        // the call takes effect now, and once more later
)

// ofAll are the calls of a worker whose names are unique without their task. A put names
// its node. What all slots of a job wait for, only one slot reads at a time, and it does
// not matter which one.
var ofAll = map[string]bool{"put": true, "root": true, "read-snapshot": true}

// slowest is the longest time that a slow process needs for a call.
const slowest = 10 * time.Second

// draw returns the luck of the process's next call with that name.
func (p *process) draw(op operation) luck {
	w := p.w
	w.mu.Lock()
	defer w.mu.Unlock()
	key := op.name
	if len(p.tasks) > 0 && (op.store == ledgerStore && !ofAll[branch(op.name)] || op.store == blobStore) {
		key += p.tasks[goroutine()] // a slot makes all other calls for its own task only
	}
	p.calls[key]++
	r := w.random(fmt.Sprintf("%s %s %d", p.name, key, p.calls[key]))
	l := luck{out: w.swarm.latency(r), back: w.swarm.latency(r)}
	if p.m != nil && p.m.slow > 1 && !w.calm {
		l.out = min(time.Duration(p.m.slow*float64(l.out)), slowest)
	}
	l.late = l.out + time.Duration(r.Int64N(int64(w.swarm.longest)))
	l.straggles = r.IntN(2) == 0
	if !w.calm {
		l.fault = w.swarm.fault(r, op)
		if op.store == ledgerStore && op.write && time.Now().Before(w.ledgers.refuses) {
			l.fault = full
		}
	}
	return l
}

// call carries out an operation: the request travels, takes effect, and the reply travels
// back. The effect runs under the world's lock and takes no time.
func call[T any](ctx context.Context, p *process, op operation, effect func() (T, error)) (T, error) {
	var zero T
	l := p.draw(op)
	if err := p.pass(ctx, l.out); err != nil {
		if op.write && l.straggles {
			later(p, op, l.late, effect)
		}
		return zero, err
	}
	fault := l.fault
	switch p.cut(op.store) {
	case noReply:
		fault = replyLost
	case unreachable:
		fault = lost
	case whole:
	}
	switch fault {
	case refused, full:
		err := errRefused
		if fault == full {
			err = job.ErrFull
		}
		p.w.locked(func() { p.w.trace(p.name, op.name, "refused: "+outcome(err)) })
		if late := p.pass(ctx, l.back); late != nil {
			return zero, late
		}
		return zero, fmt.Errorf("%s: %w", op.name, err)
	case lost, delayed:
		if fault == delayed && op.write {
			later(p, op, l.late, effect)
		}
		p.w.locked(func() { p.w.trace(p.name, op.name, "lost") })
		if err := p.pass(ctx, p.w.swarm.timeout); err != nil {
			return zero, err
		}
		return zero, fmt.Errorf("%s: %w", op.name, errConnection)
	case fine, replyLost, repeated:
	}
	v, err := perform(p, op, "", effect)
	if fault == repeated && op.write {
		later(p, op, l.late, effect)
	}
	if fault == replyLost {
		p.w.locked(func() { p.w.reached("a reply is lost: " + branch(op.name)) })
		if err := p.pass(ctx, p.w.swarm.timeout); err != nil {
			return zero, err
		}
		return zero, fmt.Errorf("%s: %w", op.name, errConnection)
	}
	if late := p.pass(ctx, l.back); late != nil {
		return zero, late
	}
	return v, err
}

// perform runs the effect, unless the process is dead.
func perform[T any](p *process, op operation, how string, effect func() (T, error)) (T, error) {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	if p.dead {
		var zero T
		return zero, errDead
	}
	v, err := effect()
	p.w.trace(p.name, op.name, how+outcome(err))
	return v, err
}

// later runs the effect after d; no process receives the result.
func later[T any](p *process, op operation, d time.Duration, effect func() (T, error)) {
	p.w.after(d, func() {
		_, _ = perform(p, op, "late: ", effect) // no process receives the result
		p.w.locked(func() { p.w.reached("a request takes effect late: " + branch(op.name)) })
	})
}

// pass lets d pass for the process. A paused process goes on only when it wakes, and only
// then sees whether ctx has ended.
func (p *process) pass(ctx context.Context, d time.Duration) error {
	select {
	case <-p.gone:
		return errDead
	default:
	}
	t := p.w.timer(d)
	select {
	case <-t.C:
	case <-ctx.Done():
		t.Stop()
	case <-p.gone:
		t.Stop()
		return errDead
	}
	if err := p.wake(); err != nil {
		return err
	}
	return ctx.Err()
}

// wake waits until the process is not paused.
func (p *process) wake() error {
	for {
		p.w.mu.Lock()
		nap := time.Until(p.asleep)
		p.w.mu.Unlock()
		if nap <= 0 {
			return nil
		}
		// What a process does when it wakes up happens in a random order.
		r := p.w.random(fmt.Sprint(p.name, " wakes ", time.Since(p.w.began)))
		t := p.w.timer(nap + time.Duration(r.Int64N(int64(5*time.Millisecond))))
		select {
		case <-t.C:
		case <-p.gone:
			t.Stop()
			return errDead
		}
	}
}

// cut returns the state of the process's connection to the store.
func (p *process) cut(s store) cut {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	if p.w.calm {
		return whole
	}
	return p.cuts[s]
}

// outcome returns an error's class, for the trace.
func outcome(err error) string {
	switch {
	case errors.Is(err, errDead):
		return "dead"
	case errors.Is(err, context.DeadlineExceeded):
		return "out of time"
	case errors.Is(err, context.Canceled):
		return "cancelled"
	}
	return job.ClassOf(err)
}

// goroutine returns the number of the calling goroutine, which its stack trace begins
// with. Two slots of a worker may make the same call at the same instant, and only this
// number distinguishes them.
func goroutine() string {
	var head [32]byte
	n := runtime.Stack(head[:], false)
	return strings.Fields(string(head[:n]))[1]
}

// branch returns the kind of an operation: its name up to the first space.
func branch(name string) string {
	for i, c := range name {
		if c == ' ' {
			return name[:i]
		}
	}
	return name
}

// pick returns one of the values.
func pick[T any](r *rand.Rand, values ...T) T { return values[r.IntN(len(values))] }
