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

// Announce stores the draft's manifest in the ledger, under [ledger.Drafts]. The caller is
// about to write the checkpoint, or to delete it; if the caller dies, [Discard] finds what
// is left.
func (d *Draft) Announce(ctx context.Context, l ledger.Results, lay ledger.Layout) error {
	unit := strconv.FormatInt(d.Manifest.Step, 10) + "/" + string(d.Digest)
	if _, err := l.PutEvaluation(ctx, lay, ledger.Drafts, unit, d.Encoded); err != nil {
		return fmt.Errorf("note checkpoint %d: %w", d.Manifest.Step, err)
	}
	return nil
}

// Retire announces in the ledger that the caller is about to remove a checkpoint from the
// job's record. If the caller then dies, [Discard] still deletes the checkpoint.
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

// Written returns the newest announced checkpoint that is complete in the store and has at
// least step steps, or nil when there is none.
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
			return nil, fmt.Errorf("check for checkpoint %d: %w", d.Manifest.Step, err)
		}
		if has && d.Manifest.Whole(ctx, store) == nil {
			newest = d
		}
	}
	return newest, nil
}

// Discard deletes the blobs of announced checkpoints that have at most newest steps and are
// not among kept: nobody will record them. If no announced checkpoint is newer, it then
// deletes all announcements. An announcement that another process stores at that moment is
// lost with them. That costs at most the space of that checkpoint's blobs.
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

// Begun returns all announced checkpoints, in no particular order of steps.
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
