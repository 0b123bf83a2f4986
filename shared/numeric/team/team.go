// Package team is the threads inside one task: goroutines that stay, and are
// woken for a piece of work that all of them share.
//
// It owns waking, waiting and the end of the goroutines. What each thread does
// is its caller's affair, packages model and optim, and so is that no result
// depends on how many there are.
//
// Invariant: between two calls of Run every helper is idle, and after Close none
// is left; also when a thread panics in between.
package team

import (
	"fmt"
	"math"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// Work is done by all threads of a team at once, numbered from 0, the caller.
type Work interface {
	Do(thread int)
}

// Team is a number of threads. One goroutine at a time may use it; the nil Team
// is the caller alone.
type Team struct {
	threads           int
	work              Work
	begun, ended, met signal
	runs              int64 // rounds begun
	meetings          []int64
	helpers           sync.WaitGroup
	failed            atomic.Pointer[Panic] // the first panic of the work that runs
}

// Panic is the error of work in which a thread has panicked.
type Panic struct {
	Thread int    // that panicked first
	Value  any    // of its panic
	Stack  []byte // of its goroutine
}

// Error names the thread and the panic's value.
func (p *Panic) Error() string { return fmt.Sprintf("thread %d: %v", p.Thread, p.Value) }

// New returns a team of threads, the caller among them. Whoever makes a team of
// more than one closes it.
func New(threads int) *Team {
	t := &Team{threads: max(1, threads)}
	t.meetings = make([]int64, 8*t.threads)
	for _, s := range []*signal{&t.begun, &t.ended, &t.met} {
		s.init()
	}
	for i := 1; i < t.threads; i++ {
		t.helpers.Go(func() { t.help(i) })
	}
	return t
}

// Threads is the number of threads, at least 1.
func (t *Team) Threads() int {
	if t == nil {
		return 1
	}
	return t.threads
}

// Rouse wakes helpers that sleep, for a Run that comes in moments: it takes them
// longer to wake than most other preparations.
func (t *Team) Rouse() {
	if t.Threads() > 1 {
		t.begun.nudge()
	}
}

// Run returns when every thread has done w. When one of them panics, the others end at
// their next Meet, and Run returns the panic, a [*Panic], once all are idle. The team
// can be used again then.
func (t *Team) Run(w Work) error {
	if t.Threads() == 1 {
		return alone(w)
	}
	t.runs++
	t.work = w
	t.begun.add()
	t.do(w, 0)
	t.ended.wait(t.runs * int64(t.threads-1))
	t.work = nil
	if p := t.failed.Load(); p != nil {
		t.mend()
		return p
	}
	return nil
}

// alone does w in the caller.
func alone(w Work) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &Panic{Value: v, Stack: debug.Stack()}
		}
	}()
	w.Do(0)
	return nil
}

// do does one thread's share. A panic is kept for Run and ends every thread's waiting.
func (t *Team) do(w Work, thread int) {
	defer func() {
		if v := recover(); v != nil && v != errLeft {
			if t.failed.CompareAndSwap(nil, &Panic{Thread: thread, Value: v, Stack: debug.Stack()}) {
				t.met.raise(math.MaxInt64 / 2) // once: more would overflow
			}
		}
	}()
	w.Do(thread)
}

// errLeft is the panic of a thread that waits for one that has panicked.
var errLeft any = "another thread of the team has panicked"

// mend makes the team as good as new after a panic. Every helper is idle.
func (t *Team) mend() {
	t.failed.Store(nil)
	t.met.count.Store(0)
	clear(t.meetings)
}

// Meet returns when every thread has called it as often as this one. All must. It does
// not return when another thread has panicked: it ends this thread's work.
func (t *Team) Meet(thread int) {
	if t.Threads() == 1 {
		return
	}
	n := &t.meetings[8*thread] // a cache line of its own
	*n++
	t.met.add()
	t.met.wait(*n * int64(t.threads))
	if t.failed.Load() != nil {
		panic(errLeft)
	}
}

// Close ends the helpers. The team is of no use afterwards.
func (t *Team) Close() {
	if t.Threads() == 1 {
		return
	}
	t.work = nil
	t.begun.add()
	t.helpers.Wait()
	t.threads = 1
}

func (t *Team) help(thread int) {
	for run := int64(1); ; run++ {
		t.begun.wait(run)
		if t.work == nil {
			return
		}
		t.do(t.work, thread)
		t.ended.add()
	}
}
