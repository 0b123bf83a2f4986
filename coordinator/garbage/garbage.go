// Package garbage deletes the blobs that no job needs: blocks, plans, weights and
// checkpoints of jobs that were removed or never got a plan.
//
// It owns the search for these blobs and the decision when a deletion is safe. A job
// needs what its record names: the plan, which names the blocks and the weights, and the
// checkpoints, which name their parts. Package serve starts a [Collector] in each
// coordinator; one collector works at a time.
//
// Invariant: a collector deletes a blob only under the lease [Key], while no record says
// that its job is preparing. No record, read under that lease, leads to the blob. A driver
// that prepares a job first says so in the record and then waits until the lease is free.
// So either the collector sees the driver or the driver sees the collector. If anything
// cannot be read, the deletion stops.
package garbage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/rs/zerolog"

	"tributary/coordinator/run"
	"tributary/shared/blob"
	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/lifecycle"
)

// Key is the lease under which blobs are deleted. No job can have this id.
const Key = "collect.blobs"

// Records reads the records of all jobs.
type Records interface {
	// All yields every record. If it yields an error, the list is incomplete.
	All(ctx context.Context) iter.Seq2[job.Record, error]
	// Get fails with job.ErrNotFound if there is no record.
	Get(ctx context.Context, id job.ID) (job.Record, uint64, error)
	// Origin identifies the set of records; each installation has another value.
	Origin(ctx context.Context) (string, error)
}

// Config holds the settings of a Collector. A zero time means its default.
type Config struct {
	Owner   string // this coordinator's name
	Records Records
	Leases  run.Leases
	Ledger  ledger.Results // has the drafts of checkpoints
	Blobs   blob.Store     // must be a blob.Lister, or nothing is collected
	// Datasets, if set, passes the blobs of named data sets. If it fails, nothing is deleted.
	Datasets func(ctx context.Context, name func(...job.Digest)) error
	// Tidy, if set, removes other leftovers from before that time.
	Tidy func(ctx context.Context, before time.Time) error
	Log  zerolog.Logger

	Every time.Duration // time between rounds; default 1 h
	Soon  time.Duration // time to a round after the start, after a removal, or after a round that could not work; default 1 min
	Grace time.Duration // minimum age of a blob for its deletion; default 5 min
	Drain time.Duration // maximum wait for preparing jobs, while other jobs wait; default 2 s
	Hold  time.Duration // maximum time of deletions before the records are read again; default 1 s
}

// Collector deletes the blobs that no job needs. Use New.
type Collector struct {
	cfg  Config
	wake chan struct{} // capacity 1: a round is requested
}

// New returns a collector. It does nothing until Run.
func New(cfg Config) *Collector {
	cfg.Every, cfg.Soon = cmp.Or(cfg.Every, time.Hour), cmp.Or(cfg.Soon, time.Minute)
	cfg.Grace, cfg.Drain = cmp.Or(cfg.Grace, 5*time.Minute), cmp.Or(cfg.Drain, 2*time.Second)
	cfg.Hold = cmp.Or(cfg.Hold, time.Second)
	return &Collector{cfg: cfg, wake: make(chan struct{}, 1)}
}

