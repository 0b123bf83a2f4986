package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"tributary/shared/blob"
	"tributary/shared/job"
	"tributary/shared/lifecycle"
)

// parallel is how many parts are written at the same time.
const parallel = 4

// cleanupTimeout is the timeout for deleting the blobs of a checkpoint that could not be
// written.
const cleanupTimeout = 10 * time.Second

// Draft is a checkpoint whose digests are known, before its bytes are written.
type Draft struct {
	Manifest Manifest
	Encoded  []byte     // the manifest
	Digest   job.Digest // of Encoded
	parts    []part     // in the order of Manifest.Parts
}

// NewDraft computes the digests of a state's parts. The state must not change until the
// draft is written. NewDraft fails with job.ErrInvalid when the state does not have exactly
// the losses of all its steps, or the marks of all or none.
func NewDraft(s *State) (*Draft, error) {
	d := &Draft{Manifest: Manifest{
		Magic: magic, Version: version, Ref: s.Ref, Plan: s.Plan, Numerics: s.Numerics, Step: s.Snapshot.Step,
		Chain: s.Snapshot.Chain,
	}}
	m := &d.Manifest
	if len(s.Snapshot.Vectors) > 0 {
		m.Params = len(s.Snapshot.Vectors[0])
	}
	if int64(len(s.Losses)) != m.Step {
		return nil, fmt.Errorf("checkpoint %d with the losses of %d steps: %w", m.Step, len(s.Losses), job.ErrInvalid)
	}
	if n := int64(len(s.Marks)); n != 0 && n != m.Step {
		return nil, fmt.Errorf("checkpoint %d with the marks of %d steps: %w", m.Step, n, job.ErrInvalid)
	}
	var buf []byte
	digests := func(parts []part) ([]job.Digest, error) {
		list := make([]job.Digest, len(parts))
		for i, p := range parts {
			var err error
			if buf, err = p.encode(buf[:0]); err != nil {
				return nil, fmt.Errorf("encode %s: %w", p.place, err)
			}
			m.Bytes += int64(len(buf))
			list[i] = blob.DigestOf(buf)
		}
		d.parts = append(d.parts, parts...)
		return list, nil
	}
	vectors, losses, marks, evaluations := split(s)
	for _, parts := range vectors {
		list, err := digests(parts)
		if err != nil {
			return nil, err
		}
		m.Vectors = append(m.Vectors, list)
	}
	var err error
	if m.Losses, err = digests(losses); err != nil {
		return nil, err
	}
	if m.Marks, err = digests(marks); err != nil {
		return nil, err
	}
	if m.Evaluations, err = digests(evaluations); err != nil {
		return nil, err
	}
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("checkpoint %d: %w: %w", m.Step, err, job.ErrInvalid)
	}
	if d.Encoded, err = m.encode(); err != nil {
		return nil, err
	}
	d.Digest = blob.DigestOf(d.Encoded)
	return d, nil
}

// Write stores the parts, then the manifest, and reads each of them back. It may be
// repeated. It calls progress for each blob, from several goroutines. When it fails, it
// deletes what it has stored, unless ctx has ended.
//
// That deletion can remove parts of another writer of the same draft, which then still
// reports success. So the program that records a checkpoint must check that it is
// [Manifest.Whole].
func (d *Draft) Write(ctx context.Context, store blob.Store, progress func()) error {
	err := d.write(ctx, store, progress)
	if err == nil || ctx.Err() != nil {
		return err
	}
	tidy, cancel := context.WithTimeout(ctx, cleanupTimeout)
	defer cancel()
	return errors.Join(err, store.Delete(tidy, d.Digest), d.Manifest.Delete(tidy, store))
}

func (d *Draft) write(ctx context.Context, store blob.Store, progress func()) error {
	digests := d.Manifest.Parts()
	group, parts := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for i, p := range d.parts {
		group.Go(contained(func() error {
			data, err := p.encode(nil)
			if err == nil {
				err = put(parts, store, data, digests[i])
			}
			if err != nil {
				return fmt.Errorf("write %s: %w", p.place, err)
			}
			progress()
			return nil
		}))
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if err := put(ctx, store, d.Encoded, d.Digest); err != nil {
		return fmt.Errorf("write checkpoint %d of %s: %w", d.Manifest.Step, d.Manifest.Ref, err)
	}
	progress()
	return nil
}

// put stores data and reads it back. It fails with job.ErrCorrupt when the digest is not
// want.
func put(ctx context.Context, store blob.Store, data []byte, want job.Digest) error {
	got, err := store.Put(ctx, data)
	if err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("its bytes have changed to %s while it was written: %w", got, job.ErrCorrupt)
	}
	_, err = store.Get(ctx, want)
	return err
}

// contained returns f in a form for its own goroutine: it returns a panic as an error.
func contained(f func() error) func() error {
	return func() error { return lifecycle.Contain("checkpoint", f) }
}
