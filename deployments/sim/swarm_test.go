package sim

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"tributary/shared/job"
)

// swarm is what a seed chooses: the fleet, the jobs, which faults there are, and how
// often they happen. A fault that happened in every world would hide others, so each
// fault is off in about half of the worlds.
type swarm struct {
	coordinators, workers int
	slots                 [6]int // by worker; some have more than one
	mixed                 bool   // every other worker is of an older version, and the first job needs a newer one
	jobs                  []planned
	skew                  map[string]time.Duration // skew of the coordinators' clocks
	chunkLen              int
	snapshotEvery         int64
	tight                 bool  // the ledger has only just enough memory for the largest job
	blockBytes            int64 // size of a worker's cache

	step, announceTime time.Duration // the time of a step of a gradient task, and job.AnnounceTime of the world; 0: no time, and the default
	doomed             float64       // the part of the workers that are killed after many steps

	queueLease, duplicates time.Duration
	maxDeliver             int
	leaseTTL               time.Duration
	inherits               bool // a dead owner's lease is free at once

	base, tail, timeout, longest time.Duration
	tails                        float64 // the part of the calls that take a tail

	refused, full, lost, replyLost, delayed, repeated float64 // each a part of the calls
	stale, deaf, double, damage                       float64 // each a part of the reads, notices or blocks

	length, gap time.Duration // of the time with faults, and between two misfortunes
	happens     []misfortune
}

// planned is a job to submit, and the jobs that follow it under the same id.
type planned struct {
	id           job.ID
	at           time.Duration
	incarnations []incarnation
}

type incarnation struct {
	template int
	wishes   []wish // requests of people, in order
}

// wish is a request of a person, a time after the request before.
type wish struct {
	after   time.Duration
	request job.Request
}

// wishes draws the requests for a job: usually none, or a pause, or a cancellation, or a
// cancellation and then a resume.
func wishes(r *rand.Rand) []wish {
	after := func() time.Duration { return time.Duration(1+r.IntN(2000)) * time.Millisecond }
	switch r.IntN(10) {
	case 0, 1:
		return []wish{{after(), job.Cancel}}
	case 2, 3:
		return []wish{{after(), job.Pause}, {after(), job.Resume}}
	case 4:
		return []wish{{after(), job.Cancel}, {after(), job.Resume}}
	default:
		return nil
	}
}

type misfortune string

const (
	crashCoordinator misfortune = "a coordinator is killed"
	crashWorker      misfortune = "a worker is killed"
	stopWorker       misfortune = "a worker is asked to stop"
	stopCoordinator  misfortune = "a coordinator is asked to stop"
	pauseProcess     misfortune = "a process is paused"
	cutProcess       misfortune = "a connection is cut"
	slowWorker       misfortune = "a worker becomes slow"
	wipeLedger       misfortune = "the ledger is wiped"
	rollBackLedger   misfortune = "the ledger is put back to an old copy"
	purgeQueue       misfortune = "the queue loses every task"
	dropLeases       misfortune = "the leases are lost"
	everybodyGone    misfortune = "all workers are killed"
	refuseWrites     misfortune = "the ledger refuses all writes"
)

var misfortunes = []misfortune{
	crashCoordinator, crashWorker, stopWorker, stopCoordinator, pauseProcess, cutProcess, slowWorker,
	wipeLedger, rollBackLedger, purgeQueue, dropLeases, everybodyGone,
}

func milliseconds(ms ...int) []time.Duration {
	d := make([]time.Duration, len(ms))
	for i, n := range ms {
		d[i] = time.Duration(n) * time.Millisecond
	}
	return d
}

// maybe returns one of the values in about half of all worlds, and 0 in the others.
func maybe(r *rand.Rand, values ...float64) float64 {
	v := pick(r, values...)
	if r.IntN(2) == 0 {
		return 0
	}
	return v
}

