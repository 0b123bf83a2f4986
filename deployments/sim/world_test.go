package sim

import (
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tributary/shared/blob"
	"tributary/shared/job"
	"tributary/shared/notice"
	queuememory "tributary/shared/queue/memory"
)

// world is everything that outlives a process: the stores, the network between stores and
// processes, and the record of what happened.
type world struct {
	seed  uint64
	swarm swarm
	bug   string // the deliberate bug of this world's programs; "" means none

	// mu guards everything below and the contents of the stores. Nothing waits while it
	// is held.
	mu       sync.Mutex
	began    time.Time
	taken    map[int64]bool // instants at which something happens, in nanoseconds
	hash     uint64         // of the trace
	onTrace  func(string)   // is called with each line of the trace; may be nil
	seen     map[string]int // how often each interesting branch was reached
	calm     bool           // the faults are over
	broken   string         // the first check that failed
	over     chan struct{}  // closed when a check has failed
	machines []*machine
	watchers []*watcher

	ledgers   *ledgers
	queue     *queuememory.Queue
	records   records
	leases    leases
	blobs     *blob.Memory
	kept      map[job.Digest]bool // blobs that exist
	models    map[string][]byte
	aliases   map[string]string
	events    []notice.Event
	jobs      map[job.ID][]*simulated // by id, in order
	runs      map[job.Run]*simulated
	busy      sync.WaitGroup  // of the processes' main goroutines
	delivered map[string]int  // deliveries of tasks, by name
	once      map[string]bool // tasks that a program with a bug has published
	wishing   map[job.ID]bool // jobs that a person still has requests for
	ending    bool            // no more processes are started

	named sync.Map // job.Run → alias; it needs no lock
}

func newWorld(seed uint64, bug string, trace func(string)) *world {
	w := &world{
		seed: seed, bug: bug, onTrace: trace, began: time.Now(), taken: map[int64]bool{}, seen: map[string]int{},
		over: make(chan struct{}), blobs: blob.NewMemory(0), models: map[string][]byte{}, aliases: map[string]string{},
		jobs: map[job.ID][]*simulated{}, runs: map[job.Run]*simulated{}, delivered: map[string]int{},
		kept: map[job.Digest]bool{}, once: map[string]bool{}, wishing: map[job.ID]bool{},
	}
	w.swarm = newSwarm(w.seed)
	w.ledgers = newLedgers()
	w.records = records{values: map[job.ID][]entry{}}
	w.leases = leases{held: map[string]*claim{}, granted: map[uint64]*process{}}
	w.queue = queuememory.New(queuememory.Config{
		Lease: w.swarm.queueLease, MaxDeliver: w.swarm.maxDeliver, Duplicates: w.swarm.duplicates, Exhausted: w.exhausted,
	})
	return w
}

// random returns the stream of random numbers with a name. For one seed the stream is
// always the same, whatever other streams are used and when.
func (w *world) random(name string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(name))
	return rand.New(rand.NewPCG(w.seed, h.Sum64()))
}

// timer fires after d, at an instant at which nothing else happens. So what two
// goroutines do never depends on which of them the machine runs first.
func (w *world) timer(d time.Duration) *time.Timer {
	return time.NewTimer(w.apart(d))
}

// after calls f after d, also at an instant of its own.
func (w *world) after(d time.Duration, f func()) { time.AfterFunc(w.apart(d), f) }

func (w *world) apart(d time.Duration) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Since(w.began)
	at := int64(now + d)
	for w.taken[at] {
		at++
	}
	w.taken[at] = true
	return time.Duration(at) - now
}

// wait lets d pass, unless a check fails meanwhile. It returns false if a check has
// failed.
func (w *world) wait(d time.Duration) bool {
	select {
	case <-w.timer(d).C:
		return true
	case <-w.over:
		return false
	}
}

// trace records what happened. The hash is a sum over the lines, each with its time. The
// caller holds w.mu.
func (w *world) trace(who, what, outcome string) {
	at := time.Since(w.began)
	h := fnv.New64a()
	for _, s := range []string{who, "\x00", what, "\x00", outcome} {
		h.Write([]byte(s))
	}
	w.hash += rand.NewPCG(h.Sum64(), uint64(at)).Uint64()
	if w.onTrace != nil {
		w.onTrace(fmt.Sprintf("%14.9f %-5s %-44s %s", at.Seconds(), who, what, outcome))
	}
}

