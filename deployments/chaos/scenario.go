package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"tributary/shared/job"
)

// patience is the timeout after which a scenario counts as hung.
const patience = 3 * time.Minute

// result is the outcome of a scenario.
type result struct {
	seed                  uint64
	job                   string
	coordinators, workers int
	struck                []string
	neighbours            []string
	pace                  float64 // relative to the pace without neighbours; NaN: not known
	steps, redone         int64
	gap, took             time.Duration
	err                   error
}

// script is what a seed chooses.
type script struct {
	work                  *work
	coordinators, workers int
	strikes               []strike
	visits                []visit
	scarce                scarcity
}

// strike is a fault, and the fraction of the job's steps after which it starts.
type strike struct {
	*fault
	after float64
	seed  uint64
}

func (c *scenarios) script(seed uint64, from []fault) script {
	r := rand.New(rand.NewPCG(seed, 0x7472696275746172))
	name := works[r.IntN(len(works))].name
	if c.Job != "" {
		name = c.Job
	}
	p := script{coordinators: 1 + r.IntN(3), workers: 1 + r.IntN(4)}
	p.work = jobByName(name, p.workers)
	for range 1 + r.IntN(4) {
		p.strikes = append(p.strikes, strike{pick(r, from), 0.05 + 0.8*r.Float64(), r.Uint64()})
	}
	slices.SortFunc(p.strikes, func(a, b strike) int {
		if a.after < b.after {
			return -1
		}
		return 1
	})
	p.scarce = plenty
	if c.hostile(seed) {
		p.invite(seed, c.chosenNeighbours())
	}
	return p
}

// play runs one scenario.
func (l *lab) play(ctx context.Context, seed uint64, p script) (res result) {
	res = result{seed: seed, job: p.work.name, coordinators: p.coordinators, workers: p.workers, pace: math.NaN()}
	began := time.Now()
	defer func() { res.took = time.Since(began) }()
	want, err := p.work.reference(ctx)
	if err != nil {
		res.err = err
		return res
	}
	alone := math.NaN()
	if len(p.visits) > 0 {
		if alone, err = l.paceAlone(ctx, p); err != nil {
			res.err = fmt.Errorf("without a neighbour: %w", err)
			return res
		}
	}
	began = time.Now()
	res.err = l.run(ctx, seed, p, want, alone, &res)
	return res
}

// run starts a fleet, plays a script on it, and ends it. alone is the pace to compare
// with.
func (l *lab) run(ctx context.Context, seed uint64, p script, want job.Digest, alone float64, res *result) error {
	dir := filepath.Join(l.temp, fmt.Sprint("scenario-", seed))
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	file, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	f, err := newFleet(ctx, l, dir, &journal{f: file}, p.coordinators, p.workers, p.scarce)
	if err == nil {
		err = f.train(ctx, p, want, res)
	}
	if res.pace /= alone; res.pace < leastPace {
		err = errors.Join(err, fmt.Errorf("pace %.2f of that without a neighbour, want %.2f or more", res.pace, leastPace))
	}
	err = errors.Join(err, f.crashed())
	f.close()
	err = errors.Join(err, panics(file.Name()))
	return errors.Join(err, l.tidy(dir, file, seed, err != nil))
}

// tidy removes a scenario's folder, but keeps its log if it failed.
func (l *lab) tidy(dir string, log *os.File, seed uint64, failed bool) error {
	err := log.Close()
	if failed {
		err = errors.Join(err, os.MkdirAll(l.logs, 0o750), os.Rename(log.Name(), filepath.Join(l.logs, fmt.Sprintf("%d.log", seed))))
	}
	return errors.Join(err, os.RemoveAll(dir))
}

// train submits the job, injects the faults while it runs, and compares the result.
func (f *fleet) train(ctx context.Context, p script, want job.Digest, res *result) error {
	c, err := dial(f.nats.address)
	if err != nil {
		return err
	}
	defer c.nc.Close()
	var submitted struct{ ID job.ID }
	if err := c.ask(ctx, "tributary.jobs.submit", p.work.spec, &submitted); err != nil {
		return err
	}
	c.follow(submitted.ID)
	v := f.visit(ctx, c, submitted.ID, p.visits)
	struck, excused, err := f.strikeAll(ctx, c, submitted.ID, p.strikes)
	res.struck = struck
	var r job.Record
	if err == nil {
		r, err = c.ended(ctx, submitted.ID)
	}
	res.steps = r.Steps
	res.gap, res.redone = c.longest()
	res.pace = c.pace(excused)
	res.neighbours = v.leave()
	if err != nil {
		return err
	}
	if r.State != job.Succeeded {
		return fmt.Errorf("the job %s: %s", r.State, r.Error)
	}
	if got := r.Outcome.ParametersSHA256; got != want {
		return fmt.Errorf("parameters_sha256 is %s, in one plain loop %s", got, want)
	}
	if err := c.verify(ctx, submitted.ID); err != nil {
		return err
	}
	if err := v.dispose(ctx); err != nil {
		return err
	}
	return f.clean(ctx)
}

// strikeAll injects each fault at its time, and waits until the last one is repaired. It
// injects no more faults after the job has ended. excused holds the times in which faults
// were active.
func (f *fleet) strikeAll(ctx context.Context, c *client, id job.ID, strikes []strike) (struck []string, excused []interval, err error) {
	var (
		mu   sync.Mutex
		errs []error
		busy sync.WaitGroup
	)
	for _, s := range strikes {
		over, err := c.reached(ctx, id, s.after)
		if err != nil || over {
			break
		}
		busy.Go(func() {
			at, from := c.steps(), time.Now()
			what, err := s.inject(ctx, f, rand.New(rand.NewPCG(s.seed, 1)))
			fmt.Fprintf(f.log, "--- %s (%s) after step %d, mended at %s\n", s.name, what, at, time.Now().Format(time.TimeOnly))
			mu.Lock()
			defer mu.Unlock()
			if what != "" {
				struck = append(struck, what)
				excused = append(excused, interval{from, time.Now()})
			}
			if err != nil {
				errs = append(errs, fmt.Errorf("inject %s: %w", s.name, err))
			}
		})
	}
	busy.Wait()
	return struck, excused, errors.Join(errs...)
}

// reached waits until a fraction of the job's steps is committed, or the job is over.
func (c *client) reached(ctx context.Context, id job.ID, part float64) (over bool, err error) {
	for {
		var r job.Record
		if err := c.ask(ctx, "tributary.jobs.get", string(id), &r); err != nil {
			return false, err
		}
		if r.State.Final() {
			return true, nil
		}
		if r.Steps > 0 && float64(c.steps()) >= part*float64(r.Steps) {
			return false, nil
		}
		if err := wait(ctx, 10*time.Millisecond); err != nil {
			return false, fmt.Errorf("job %s is %s (%s) after %d of %d steps: %w", id, r.State, r.Message, c.steps(), r.Steps, err)
		}
	}
}

// clean waits until Redis holds nothing of the job. The coordinator deletes late writes
// some seconds after the job's end.
func (f *fleet) clean(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		n, err := f.redis.keys(ctx)
		if err == nil && n == 0 {
			return nil
		}
		if wait(ctx, 100*time.Millisecond) != nil {
			keys, _ := f.redis.client.Keys(context.WithoutCancel(ctx), "*").Result()
			return fmt.Errorf("%d keys are left in Redis: %s", n, strings.Join(keys[:min(len(keys), 5)], ", "))
		}
	}
}
