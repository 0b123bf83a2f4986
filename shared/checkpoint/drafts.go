package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"tributary/shared/blob"
	"tributary/shared/job"
	"tributary/shared/ledger"
)

// Announce notes in the ledger that the draft is about to be written, or deleted.
func (d *Draft) Announce(ctx context.Context, l ledger.Results, lay ledger.Layout) error {
	unit := strconv.FormatInt(d.Manifest.Step, 10) + "/" + string(d.Digest)
	if _, err := l.PutEvaluation(ctx, lay, ledger.Drafts, unit, d.Encoded); err != nil {
		return fmt.Errorf("note checkpoint %d: %w", d.Manifest.Step, err)
	}
	return nil
}

// Retire notes in the ledger that a checkpoint is about to be taken off the record, so
// that it is deleted by [Discard] even when whoever took it off dies before.
func Retire(ctx context.Context, l ledger.Results, lay ledger.Layout, store blob.Store, digest job.Digest) error {
	data, err := blob.Fetch(ctx, store, digest)
	if err != nil {
		return fmt.Errorf("retire checkpoint: %w", err)
	}
	m, err := Decode(data)
	if err != nil {
		return err
	}
	return (&Draft{Manifest: *m, Encoded: data, Digest: digest}).Announce(ctx, l, lay)
}

// Written returns the newest checkpoint of at least that step that was announced
// and is there, nil when there is none.
func Written(ctx context.Context, l ledger.Results, lay ledger.Layout, store blob.Store, step int64) (*Draft, error) {
	drafts, err := Begun(ctx, l, lay)
	if err != nil {
		return nil, err
	}
	var newest *Draft
	for _, d := range drafts {
		if d.Manifest.Step < step || newest != nil && newest.Manifest.Step >= d.Manifest.Step {
			continue
		}
		has, err := store.Has(ctx, d.Digest)
		if err != nil {
			return nil, fmt.Errorf("look for checkpoint %d: %w", d.Manifest.Step, err)
		}
		if has && d.Manifest.Whole(ctx, store) == nil {
			newest = d
		}
	}
	return newest, nil
}

// Discard deletes what was written of announced checkpoints that are older than
// newest and not among kept: nobody will record them. With everything before
// newest gone the announcements go too; one that is made in this very moment goes
// unnoticed with them, which costs at most the room that its blobs take.
func Discard(ctx context.Context, l ledger.Results, lay ledger.Layout, store blob.Store, newest int64, kept []job.Checkpoint) error {
	drafts, err := Begun(ctx, l, lay)
	if err != nil || len(drafts) == 0 {
		return err
	}
	keep := map[job.Digest]bool{}
	for _, c := range kept {
		keep[c.Digest] = true
	}
	later := 0
	var errs []error
	for _, d := range drafts {
		switch {
		case d.Manifest.Step > newest:
			later++
		case !keep[d.Digest]:
			err := d.Manifest.Delete(ctx, store)
			if err == nil {
				err = store.Delete(ctx, d.Digest)
			}
			errs = append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil || later > 0 {
		return err
	}
	return l.DropEvaluations(ctx, lay, ledger.Drafts)
}

// Begun returns the checkpoints that were announced and whose announcements are still
// there, in no order of steps.
func Begun(ctx context.Context, l ledger.Results, lay ledger.Layout) ([]*Draft, error) {
	units, err := l.Evaluations(ctx, lay, ledger.Drafts)
	if err != nil {
		return nil, fmt.Errorf("read the checkpoints begun: %w", err)
	}
	list := make([]*Draft, 0, len(units))
	for _, name := range slices.Sorted(maps.Keys(units)) {
		data := units[name]
		m, err := Decode(data)
		if err != nil {
			return nil, fmt.Errorf("checkpoint %s: %w", name, err)
		}
		list = append(list, &Draft{Manifest: *m, Encoded: data, Digest: blob.DigestOf(data)})
	}
	return list, nil
}
