package memory

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"

	"tributary/shared/job"
	"tributary/shared/ledger"
)

// PutSnapshot stores the snapshot if it is the newest, and trims the log.
func (l *Ledger) PutSnapshot(ctx context.Context, lay ledger.Layout, s ledger.Snapshot) error {
	return l.put(ctx, lay, s, false)
}

// Begin stores the snapshot and commits its steps.
func (l *Ledger) Begin(ctx context.Context, lay ledger.Layout, s ledger.Snapshot) error {
	return l.put(ctx, lay, s, true)
}

func (l *Ledger) put(ctx context.Context, lay ledger.Layout, s ledger.Snapshot, begins bool) error {
	t, err := l.write(ctx, lay, lay.CheckPutSnapshot(s))
	if err != nil {
		return err
	}
	defer l.mu.Unlock()
	if t.snapshot != nil && t.snapshot.Step > s.Step {
		return nil
	}
	if t.snapshot != nil && t.snapshot.Step == s.Step {
		return same(*t.snapshot, s)
	}
	if s.Step > t.committed && !begins {
		return ledger.NotCommitted(s.Step, t.committed)
	}
	if s.Step > t.committed && !t.hasEarlier(s.Step) {
		return ledger.NoLosses(s.Step)
	}
	t.begin(s)
	if s.Step > t.committed {
		t.committed, t.base, t.losses = s.Step, s.Step, nil
		t.advance()
	}
	return nil
}

// same returns an error when s differs from the stored snapshot of the same step.
func same(kept, s ledger.Snapshot) error {
	if !slices.Equal(kept.Chain, s.Chain) || !slices.EqualFunc(kept.Vectors, s.Vectors, sameBits) {
		return fmt.Errorf("put snapshot %d: it is stored with other bytes: %w", s.Step, job.ErrCorrupt)
	}
	return nil
}

// begin stores a copy of the snapshot. The log starts with it from now on.
func (t *training) begin(s ledger.Snapshot) {
	kept := ledger.Snapshot{Step: s.Step, Chain: s.Chain}
	for _, v := range s.Vectors {
		kept.Vectors = append(kept.Vectors, slices.Clone(v))
	}
	t.snapshot, t.floor = &kept, s.Step
	maps.DeleteFunc(t.steps, func(n int64, _ *step) bool { return n < s.Step })
}

// CommitBatch stores the snapshot in place of the steps' roots.
func (l *Ledger) CommitBatch(ctx context.Context, lay ledger.Layout, b ledger.BatchCommit) error {
	t, err := l.write(ctx, lay, lay.CheckBatch(b))
	if err != nil {
		return err
	}
	defer l.mu.Unlock()
	s := b.Snapshot
	if t.snapshot != nil && t.snapshot.Step == s.Step {
		return same(*t.snapshot, s)
	}
	lost := func(unit string) bool { return t.evaluations[ledger.History][unit] == nil }
	if t.committed != b.From || slices.ContainsFunc(b.Marks, lost) {
		return ledger.NotNext(b.From, s.Step, t.committed)
	}
	t.begin(s)
	t.committed, t.losses = s.Step, append(t.losses, b.Sums...)
	t.advance()
	return nil
}

// hasEarlier reports whether the losses of all steps before step are stored as units of
// ledger.Earlier.
func (t *training) hasEarlier(step int64) bool {
	for unit := range t.evaluations[ledger.Earlier] {
		if ledger.EndsEarlier(unit, step) {
			return true
		}
	}
	return false
}

// Snapshot copies the newest snapshot.
func (l *Ledger) Snapshot(ctx context.Context, lay ledger.Layout, vectors [][]float32) (int64, ledger.Chain, error) {
	t, err := l.read(ctx, lay, lay.CheckSnapshot(0, vectors))
	if err != nil {
		return 0, nil, err
	}
	defer l.mu.Unlock()
	if t.snapshot == nil {
		return 0, nil, fmt.Errorf("read snapshot of %s: %w", lay.Ref, job.ErrNotFound)
	}
	if len(vectors) != len(t.snapshot.Vectors) {
		return 0, nil, fmt.Errorf("read snapshot %d: it has %d vectors, %d expected: %w",
			t.snapshot.Step, len(t.snapshot.Vectors), len(vectors), job.ErrCorrupt)
	}
	for i, v := range t.snapshot.Vectors {
		copy(vectors[i], v)
	}
	return t.snapshot.Step, t.snapshot.Chain, nil
}

// PutEvaluation stores the result of a unit.
func (l *Ledger) PutEvaluation(ctx context.Context, lay ledger.Layout, n int64, unit string, result []byte) (int, error) {
	t, err := l.write(ctx, lay, lay.CheckUnit(n, unit, result))
	if err != nil {
		return 0, err
	}
	defer l.mu.Unlock()
	units, ok := t.evaluations[n]
	if !ok {
		units = map[string][]byte{}
		t.evaluations[n] = units
	}
	if was, ok := units[unit]; ok && !bytes.Equal(was, result) {
		return 0, fmt.Errorf("put evaluation %s of step %d: it is stored with another result: %w", unit, n, job.ErrCorrupt)
	}
	units[unit] = append([]byte{}, result...)
	return len(units), nil
}

// Evaluations copies the units of the step.
func (l *Ledger) Evaluations(ctx context.Context, lay ledger.Layout, n int64) (map[string][]byte, error) {
	t, err := l.read(ctx, lay, lay.CheckStep(n))
	if err != nil {
		return nil, err
	}
	defer l.mu.Unlock()
	units := make(map[string][]byte, len(t.evaluations[n]))
	for unit, result := range t.evaluations[n] {
		units[unit] = append([]byte{}, result...)
	}
	return units, nil
}

// DropEvaluations removes the units of the step.
func (l *Ledger) DropEvaluations(ctx context.Context, lay ledger.Layout, n int64) error {
	t, err := l.write(ctx, lay, lay.CheckStep(n))
	if err != nil {
		return err
	}
	defer l.mu.Unlock()
	delete(t.evaluations, n)
	return nil
}
