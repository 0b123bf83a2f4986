package garbage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"tributary/shared/blob"
	"tributary/shared/checkpoint"
	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/plan"
)

// digest is a blob's digest in compact form.
type digest [sha256.Size]byte

func (d digest) String() job.Digest { return job.Digest(hex.EncodeToString(d[:])) }

// unnamed holds the listed blobs that no record has named so far.
//
// Invariant: a named blob stays named for the rest of the round. A job that is removed
// meanwhile keeps its blobs until the next round.
type unnamed struct {
	old, young map[digest]struct{}
	// read holds the plans and checkpoints whose names are already removed.
	read map[job.Digest]*ledger.Layout
}

func newUnnamed() *unnamed {
	return &unnamed{old: map[digest]struct{}{}, young: map[digest]struct{}{}, read: map[job.Digest]*ledger.Layout{}}
}

func (u *unnamed) add(text job.Digest, old bool) {
	d, ok := decode(text)
	switch {
	case !ok:
	case old:
		u.old[d] = struct{}{}
	default:
		u.young[d] = struct{}{}
	}
}

// name removes needed blobs from the set.
func (u *unnamed) name(needed ...job.Digest) {
	for _, text := range needed {
		if d, ok := decode(text); ok {
			delete(u.old, d)
			delete(u.young, d)
		}
	}
}

func decode(text job.Digest) (d digest, ok bool) {
	if !blob.IsDigest(text) {
		return d, false
	}
	_, err := hex.Decode(d[:], []byte(text))
	return d, err == nil
}

// mark removes from u every blob that a record leads to, and counts the preparing jobs.
// It does not read plans and checkpoints again that it has read before, because their
// bytes never change.
func (c *Collector) mark(ctx context.Context, store blob.Store, u *unnamed) (preparing int, err error) {
	if c.cfg.Datasets != nil {
		if err := c.cfg.Datasets(ctx, u.name); err != nil {
			return 0, err
		}
	}
	for r, err := range c.cfg.Records.All(ctx) {
		if err != nil {
			return 0, err
		}
		if r.State == job.Preparing {
			preparing++
		}
		u.name(r.Profile)
		if r.Plan == "" {
			continue
		}
		layout, err := c.plan(ctx, store, u, r) // nil for a released job
		if err != nil {
			return 0, fmt.Errorf("job %s: %w; remove the job so that unneeded blobs can be deleted again", r.ID, err)
		}
		if err := c.checkpoints(ctx, store, u, r); err != nil {
			return 0, fmt.Errorf("job %s: %w; remove the job so that unneeded blobs can be deleted again", r.ID, err)
		}
		if r.Released {
			continue // its ledger is deleted
		}
		if err := c.drafts(ctx, store, u, r, *layout); err != nil {
			return 0, fmt.Errorf("job %s: %w", r.ID, err)
		}
	}
	return preparing, nil
}

// plan names a record's plan and the blobs in it. It returns the layout of the ledger of
// a job with that plan, or nil if the job's ledger is deleted.
func (c *Collector) plan(ctx context.Context, store blob.Store, u *unnamed, r job.Record) (*ledger.Layout, error) {
	u.name(r.Plan)
	if known, ok := u.read[r.Plan]; ok && (known != nil || r.Released) {
		return known, nil
	}
	data, err := blob.Fetch(ctx, store, r.Plan)
	if err != nil {
		return nil, fmt.Errorf("its plan: %w", err)
	}
	p, err := plan.Decode(data)
	if err != nil {
		return nil, fmt.Errorf("its plan %s: %w", r.Plan, err)
	}
	u.name(p.Blobs()...)
	u.read[r.Plan] = nil
	if r.Released {
		return nil, nil
	}
	layout, err := p.Layout(job.Ref{})
	if err != nil {
		return nil, fmt.Errorf("its plan %s: %w", r.Plan, err)
	}
	u.read[r.Plan] = &layout
	return &layout, nil
}

// checkpoints names a record's checkpoints and their parts. A missing checkpoint has no
// parts that could be found. It was deleted after the read of the record, or it is lost,
// and a restore of the job skips it.
func (c *Collector) checkpoints(ctx context.Context, store blob.Store, u *unnamed, r job.Record) error {
	for _, known := range r.Checkpoints {
		u.name(known.Digest)
		if _, ok := u.read[known.Digest]; ok {
			continue
		}
		m, err := checkpoint.Open(ctx, store, known.Digest)
		if errors.Is(err, job.ErrNotFound) {
			continue
		}
		if err != nil {
			return fmt.Errorf("its checkpoint after step %d: %w", known.Step, err)
		}
		u.name(m.Parts()...)
		u.read[known.Digest] = nil
	}
	return nil
}

// drafts names the checkpoints that are being written or deleted. A checkpoint that is
// recorded meanwhile is no longer a draft, so drafts reads the record again after the
// drafts.
func (c *Collector) drafts(ctx context.Context, store blob.Store, u *unnamed, r job.Record, layout ledger.Layout) error {
	layout.Ref = r.Ref()
	begun, err := checkpoint.Begun(ctx, c.cfg.Ledger, layout)
	if err != nil {
		return err
	}
	for _, d := range begun {
		u.name(d.Digest)
		u.name(d.Manifest.Parts()...)
	}
	r, _, err = c.cfg.Records.Get(ctx, r.ID)
	if errors.Is(err, job.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return c.checkpoints(ctx, store, u, r)
}
