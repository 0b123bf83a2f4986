package checkpoint

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"tributary/shared/history"
	"tributary/shared/job"
	"tributary/shared/ledger"
)

// Target is what Restore writes a checkpoint to.
type Target interface {
	ledger.Restorer
	ledger.Results
}

// Gather reads the marks, evaluations and losses for a checkpoint of a snapshot of
// committed steps. It reads the losses last: a ledger that has lost the marks or
// evaluations meanwhile has lost losses too. Then Gather fails with job.ErrStale, and there
// is no checkpoint.
func Gather(ctx context.Context, l ledger.Source, lay ledger.Layout, snap ledger.Snapshot) (*State, error) {
	s := &State{Ref: lay.Ref, Snapshot: snap, Evaluations: map[string][]byte{}}
	h, err := history.Load(ctx, l, lay)
	if err != nil {
		return nil, fmt.Errorf("history for checkpoint %d: %w", snap.Step, err)
	}
	s.setMarks(h)
	units, err := l.Evaluations(ctx, lay, ledger.Concluded)
	if err != nil {
		return nil, fmt.Errorf("evaluations for checkpoint %d: %w", snap.Step, err)
	}
	for unit, data := range units {
		steps, _, _ := strings.Cut(unit, "/")
		if n, err := strconv.ParseInt(steps, 10, 64); err == nil && n < snap.Step {
			s.Evaluations[unit] = data
		}
	}
	progress, err := Losses(ctx, l, lay, 0, snap.Step)
	if err != nil {
		return nil, fmt.Errorf("losses for checkpoint %d: %w", snap.Step, err)
	}
	for i, p := range progress {
		if p.Step != int64(i) {
			break
		}
		s.Losses = append(s.Losses, p.Sums)
	}
	if n := int64(len(s.Losses)); n < snap.Step {
		return nil, fmt.Errorf("losses for checkpoint %d: the ledger has only those of %d steps: %w", snap.Step, n, job.ErrStale)
	}
	return s, nil
}

// Remember adds the marks of the steps from, from+1, … that the ledger does not have. It
// ignores marks of steps after the snapshot. It fails with job.ErrCorrupt when a mark
// differs from the known one.
func (s *State) Remember(from int64, marks []ledger.Mark) error {
	h := &history.History{}
	if err := errors.Join(h.Add(0, s.Marks), h.Add(from, marks)); err != nil {
		return fmt.Errorf("history for checkpoint %d: %w", s.Snapshot.Step, err)
	}
	s.setMarks(h)
	return nil
}

func (s *State) setMarks(h *history.History) {
	if s.Marks = nil; h.Known() > 0 {
		s.Marks = h.Marks(s.Snapshot.Step)
	}
}

// Restore writes a checkpoint to a ledger that has lost steps. It writes the snapshot last,
// which commits the steps, so the caller can repeat a Restore that was interrupted. Then it
// writes the data beside the snapshot once more: if the ledger lost that data in between,
// no other program would notice.
func Restore(ctx context.Context, l Target, lay ledger.Layout, s *State) error {
	if err := restoreBeside(ctx, l, lay, s); err != nil {
		return err
	}
	if err := l.Begin(ctx, lay, s.Snapshot); err != nil {
		return fmt.Errorf("restore snapshot %d: %w", s.Snapshot.Step, err)
	}
	return restoreBeside(ctx, l, lay, s)
}

// restoreBeside writes the evaluations, losses and marks, which are stored beside the
// snapshots and the log.
func restoreBeside(ctx context.Context, l ledger.Results, lay ledger.Layout, s *State) error {
	for _, unit := range slices.Sorted(maps.Keys(s.Evaluations)) {
		if _, err := l.PutEvaluation(ctx, lay, ledger.Concluded, unit, s.Evaluations[unit]); err != nil {
			return fmt.Errorf("restore evaluation %s: %w", unit, err)
		}
	}
	from := 0
	for page := range slices.Chunk(s.Losses, ledger.MaxResult/lossBytes) {
		unit := fmt.Sprintf("%d-%d", from, from+len(page))
		if _, err := l.PutEvaluation(ctx, lay, ledger.Earlier, unit, appendLosses(nil, page)); err != nil {
			return fmt.Errorf("restore losses %s: %w", unit, err)
		}
		from += len(page)
	}
	if _, err := history.Store(ctx, l, lay, 0, s.Marks); err != nil {
		return fmt.Errorf("restore history: %w", err)
	}
	return nil
}

// Losses reads the known losses of the steps from … to-1, in order. They include the steps
// before a restored snapshot, which the ledger's own Losses does not return.
func Losses(ctx context.Context, l ledger.Source, lay ledger.Layout, from, to int64) ([]ledger.Progress, error) {
	late, err := l.Losses(ctx, lay, from, to)
	if err != nil {
		return nil, err
	}
	base := to
	if len(late) > 0 {
		base = late[0].Step
	}
	if base <= from {
		return late, nil
	}
	early, err := earlier(ctx, l, lay, from, base)
	return append(early, late...), err
}

// earlier reads the losses of the steps from … to-1 from the pages that Restore wrote to
// the ledger. Pages of several restorations may overlap; they hold the same losses.
func earlier(ctx context.Context, l ledger.Results, lay ledger.Layout, from, to int64) ([]ledger.Progress, error) {
	pages, err := l.Evaluations(ctx, lay, ledger.Earlier)
	if err != nil {
		return nil, err
	}
	known := map[int64]ledger.Sums{}
	for unit, data := range pages {
		begin, _, _ := strings.Cut(unit, "-")
		step, err := strconv.ParseInt(begin, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("losses %.40q: %w: %w", unit, err, job.ErrCorrupt)
		}
		page, err := decodeLosses(nil, data)
		if err != nil {
			return nil, fmt.Errorf("losses %s: %w", unit, err)
		}
		for _, s := range page {
			if step >= from && step < to {
				known[step] = s
			}
			step++
		}
	}
	list := make([]ledger.Progress, 0, len(known))
	for step, s := range known {
		list = append(list, ledger.Progress{Step: step, Sums: s})
	}
	slices.SortFunc(list, func(a, b ledger.Progress) int { return cmp.Compare(a.Step, b.Step) })
	return list, nil
}
