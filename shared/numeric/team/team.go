// Package team provides the threads of one task: goroutines that persist between
// computations, and that wake up for work that all of them share.
//
// It owns waking, waiting and the end of the goroutines. It does not own what each thread
// computes. The callers, packages executor and optim, make sure that no result depends on
// the number of threads.
//
// Invariant: between two calls of Run every helper is idle, and after Close no helper
// exists. This holds even if a thread panics.
package team

import (
	"fmt"
	"math"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// Work is work that all threads of a team do at the same time. Threads are numbered from 0,
// which is the caller.
type Work interface {
	Do(thread int)
}

// Team is a fixed number of threads. Only one goroutine at a time may use it. A nil Team is
// the caller alone.
type Team struct {
	threads               int
	work                  Work
	begun, ended, arrived signal
	runs                  int64 // number of Runs started
	barriers              []int64
	helpers               sync.WaitGroup
	failed                atomic.Pointer[Panic] // the first panic of the work that runs
}

// Panic is the error of work in which a thread panicked.
type Panic struct {
	Thread int    // the first thread that panicked
	Value  any    // the value of the panic
	Stack  []byte // the stack of its goroutine
}

// Error names the thread and the panic's value.
func (p *Panic) Error() string { return fmt.Sprintf("thread %d: %v", p.Thread, p.Value) }

// New returns a team with the given number of threads, including the caller. If there is
// more than one thread, the caller must call Close.
func New(threads int) *Team {
	t := &Team{threads: max(1, threads)}
	t.barriers = make([]int64, 8*t.threads)
	for _, s := range []*signal{&t.begun, &t.ended, &t.arrived} {
		s.init()
	}
	for i := 1; i < t.threads; i++ {
		t.helpers.Go(func() { t.help(i) })
	}
	return t
}

// Threads returns the number of threads, at least 1.
func (t *Team) Threads() int {
	if t == nil {
		return 1
	}
	return t.threads
}

// Rouse wakes sleeping helpers before a Run that will come in a moment. Waking takes longer
// than most other preparations.
func (t *Team) Rouse() {
	if t.Threads() > 1 {
		t.begun.nudge()
	}
}

// Run calls w.Do in every thread and returns when all have finished. If a thread panics,
// the other threads end at their next Meet. Run then returns the panic as a [*Panic], once
// all threads are idle. The team can be used again afterwards.
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
		t.reset()
		return p
	}
	return nil
}

// alone does w in the calling goroutine only.
func alone(w Work) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &Panic{Value: v, Stack: debug.Stack()}
		}
	}()
	w.Do(0)
	return nil
}

// do does the work of one thread. It stores a panic for Run, and ends the waiting of every
// thread.
func (t *Team) do(w Work, thread int) {
	defer func() {
		if v := recover(); v != nil && v != errLeft {
			if t.failed.CompareAndSwap(nil, &Panic{Thread: thread, Value: v, Stack: debug.Stack()}) {
				t.arrived.raise(math.MaxInt64 / 2) // once: more would overflow
			}
		}
	}()
	w.Do(thread)
}

// errLeft is the panic that ends a thread in Meet after another thread has panicked.
var errLeft any = "another thread of the team has panicked"

// reset resets the team after a panic. Every helper must be idle.
func (t *Team) reset() {
	t.failed.Store(nil)
	t.arrived.count.Store(0)
	clear(t.barriers)
}

// Barrier is a barrier: it returns when every thread has called it as often as this
// thread. All threads must call it. If another thread has panicked, Meet does not return;
// it ends the work of this thread.
func (t *Team) Barrier(thread int) {
	if t.Threads() == 1 {
		return
	}
	n := &t.barriers[8*thread] // a cache line of its own
	*n++
	t.arrived.add()
	t.arrived.wait(*n * int64(t.threads))
	if t.failed.Load() != nil {
		panic(errLeft)
	}
}

// Close ends the helpers. The team cannot be used afterwards.
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
