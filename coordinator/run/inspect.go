package run

import (
	"context"
	"errors"

	"tributary/coordinator/round"
	"tributary/shared/job"
	"tributary/shared/tree"
)

// tick checks for lost and slow work and publishes progress events.
func (t *training) tick(ctx context.Context) error {
	now := t.service.now()
	if err := t.resume(ctx); err != nil {
		return err
	}
	if err := t.measure(ctx); err != nil {
		return err
	}
	if late := now-t.checkedAt > checkEvery; late || t.round.Phase() == round.Idle {
		t.hints.attempts = true
		if late { // a flood of messages may have hidden a change of the fleet
			if err := t.reshare(ctx); err != nil {
				return err
			}
			if err := t.checkEvaluations(ctx); err != nil {
				return err
			}
		}
		if err := t.checkLedger(ctx); err != nil {
			return err
		}
	}
	if err := t.feed(ctx, round.Tick{}); err != nil {
		return err
	}
	if t.round.Phase() == round.Waiting {
		t.waitForWorker(ctx)
	}
	if t.hints.attempts {
		if err := t.review(ctx); err != nil {
			return err
		}
	}
	if now-t.reportedAt >= reportEvery {
		return t.reportProgress(ctx)
	}
	return nil
}

// inspect answers the machine's Inspect with what the ledger holds.
func (t *training) inspect(ctx context.Context, steps int64) error {
	if !t.reachable(ctx) {
		return nil // resume publishes what is missing when the ledger can be written
	}
	if err := t.checkLedger(ctx); err != nil || t.round.Committed() != steps {
		return err
	}
	switch t.round.Phase() {
	case round.Evaluating:
		return t.feed(ctx, round.Missing{Steps: steps})
	case round.Stepping:
		arrived, err := t.service.cfg.Ledger.Arrived(ctx, t.layout, steps)
		if err != nil {
			return t.unreachable(ctx, err)
		}
		have := make(map[tree.Node]bool, len(arrived))
		for _, n := range arrived {
			have[n] = true
		}
		cover, missing := tree.Resolve(t.layout.Microbatch, func(n tree.Node) bool { return have[n] })
		if len(missing) == 0 {
			// Every result is there, but the worker that was to finish the step is gone.
			// A worker that computes a covering node again finishes the step.
			missing = cover[len(cover)-1:]
		}
		return t.feed(ctx, round.Missing{Steps: steps, Nodes: missing})
	default:
		return nil
	}
}

// checkLedger compares the ledger with the machine's state. It finds commits without a
// notice and steps that the ledger has lost.
func (t *training) checkLedger(ctx context.Context) error {
	t.checkedAt = t.service.now()
	state, err := t.service.cfg.Ledger.State(ctx, t.layout)
	if err != nil {
		return t.unreachable(ctx, err)
	}
	switch restored, err := t.restore(ctx, state.Committed); {
	case err != nil:
		return t.unreachable(ctx, err)
	case restored:
		if state, err = t.service.cfg.Ledger.State(ctx, t.layout); err != nil {
			return t.unreachable(ctx, err)
		}
	}
	switch known := t.round.Committed(); {
	case t.round.Phase() == round.Idle, state.Committed < known:
		if state.Committed < known {
			t.log.Warn().Int64("had", known).Int64("has", state.Committed).Msg("the ledger has lost steps; computing them again")
			t.losses.truncate(state.Committed)
			t.startGeneration()
		} else {
			t.losses.since = state.Committed
		}
		t.snapshot = state.Snapshot
		if err := t.monitorFrom(ctx, state.Committed); err != nil {
			return t.unreachable(ctx, err)
		}
		return t.feed(ctx, round.Resumed{Committed: state.Committed, Snapshot: state.Snapshot, Checkpoint: t.newest()})
	case state.Committed > known:
		if err := t.feed(ctx, round.Committed{Steps: state.Committed}); err != nil {
			return err
		}
	}
	if state.Snapshot == t.snapshot {
		return nil
	}
	t.snapshot = state.Snapshot
	return t.feed(ctx, round.Snapshotted{Steps: state.Snapshot})
}

// unreachable classifies an error of the ledger. It returns the error of a damaged
// ledger, which is final. It logs the error of an unreachable ledger and returns nil.
func (t *training) unreachable(ctx context.Context, err error) error {
	if final(err) && ctx.Err() == nil {
		return err
	}
	now := t.service.now()
	if errors.Is(err, job.ErrFull) {
		t.refusal.note(now, reasonOf(job.Sentence(err)))
	}
	if ctx.Err() == nil && (t.complained == 0 || now-t.complained > complainEvery) {
		t.complained = max(1, now)
		t.log.Warn().Err(err).Msg("read the ledger")
	}
	return nil
}