// reached counts an interesting branch. The caller holds w.mu.
func (w *world) reached(branch string) { w.seen[branch]++ }

// wrong records that a check failed; the first failure ends the world. The caller holds
// w.mu.
func (w *world) wrong(format string, args ...any) {
	if w.broken != "" {
		return
	}
	w.broken = fmt.Sprintf(format, args...)
	for run, s := range w.runs { // a run's id is random
		w.broken = strings.ReplaceAll(strings.ReplaceAll(w.broken, s.ref.String(), s.alias), string(run), s.alias)
	}
	w.trace("check", "FAILED", w.broken)
	close(w.over)
}

// locked changes or reads the world under its lock; f must take no time.
func (w *world) locked(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

// result is the outcome of a world.
type result struct {
	seed   uint64
	hash   uint64
	broken string
	seen   map[string]int
	passed time.Duration // fake time that passed in the world
}

// play runs a seed's world from beginning to end. It must be called in a bubble.
func play(_ *testing.T, seed uint64, bug string, trace func(string)) result {
	w := newWorld(seed, bug, trace)
	w.live()
	w.mu.Lock()
	defer w.mu.Unlock()
	return result{seed: seed, hash: w.hash, broken: w.broken, seen: w.seen, passed: time.Since(w.began)}
}

// live is the story of a world: the fleet starts, jobs are submitted, things break, and
// then nothing breaks any more and everything must end well.
func (w *world) live() {
	if w.onTrace != nil {
		w.locked(func() { w.trace("world", "swarm", fmt.Sprintf("%+v", w.swarm)) })
	}
	ctx, cancel := context.WithCancel(context.Background())
	for i := range w.swarm.coordinators {
		w.machines = append(w.machines, &machine{w: w, name: fmt.Sprintf("c%d", i+1), start: (*process).coordinate})
	}
	for i := range w.swarm.workers {
		w.machines = append(w.machines, &machine{w: w, name: fmt.Sprintf("w%d", i+1), start: (*process).work, slots: 1 + w.swarm.slots[i], older: w.swarm.mixed && i%2 == 1})
	}
	for _, m := range w.machines {
		w.after(w.swarm.startup(w.random("start "+m.name)), m.boot)
	}
	person := &process{w: w, name: "me", gone: make(chan struct{}), calls: map[string]int{}}
	w.busy.Go(func() { person.submit(ctx) })
	if w.misfortunes() && w.heal() && w.ended() {
		w.clean()
	}
	cancel()
	w.stop()
	w.busy.Wait()
}

// ended waits until every job is over and released, within a time limit after the end of
// the faults.
func (w *world) ended() bool {
	const patience, every = 10 * time.Minute, 250 * time.Millisecond
	for range patience / every {
		if !w.wait(every) {
			return false
		}
		waiting := w.unfinished()
		if len(waiting) == 0 {
			return true
		}
	}
	w.locked(func() {
		w.wrong("%v after the last fault there are jobs that have not ended: %s", patience, strings.Join(w.unfinishedLocked(), "; "))
	})
	return false
}

func (w *world) unfinished() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.unfinishedLocked()
}

func (w *world) unfinishedLocked() []string {
	var waiting []string
	for _, p := range w.swarm.jobs {
		if w.jobs[p.id] == nil {
			waiting = append(waiting, string(p.id)+" is not submitted")
			continue
		}
		if r, ok := w.records.newest(p.id); !ok || !r.Released || w.wishing[p.id] || len(w.jobs[p.id]) < len(p.incarnations) {
			waiting = append(waiting, fmt.Sprintf("%s is %s (%s, released: %v)", p.id, r.State, r.Message, r.Released))
		}
	}
	slices.Sort(waiting)
	return waiting
}

// stop ends every process and waits for its main goroutine.
func (w *world) stop() {
	w.locked(func() { w.ending = true })
	for _, m := range w.machines {
		m.kill()
	}
}
