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

// neighbour is a stranger on the same servers. act does harm until ctx ends, or for a while.
type neighbour struct {
	name, what string
	act        func(ctx context.Context, e *enemy) error
}

var neighbours = []neighbour{
	{"fat", "a job that neither the workers' memory nor Redis can hold", fat},
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

// neighbourByName returns nil when there is none of that name.
func neighbourByName(name string) *neighbour {
	if i := slices.Index(neighbourNames(), name); i >= 0 {
		return &neighbours[i]
	}
	return nil
}

// hostileEvery is how many seeds have one scenario with neighbours among them.
const hostileEvery = 3

func (c *scenarios) hostile(seed uint64) bool {
	return c.Hostile || len(c.Neighbours) > 0 || seed%hostileEvery == 0
}

// chosenNeighbours returns the named neighbours; all for no names.
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

// visit is a neighbour, and the part of the job's steps after which it comes.
type visit struct {
	*neighbour
	after float64
	seed  uint64
}

// scarcity is how much memory there is.
type scarcity struct {
	worker int    // of a worker, in MiB; 0: as the machine has
	redis  string // maxmemory; 0: no bound
}

var plenty = scarcity{redis: "0"}

// invite draws one or two neighbours. It draws from numbers of its own, so that a seed
// stands for the same faults with neighbours and without.
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

// enemy is what a neighbour acts with: the job it disturbs, and the jobs it has made.
type enemy struct {
	*client
	fleet  *fleet
	victim job.ID
	r      *rand.Rand

	mu   sync.Mutex
	jobs []guest
}

// guest is a neighbour's job, and what must have become of it when the first job has ended.
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

// visits are the neighbours that are at work.
type visits struct {
	enemies []*enemy
	stop    context.CancelFunc
	busy    sync.WaitGroup

	mu    sync.Mutex
	names []string
	errs  []error
}

// visit has neighbours come when their time has come.
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

// leave ends what the neighbours do, and returns who was there.
func (v *visits) leave() []string {
	v.stop()
	v.busy.Wait()
	slices.Sort(v.names)
	return v.names
}

// disposeTime is how long neighbours' jobs may take to be as they must be, and to be removed.
const disposeTime = time.Minute

// dispose checks what has become of the neighbours' jobs, and removes them.
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

// judge waits until a neighbour's job is as it must be.
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
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second) // a junk record is an answer too, though not a final one
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
