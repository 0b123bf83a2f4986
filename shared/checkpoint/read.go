package checkpoint

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"

	"golang.org/x/sync/errgroup"

	"tributary/shared/blob"
	"tributary/shared/history"
	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/wire"
)

// Read reads everything that a manifest lists. It fails with job.ErrNotFound when a part is
// missing, and with job.ErrCorrupt when a part is damaged or belongs elsewhere.
func (m *Manifest) Read(ctx context.Context, store blob.Store) (*State, error) {
	s := &State{
		Ref: m.Ref, Plan: m.Plan, Numerics: m.Numerics,
		Snapshot: ledger.Snapshot{Step: m.Step, Chain: m.Chain}, Evaluations: map[string][]byte{},
	}
	for i := range m.Vectors {
		v, err := m.Vector(ctx, store, i)
		if err != nil {
			return nil, err
		}
		s.Snapshot.Vectors = append(s.Snapshot.Vectors, v)
	}
	for n, digest := range m.Losses {
		content, err := m.part(ctx, store, digest, 'l', 0, n)
		if err != nil {
			return nil, err
		}
		if s.Losses, err = decodeLosses(s.Losses, content); err != nil {
			return nil, err
		}
	}
	var err error
	if int64(len(s.Losses)) != m.Step {
		return nil, fmt.Errorf("checkpoint %d has the losses of %d steps: %w", m.Step, len(s.Losses), job.ErrCorrupt)
	}
	if s.Marks, err = m.History(ctx, store); err != nil {
		return nil, err
	}
	for n, digest := range m.Evaluations {
		content, err := m.part(ctx, store, digest, 'e', 0, n)
		if err != nil {
			return nil, err
		}
		var units map[string][]byte
		if err := json.Unmarshal(content, &units); err != nil {
			return nil, fmt.Errorf("evaluations of checkpoint %d: %w: %w", m.Step, err, job.ErrCorrupt)
		}
		maps.Copy(s.Evaluations, units)
	}
	return s, nil
}

// History reads the marks of the steps before the checkpoint; it returns none when the
// checkpoint has none.
func (m *Manifest) History(ctx context.Context, store blob.Store) ([]ledger.Mark, error) {
	var marks []ledger.Mark
	for n, digest := range m.Marks {
		content, err := m.part(ctx, store, digest, 'm', 0, n)
		if err != nil {
			return nil, err
		}
		page, err := history.DecodeMarks(content)
		if err != nil {
			return nil, fmt.Errorf("checkpoint %d: %w", m.Step, err)
		}
		marks = append(marks, page...)
	}
	if n := int64(len(marks)); n != 0 && n != m.Step {
		return nil, fmt.Errorf("checkpoint %d has the marks of %d steps: %w", m.Step, n, job.ErrCorrupt)
	}
	return marks, nil
}

// Vector reads one vector [Params]; number 0 is the parameters.
func (m *Manifest) Vector(ctx context.Context, store blob.Store, i int) ([]float32, error) {
	v := make([]float32, m.Params)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for n, digest := range m.Vectors[i] {
		floats := v[n*partLen : min(m.Params, (n+1)*partLen)]
		group.Go(contained(func() error {
			content, err := m.part(ctx, store, digest, 'v', i, n)
			if err != nil {
				return err
			}
			if len(content) != 4*len(floats) {
				return fmt.Errorf("part %d of vector %d of checkpoint %d has %d bytes, want %d: %w", n, i, m.Step, len(content), 4*len(floats), job.ErrCorrupt)
			}
			wire.Floats(floats, content)
			return nil
		}))
	}
	return v, group.Wait()
}

// part reads a part and returns its content.
func (m *Manifest) part(ctx context.Context, store blob.Store, digest job.Digest, kind byte, vector, number int) ([]byte, error) {
	p := place{Ref: m.Ref, kind: kind, step: m.Step, vector: vector, number: number}
	data, err := blob.Fetch(ctx, store, digest)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", p, err)
	}
	return p.content(data)
}

// Verify reads a whole checkpoint, checks it and discards the content.
func Verify(ctx context.Context, store blob.Store, digest job.Digest) error {
	m, err := Open(ctx, store, digest)
	if err != nil {
		return err
	}
	_, err = m.Read(ctx, store)
	return err
}
