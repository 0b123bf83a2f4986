package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"tributary/shared/job"
)

// neighbour is a hostile client on the same servers. act does harm until ctx ends, or for
// a while.
type neighbour struct {
	name, what string
	act        func(ctx context.Context, e *enemy) error
}

var neighbours = []neighbour{
	{"fat", "a job that neither the workers' memory nor Redis can hold", oversized},
	{"wide", "a job on a CSV file of 120,000 columns, cancelled after a moment or left to run", wide},
	{"diverging", "a job whose loss becomes infinite, retried when it has failed", diverging},
	{"records", "job records that no program writes: batch 0, an unknown state, junk, the highest term", badRecords},
	{"tasks", "a plan of chunk_len 0 and tasks for it, and the job's tasks with another plan", badTasks},
	{"notices", "forged notices about the job, its workers and its checkpoints", forgedNotices},
	{"flood", "predictions and requests about jobs, as fast as they can be sent", flood},
}

func neighbourNames() []string {
	var names []string
	for _, n := range neighbours {
		names = append(names, n.name)
	}
	return names
}

// neighbourByName returns the neighbour with that name, or nil if there is none.
func neighbourByName(name string) *neighbour {
	if i := slices.Index(neighbourNames(), name); i >= 0 {
		return &neighbours[i]
	}
	return nil
}

// hostileEvery says how often a scenario has neighbours: one of so many seeds.
const hostileEvery = 3

func (c *scenarios) hostile(seed uint64) bool {
	return c.Hostile || len(c.Neighbours) > 0 || seed%hostileEvery == 0
}

// chosenNeighbours returns the named neighbours; if no names are given, it returns all.
func (c *scenarios) chosenNeighbours() []*neighbour {
	names := c.Neighbours
	if len(names) == 0 {
		names = neighbourNames()
	}
	var some []*neighbour
	for _, name := range names {
		some = append(some, neighbourByName(name))
	}
	return some
}

// visit is a neighbour, and the fraction of the job's steps after which it starts.
type visit struct {
	*neighbour
	after float64
	seed  uint64
}

// scarcity is how much memory the processes have.
type scarcity struct {
	worker int    // memory of a worker, in MiB; 0: all that the machine has
	redis  string // maxmemory; 0: no bound
}

var plenty = scarcity{redis: "0"}

// invite draws one or two neighbours. It uses its own random numbers, so that a seed
// gives the same faults with neighbours and without.
func (p *script) invite(seed uint64, from []*neighbour) {
	r := rand.New(rand.NewPCG(seed, 0x6e65696768626f75))
	for _, i := range r.Perm(len(from))[:min(len(from), 1+r.IntN(2))] {
		p.visits = append(p.visits, visit{from[i], 0.3 * r.Float64(), r.Uint64()})
		if from[i].name != "fat" {
			continue
		}
		if r.IntN(2) == 0 {
			p.scarce.worker = 400
		} else {
			p.scarce.redis = "64mb"
		}
	}
}

// enemy is what a neighbour acts with: the job that it disturbs, and the jobs that it has
// submitted.
type enemy struct {
	*client
	fleet  *fleet
	victim job.ID
	r      *rand.Rand

	mu   sync.Mutex
	jobs []guest
}

// guest is a neighbour's job. must says in which state the job must be after the first
// job has ended.
type guest struct {
	id   job.ID
	must func(job.Record) error
}

func (e *enemy) made(id job.ID, must func(job.Record) error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.jobs = append(e.jobs, guest{id, must})
}

// submit submits a job.
func (e *enemy) submit(ctx context.Context, spec string, must func(job.Record) error) (job.ID, error) {
	var submitted struct{ ID job.ID }
	err := e.ask(ctx, "tributary.jobs.submit", spec, &submitted)
	if err == nil {
		e.made(submitted.ID, must)
	}
	return submitted.ID, err
}

// visits are the neighbours that are active.
type visits struct {
	enemies []*enemy
	stop    context.CancelFunc
	busy    sync.WaitGroup

	mu    sync.Mutex
	names []string
	errs  []error
}

// visit starts each neighbour at its time.
func (f *fleet) visit(ctx context.Context, c *client, victim job.ID, all []visit) *visits {
	v := &visits{}
	during, stop := context.WithCancel(ctx)
	v.stop = stop
	for _, n := range all {
		e := &enemy{client: c, fleet: f, victim: victim, r: rand.New(rand.NewPCG(n.seed, 2))}
		v.enemies = append(v.enemies, e)
		v.busy.Go(func() {
			if over, err := c.reached(during, victim, n.after); err != nil || over {
				return
			}
			fmt.Fprintf(f.log, "--- neighbour %s comes after step %d, at %s\n", n.name, c.steps(), time.Now().Format(time.TimeOnly))
			err := n.act(during, e)
			v.mu.Lock()
			defer v.mu.Unlock()
			v.names = append(v.names, n.name)
			if err != nil && during.Err() == nil {
				v.errs = append(v.errs, fmt.Errorf("neighbour %s: %w", n.name, err))
			}
		})
	}
	return v
}

// leave stops the neighbours and returns their names.
func (v *visits) leave() []string {
	v.stop()
	v.busy.Wait()
	slices.Sort(v.names)
	return v.names
}

// disposeTime is how long the neighbours' jobs may take to reach their required state and
// to be removed.
const disposeTime = time.Minute

// dispose checks the state of the neighbours' jobs, and removes the jobs.
func (v *visits) dispose(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, disposeTime)
	defer cancel()
	errs := v.errs
	for _, e := range v.enemies {
		for _, g := range e.jobs {
			errs = append(errs, e.judge(ctx, g), e.remove(ctx, g.id))
		}
	}
	return errors.Join(errs...)
}

// judge waits until a neighbour's job is in its required state.
func (e *enemy) judge(ctx context.Context, g guest) error {
	if g.must == nil {
		return nil
	}
	for {
		var r job.Record
		if err := e.ask(ctx, "tributary.jobs.get", string(g.id), &r); err != nil {
			return err
		}
		err := g.must(r)
		if err == nil {
			return nil
		}
		if wait(ctx, 100*time.Millisecond) != nil {
			return fmt.Errorf("neighbour's job %s: %w; message %q, error %q", g.id, err, r.Message, r.Error)
		}
	}
}

// remove cancels a neighbour's job, removes it, and waits until it is gone.
func (e *enemy) remove(ctx context.Context, id job.ID) error {
	var r job.Record
	try := func(request string, answer any) error {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second) // an invalid record is an answer too, but not a final one
		defer cancel()
		return e.ask(ctx, "tributary.jobs."+request, string(id), answer)
	}
	var answer struct{}
	gone := func() bool { return missing(try("get", &r)) }
	for !gone() {
		cancelled := try("cancel", &answer)
		removed := try("remove", &answer)
		if wait(ctx, 100*time.Millisecond) != nil {
			return fmt.Errorf("neighbour's job %s (%s) cannot be removed: cancel: %w; remove: %w", id, r.State, cancelled, removed)
		}
	}
	return nil
}