// choose draws a swarm.
func choose(r *rand.Rand) swarm {
	s := swarm{
		coordinators: pick(r, 1, 2, 2, 3), workers: 1 + r.IntN(6),
		chunkLen: pick(r, 64<<10, 64<<10, 3, 5), snapshotEvery: int64(2 + r.IntN(8)), blockBytes: pick[int64](r, 0, 1<<20),
		queueLease: pick(r, milliseconds(500, 3000, 15_000)...), duplicates: pick(r, milliseconds(1, 5000)...), maxDeliver: 1000,
		leaseTTL: pick(r, milliseconds(1000, 2000, 5000)...), inherits: r.IntN(2) == 0,
		base: pick(r, milliseconds(1, 2, 5, 20)...), tail: pick(r, milliseconds(50, 300, 2500)...), tails: maybe(r, 0.002, 0.01, 0.05),
		timeout: pick(r, milliseconds(20, 200, 1000)...), longest: pick(r, milliseconds(50, 1000, 8000)...),
		refused: maybe(r, 0.005, 0.05), full: maybe(r, 0.005, 0.02), lost: maybe(r, 0.005, 0.05), replyLost: maybe(r, 0.005, 0.05),
		delayed: maybe(r, 0.005, 0.05), repeated: maybe(r, 0.01, 0.1),
		stale: maybe(r, 0.1, 0.5), deaf: maybe(r, 0.02, 0.2, 0.8), double: maybe(r, 0.02, 0.2), damage: maybe(r, 0.05, 0.3),
		length: time.Duration(500+r.IntN(8000)) * time.Millisecond, gap: pick(r, milliseconds(100, 300, 1000)...),
	}
	for i := range s.slots {
		s.slots[i] = pick(r, 0, 0, 1, 2)
	}
	s.skew = map[string]time.Duration{}
	for i := range s.coordinators {
		s.skew[fmt.Sprintf("c%d", i+1)] = pick[time.Duration](r, 0, 0, -1, 1) * time.Duration(r.Int64N(int64(time.Hour)))
	}
	ids := []job.ID{"a", "b"}
	for i := range pick(r, 1, 1, 2) {
		p := planned{id: ids[i], at: time.Duration(r.IntN(1500)) * time.Millisecond}
		for range pick(r, 1, 1, 1, 2) {
			p.incarnations = append(p.incarnations, incarnation{r.IntN(templates), wishes(r)})
		}
		s.jobs = append(s.jobs, p)
	}
	for _, m := range misfortunes {
		if r.IntN(3) == 0 {
			s.happens = append(s.happens, m)
		}
	}
	return s
}

// lengthen makes a world of long jobs whose steps take time. A worker computes many steps
// without the ledger, and it may be killed in the middle of them.
func (s *swarm) lengthen(r *rand.Rand) {
	s.step, s.announceTime = time.Duration(200+r.IntN(3000))*time.Microsecond, pick(r, milliseconds(0, 200, 5000)...)
	s.workers, s.length, s.gap, s.doomed = min(s.workers, 3), s.length+3*time.Second, time.Second, 0.3
	s.tail = min(s.tail, 300*time.Millisecond) // hundreds of steps of several workers wait for it
	for _, p := range s.jobs {
		for i := range p.incarnations {
			p.incarnations[i].template = 2*templates + p.incarnations[i].template%longTemplates
		}
	}
}

// doom kills some workers that have many steps which the ledger lacks, within a time. The
// caller holds w.mu.
func (w *world) doom(p *process, within time.Duration) {
	if w.calm || w.swarm.doomed == 0 {
		return
	}
	p.runs++
	r := w.random(fmt.Sprint(p.name, " goes on ", p.runs))
	if r.Float64() >= w.swarm.doomed {
		return
	}
	left, spell := time.Duration(r.Int64N(int64(within))), time.Duration(r.Int64N(int64(time.Second)))
	go w.after(left, func() { // outside the lock
		var lives bool
		w.locked(func() { lives = p.m.process == p })
		if lives {
			w.restart(p.m, spell)
		}
	})
}

// latency returns how long a message travels.
func (s *swarm) latency(r *rand.Rand) time.Duration {
	d := 20*time.Microsecond + time.Duration(-math.Log(1-r.Float64())*float64(s.base)/2)
	if r.Float64() < s.tails {
		d += time.Duration(r.Int64N(int64(s.tail)))
	}
	return d
}

// startup returns how long a process takes to start.
func (s *swarm) startup(r *rand.Rand) time.Duration {
	return time.Duration(1+r.IntN(400_000)) * time.Microsecond
}

