package verify

import (
	"context"
	"errors"
	"fmt"

	"tributary/shared/history"
	"tributary/shared/job"
	"tributary/shared/ledger"
)

// trims is how many times the log may be trimmed while follow reads it.
const trims = 5

// follow reads the history from the pages beside the ledger. It reads the marks of the
// steps since the newest snapshot from the log.
func (s *Subject) follow(ctx context.Context) error {
	var err error
	for range trims {
		if err = s.followOnce(ctx); !errors.Is(err, job.ErrStale) {
			return err
		}
	}
	return err
}

func (s *Subject) followOnce(ctx context.Context) error {
	h, err := history.Load(ctx, s.Ledger, s.Layout)
	if err != nil {
		return err
	}
	state, err := s.Ledger.State(ctx, s.Layout)
	if err != nil {
		return err
	}
	step, chain := int64(0), s.Layout.Genesis()
	if state.Snapshot > 0 {
		snap, err := s.snapshot(ctx)
		if err != nil {
			return err
		}
		step, chain = snap.Step, snap.Chain
		s.Starts = append(withoutSnapshots(s.Starts), s.start(step))
	}
	s.Committed, s.Floor, s.History, s.Log = state.Committed, state.Floor, h, &history.History{}
	root := make([]float32, s.Layout.Params)
	for ; step < state.Committed; step++ {
		_, after, err := s.Ledger.Root(ctx, s.Layout, ledger.LogRead{Step: step, Chunks: s.Layout.AllChunks(), Dst: root, Before: chain})
		switch {
		case errors.Is(err, job.ErrCorrupt):
			s.Broken, s.BrokenAt = err, step
			return nil
		case err != nil:
			return fmt.Errorf("follow the log: %w", err)
		}
		if err := s.Log.Add(step, []ledger.Mark{after.Mark()}); err != nil {
			return err
		}
		chain = after
	}
	return nil
}

const snapshotName = "the ledger's snapshot"

func withoutSnapshots(starts []Start) []Start {
	var rest []Start
	for _, s := range starts {
		if s.Name != snapshotName {
			rest = append(rest, s)
		}
	}
	return rest
}

// start returns the ledger's snapshot after that many steps as a Start.
func (s *Subject) start(step int64) Start {
	return Start{Step: step, Name: snapshotName, Read: func(ctx context.Context) (ledger.Snapshot, error) {
		snap, err := s.snapshot(ctx)
		if err == nil && snap.Step != step {
			err = fmt.Errorf("it is now after step %d, not %d: %w", snap.Step, step, job.ErrStale)
		}
		return snap, err
	}}
}

// snapshot reads the newest snapshot, which may be newer at each call.
func (s *Subject) snapshot(ctx context.Context) (ledger.Snapshot, error) {
	snap := ledger.Snapshot{Vectors: make([][]float32, s.Layout.Vectors(s.Engine.Vectors()))}
	for i := range snap.Vectors {
		snap.Vectors[i] = make([]float32, s.Layout.Params)
	}
	var err error
	snap.Step, snap.Chain, err = s.Ledger.Snapshot(ctx, s.Layout, snap.Vectors)
	return snap, err
}