// Wake requests a round soon, because a job was removed or a job waits for space. It
// returns immediately.
func (c *Collector) Wake() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// Run collects until ctx ends.
func (c *Collector) Run(ctx context.Context) {
	store, ok := c.cfg.Blobs.(blob.Lister)
	if !ok {
		c.cfg.Log.Warn().Str("blobs", fmt.Sprintf("%T", c.cfg.Blobs)).Msg("unneeded blobs stay: this blob store cannot list its blobs")
		return
	}
	next := time.Now().Add(c.cfg.Soon)
	rest := next // a longer pause follows a long round
	for {
		timer := time.NewTimer(time.Until(next))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-c.wake:
			timer.Stop()
			if soon := later(time.Now().Add(c.cfg.Soon), rest); soon.Before(next) {
				next = soon
			}
			continue
		case <-timer.C:
		}
		began := time.Now()
		again := c.round(ctx, store)
		next, rest = time.Now().Add(again), time.Now().Add(10*time.Since(began))
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// The reasons for which a round ends early.
var (
	errBusy  = errors.New("a job is preparing its data, or another coordinator deletes blobs now")
	errAlien = errors.New("the blobs belong to the jobs of another installation")
)

// round collects once and returns the time to wait for the next round.
func (c *Collector) round(ctx context.Context, store blob.Lister) time.Duration {
	var done done
	err := lifecycle.Contain("collect blobs", func() (err error) { // a damaged job ends only the round
		done, err = c.collect(ctx, store)
		return err
	})
	log := c.cfg.Log.With().Int("blobs", done.deleted).Logger()
	if done.deleted > 0 {
		log.Info().Msg("deleted blobs that no job needs")
	}
	switch {
	case err == nil && done.young > 0:
		return min(c.cfg.Grace, c.cfg.Every)
	case err == nil, ctx.Err() != nil:
		return c.cfg.Every
	case errors.Is(err, errBusy):
		log.Debug().Err(err).Msg("collect blobs that no job needs")
		return c.cfg.Soon
	default:
		log.Warn().Err(err).Msg("no further blobs are deleted: the coordinator cannot tell which blobs jobs need")
		return min(10*c.cfg.Soon, c.cfg.Every)
	}
}

// done is the result of a round.
type done struct {
	deleted int
	young   int // seem unneeded but are too young
}

// collect lists the blobs, finds the needed ones and deletes the others.
func (c *Collector) collect(ctx context.Context, store blob.Lister) (d done, err error) {
	if err := c.claim(ctx, store); err != nil {
		return d, err
	}
	before := time.Now().Add(-c.cfg.Grace)
	if err := c.tidy(ctx, store, before); err != nil {
		return d, err
	}
	all := newUnnamed()
	for s, err := range store.List(ctx) {
		if err != nil {
			return d, err
		}
		all.add(s.Digest, s.Time.Before(before))
	}
	// The first read may take long, but no job waits for it.
	if _, err := c.mark(ctx, store, all); err != nil {
		return d, err
	}
	d.young = len(all.young)
	for len(all.old) > 0 {
		n, err := c.section(ctx, store, all)
		d.deleted += n
		if err != nil {
			return d, err
		}
		if err := pause(ctx, c.cfg.Hold); err != nil { // gives the lease to those who wait for it
			return d, err
		}
	}
	return d, nil
}

// claim checks that the blobs belong to these records.
func (c *Collector) claim(ctx context.Context, store blob.Lister) error {
	origin, err := c.cfg.Records.Origin(ctx)
	if err != nil {
		return err
	}
	noted, err := store.Claim(ctx, origin)
	if err != nil {
		return err
	}
	if noted != origin {
		return fmt.Errorf("%w: the blob store is marked for %q in %q, but the records here are %q: give each installation its own folder or prefix; if the other installation no longer exists, delete %[3]q",
			errAlien, noted, blob.ClaimName, origin)
	}
	return nil
}

func (c *Collector) tidy(ctx context.Context, store blob.Lister, before time.Time) error {
	if err := store.Tidy(ctx, before); err != nil {
		return err
	}
	if c.cfg.Tidy == nil {
		return nil
	}
	return c.cfg.Tidy(ctx, before)
}

// releaseTimeout bounds the release of the lease; the lease expires shortly after in any
// case.
const releaseTimeout = 2 * time.Second

// section deletes blobs for a short time under the lease. It fails with errBusy if the
// lease is taken or jobs are preparing.
func (c *Collector) section(ctx context.Context, store blob.Lister, all *unnamed) (deleted int, err error) {
	lease, err := c.cfg.Leases.Acquire(ctx, Key, c.cfg.Owner)
	if errors.Is(err, job.ErrConflict) {
		return 0, errBusy
	}
	if err != nil {
		return 0, err
	}
	defer func() {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
		defer cancel()
		if err := lease.Release(last); err != nil {
			c.cfg.Log.Debug().Err(err).Msg("release the lease of the collection")
		}
	}()
	if err := c.waitForPreparing(ctx, store, all); err != nil {
		return 0, err
	}
	began := time.Now()
	for digest := range all.old {
		select {
		case <-lease.Lost():
			return deleted, errBusy
		default:
		}
		// A process that was paused may not know yet that it has lost the lease.
		if time.Since(began) > c.cfg.Hold {
			break
		}
		if err := store.Delete(ctx, digest.String()); err != nil {
			return deleted, err
		}
		delete(all.old, digest)
		deleted++
	}
	return deleted, nil
}

// waitForPreparing reads the records until no job is preparing. Jobs that start now wait
// for it, so it fails with errBusy if that takes long.
func (c *Collector) waitForPreparing(ctx context.Context, store blob.Lister, all *unnamed) error {
	for began := time.Now(); ; {
		preparing, err := c.mark(ctx, store, all)
		if err != nil || preparing == 0 {
			return err
		}
		if time.Since(began) > c.cfg.Drain {
			return errBusy
		}
		if err := pause(ctx, c.cfg.Drain/20); err != nil {
			return err
		}
	}
}

// pause waits for d or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