// fault draws the fault of a call.
func (s *swarm) fault(r *rand.Rand, op operation) fault {
	x := r.Float64()
	for _, f := range []struct {
		fault fault
		share float64
	}{{refused, s.refused}, {full, s.full}, {lost, s.lost}, {replyLost, s.replyLost}, {delayed, s.delayed}, {repeated, s.repeated}} {
		if x -= f.share; x < 0 {
			if f.fault == full && !op.write {
				return refused
			}
			return f.fault
		}
	}
	return fine
}

// misfortunes lets things break for as long as the seed says. It returns false if a check
// has failed.
func (w *world) misfortunes() bool {
	r := w.random("misfortunes")
	until := time.Now().Add(w.swarm.length)
	wipeouts := 0
	for time.Now().Before(until) {
		if !w.wait(time.Duration(-math.Log(1-r.Float64())*float64(w.swarm.gap)) + time.Microsecond) {
			return false
		}
		if len(w.swarm.happens) == 0 {
			continue
		}
		what := pick(r, w.swarm.happens...)
		if what == everybodyGone {
			if wipeouts++; wipeouts > mostWipeouts {
				continue
			}
		}
		w.happen(what, r)
	}
	return true
}

// mostWipeouts is the most times that all workers are killed in one world. A job may
// fail, as it must, because of a task that eight or more workers died with.
const mostWipeouts = 5

// heal ends the faults: connections work, dead processes are started, and calls succeed.
func (w *world) heal() bool {
	w.locked(func() {
		w.calm = true
		for _, m := range w.machines {
			m.slow = 1
		}
		w.trace("world", "heals", "")
	})
	for _, m := range w.machines {
		m.boot()
	}
	return true
}

// happen makes one thing break.
func (w *world) happen(what misfortune, r *rand.Rand) {
	w.locked(func() {
		w.reached(string(what))
		w.trace("world", string(what), "")
	})
	coordinator := w.machines[r.IntN(w.swarm.coordinators)]
	worker := w.machines[w.swarm.coordinators+r.IntN(w.swarm.workers)]
	anyone := w.machines[r.IntN(len(w.machines))]
	spell := time.Duration(r.Int64N(int64(2*w.swarm.leaseTTL + 2*time.Second)))
	switch what {
	case crashCoordinator:
		w.restart(coordinator, spell)
	case crashWorker:
		w.restart(worker, spell)
	case everybodyGone:
		for _, m := range w.machines[w.swarm.coordinators:] {
			w.restart(m, spell+w.swarm.startup(r))
		}
	case stopWorker:
		worker.terminate()
	case stopCoordinator:
		coordinator.terminate()
	case pauseProcess:
		w.pause(anyone, spell)
	case cutProcess:
		w.cut(anyone, pick(r, ledgerStore, natsStore, blobStore), pick(r, noReply, unreachable), spell)
	case slowWorker:
		w.locked(func() { worker.slow = pick(r, 10.0, 100.0, 1000.0) })
	case refuseWrites:
		w.locked(func() { w.ledgers.refuses = time.Now().Add(2 * spell) })
	default:
		w.locked(func() { w.lose(what, r) })
	}
}

// lose makes a server lose its contents. The caller holds w.mu.
func (w *world) lose(what misfortune, r *rand.Rand) {
	switch what {
	case wipeLedger:
		w.ledgers.restore(0)
	case rollBackLedger:
		w.ledgers.restore(r.IntN(len(w.ledgers.writes) + 1))
	case purgeQueue:
		w.queue.Purge()
	case dropLeases:
		clear(w.leases.held)
	default:
	}
}

// restart kills a machine's process, and starts another one later.
func (w *world) restart(m *machine, after time.Duration) {
	m.kill()
	w.after(after+time.Millisecond, m.boot)
}

func (w *world) pause(m *machine, d time.Duration) {
	w.locked(func() {
		if m.process != nil {
			m.process.asleep = time.Now().Add(d)
			w.trace(m.process.name, "paused", d.String())
		}
	})
}

func (w *world) cut(m *machine, s store, c cut, d time.Duration) {
	w.locked(func() {
		p := m.process
		if p == nil {
			return
		}
		p.cuts[s] = c
		w.trace(p.name, fmt.Sprint("cut off from ", s), fmt.Sprint(c, " for ", d))
		go w.after(d, func() { w.locked(func() { p.cuts[s] = whole }) }) // outside the lock
	})
}
