package checkpoint

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"tributary/shared/blob"
	"tributary/shared/job"
	"tributary/shared/ledger"
)

// Constants of a manifest: its first field, and its bounds.
const (
	magic      = "tributary-checkpoint"
	version    = 1
	maxVectors = 16      // parameters and optimizer state
	maxParts   = 1 << 16 // of one vector: 256 GiB
)

// Manifest lists the parts of a checkpoint, each by its digest. It is a blob too, in JSON,
// and small compared with its parts.
type Manifest struct {
	Magic   string `json:"magic"`
	Version int    `json:"version"`
	job.Ref
	Plan        job.Digest     `json:"plan"`
	Numerics    job.Numerics   `json:"numerics"`
	Step        int64          `json:"step"`   // steps folded into the vectors
	Params      int            `json:"params"` // P, the length of each vector
	Bytes       int64          `json:"bytes"`  // of all parts
	Chain       ledger.Chain   `json:"chain"`  // the log's up to Step
	Vectors     [][]job.Digest `json:"vectors"`
	Losses      []job.Digest   `json:"losses"`
	Marks       []job.Digest   `json:"marks,omitempty"` // empty when no step has a known mark
	Evaluations []job.Digest   `json:"evaluations"`
}

// Decode reads a manifest's bytes. It checks that the numbers of parts match the manifest's
// step and vectors. It fails with job.ErrCorrupt.
func Decode(data []byte) (*Manifest, error) {
	var m Manifest
	if err := json.Unmarshal(data, &m); err != nil {
		return nil, fmt.Errorf("decode checkpoint: %w: %w", err, job.ErrCorrupt)
	}
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("decode checkpoint: %w: %w", err, job.ErrCorrupt)
	}
	return &m, nil
}

func (m *Manifest) check() error {
	switch {
	case m.Magic != magic:
		return fmt.Errorf("it begins with %.40q, not %q", m.Magic, magic)
	case m.Version != version:
		return fmt.Errorf("it has version %d; this program reads version %d", m.Version, version)
	case m.Step < 1:
		return fmt.Errorf("it is of step %d, want 1 or more", m.Step)
	case m.Params < 0 || m.Params > maxParts*partLen:
		return fmt.Errorf("it has %d parameters", m.Params)
	case len(m.Vectors) < 1 || len(m.Vectors) > maxVectors:
		return fmt.Errorf("it has %d vectors, want 1 to %d", len(m.Vectors), maxVectors)
	case int64(len(m.Losses)) != (m.Step+lossesLen-1)/lossesLen:
		return fmt.Errorf("it has %d parts of losses for %d steps", len(m.Losses), m.Step)
	case len(m.Marks) > 0 && int64(len(m.Marks)) != (m.Step+marksLen-1)/marksLen:
		return fmt.Errorf("it has %d parts of marks for %d steps", len(m.Marks), m.Step)
	}
	if err := m.Job.Validate(); err != nil {
		return err
	}
	for i, parts := range m.Vectors {
		if want := (m.Params + partLen - 1) / partLen; len(parts) != want {
			return fmt.Errorf("vector %d has %d parts, want %d", i, len(parts), want)
		}
	}
	for _, digest := range m.Parts() {
		if !blob.IsDigest(digest) {
			return fmt.Errorf("part %.80q: this is not a digest", string(digest))
		}
	}
	return nil
}

// encode returns the manifest's bytes.
func (m *Manifest) encode() ([]byte, error) {
	data, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode checkpoint: %w", err)
	}
	return data, nil
}

// Parts lists the digests of all parts, in the order in which they are written.
func (m *Manifest) Parts() []job.Digest {
	var all []job.Digest
	for _, parts := range m.Vectors {
		all = append(all, parts...)
	}
	all = append(all, m.Losses...)
	all = append(all, m.Marks...)
	return append(all, m.Evaluations...)
}

// Of checks that the checkpoint belongs to the layout's job and plan and has its numbers of
// parameters and chunks. It fails with job.ErrCorrupt.
func (m *Manifest) Of(l ledger.Layout) error {
	if m.Ref != l.Ref || m.Plan != l.Plan || m.Params != l.Params || len(m.Chain) != l.Chunks() {
		return fmt.Errorf("checkpoint is of job %s, plan %s, %d parameters in %d chunks; want %s, %s, %d in %d: %w",
			m.Ref, m.Plan, m.Params, len(m.Chain), l.Ref, l.Plan, l.Params, l.Chunks(), job.ErrCorrupt)
	}
	return nil
}

// Open reads the manifest of a checkpoint.
func Open(ctx context.Context, store blob.Store, digest job.Digest) (*Manifest, error) {
	data, err := blob.Fetch(ctx, store, digest)
	if err != nil {
		return nil, fmt.Errorf("open checkpoint: %w", err)
	}
	return Decode(data)
}

// Whole checks that all parts of the checkpoint are in the store. It fails with
// job.ErrNotFound when one is missing. It does not read them.
func (m *Manifest) Whole(ctx context.Context, store blob.Store) error {
	for _, digest := range m.Parts() {
		has, err := store.Has(ctx, digest)
		if err != nil {
			return fmt.Errorf("check for a part of checkpoint %d: %w", m.Step, err)
		}
		if !has {
			return fmt.Errorf("part %s of checkpoint %d is missing: %w", digest, m.Step, job.ErrNotFound)
		}
	}
	return nil
}

// Delete removes the parts that a manifest lists.
func (m *Manifest) Delete(ctx context.Context, store blob.Store) error {
	var errs []error
	for _, digest := range m.Parts() {
		if err := store.Delete(ctx, digest); err != nil {
			errs = append(errs, fmt.Errorf("delete checkpoint %d: %w", m.Step, err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(errs...)
}

// Delete removes a checkpoint: first its parts, then its manifest, so that the caller can
// repeat a Delete that was interrupted. A missing blob is no error.
func Delete(ctx context.Context, store blob.Store, digest job.Digest) error {
	m, err := Open(ctx, store, digest)
	switch {
	case err == nil:
		if err := m.Delete(ctx, store); err != nil {
			return err
		}
	case errors.Is(err, job.ErrNotFound):
		return nil
	case !errors.Is(err, job.ErrCorrupt):
		return err
	}
	if err := store.Delete(ctx, digest); err != nil {
		return fmt.Errorf("delete checkpoint: %w", err)
	}
	return nil
}
