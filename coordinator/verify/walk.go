package verify

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"tributary/shared/history"
	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/registry"
	"tributary/shared/serial"
)

// Verifier verifies subjects.
type Verifier struct {
	// Progress, if set, periodically receives the current state.
	Progress func(job.Verification)
	// Second computes a step's micro-batches with other kernels; nil if there are none.
	Second Second
}

// progressEvery is the interval of progress calls.
const progressEvery = 500 * time.Millisecond

// verification is the state of one running verification.
type verification struct {
	*Verifier
	s          *Subject
	w          *serial.Walk
	v          job.Verification
	before     []float32 // parameters one step earlier, to find a stale worker; nil at a start
	unknown    int64     // first step without a mark since the last one that agreed; -1: none
	began      time.Time
	reportedAt time.Time
}

// Verify recomputes the requested steps. An error means that Verify could not find out
// whether they are right. A wrong step is part of the result and not an error.
func (f *Verifier) Verify(ctx context.Context, s *Subject, r Request) (job.Verification, error) {
	x := &verification{Verifier: f, s: s, unknown: -1, began: time.Now()}
	x.reportedAt = x.began
	x.v = job.Verification{ID: s.ID, State: job.Verifying, Committed: s.Committed, Notes: slices.Clone(s.Notes)}
	steps, err := r.choose(s.Committed)
	if err == nil {
		if x.v.Asked = int64(len(steps)); r.Sample > 0 {
			x.v.Sample = steps
		}
		err = x.run(ctx, steps)
	}
	var d differs
	switch {
	case errors.As(err, &d):
		x.v.State, x.v.Difference, err = job.Differs, d.Difference, nil
	case err != nil:
		x.v.State, x.v.Error = job.Unknown, job.Sentence(err)
	default:
		x.v.State = job.Verified
	}
	x.v.Seconds = time.Since(x.began).Seconds()
	return x.v, err
}

// differs is an error that carries a difference up to Verify.
type differs struct{ *job.Difference }

func (d differs) Error() string { return d.Message }

// run verifies the given steps, or all steps if none are given.
func (x *verification) run(ctx context.Context, steps []int64) error {
	x.w = serial.NewWalk(x.s.Engine)
	if len(steps) == 0 {
		x.v.Asked = x.s.Committed
		if err := x.to(ctx, x.s.Committed); err != nil {
			return err
		}
		if err := x.checkCompared(); err != nil {
			return err
		}
		return x.partials(ctx)
	}
	for _, step := range steps {
		if err := x.jumpNear(ctx, step); err != nil {
			return err
		}
		if err := x.to(ctx, step+1); err != nil {
			return err
		}
		if err := x.checkCompared(); err != nil {
			return err
		}
	}
	return nil
}

// checkCompared fails if there was nothing to compare the newest step with.
func (x *verification) checkCompared() error {
	if x.unknown < 0 {
		return nil
	}
	return fmt.Errorf("steps %d to %d were computed again, but there is no mark to compare them with: %w", x.unknown, x.w.Step-1, job.ErrNotFound)
}

// jumpNear jumps to the last start at or before step, if that start is ahead of the walk.
func (x *verification) jumpNear(ctx context.Context, step int64) error {
	for _, s := range slices.Backward(x.s.Starts) {
		if x.w.Monitor != nil {
			return nil // a jump would miss evaluations that the later steps depend on
		}
		if s.Step > step {
			continue
		}
		if s.Step <= x.w.Step {
			return nil
		}
		snap, err := s.Read(ctx)
		if err == nil {
			err = x.w.Jump(snap)
		}
		switch {
		case ctx.Err() != nil:
			return err
		case err != nil:
			x.passOver(s, err)
			continue
		}
		x.before = nil
		return x.compare(s.Step-1, s.Name, snap.Chain)
	}
	return nil
}

func (x *verification) passOver(s Start, err error) {
	note := fmt.Sprintf("%s cannot be read and is skipped: %s", s.Name, job.Sentence(err))
	if !slices.Contains(x.v.Notes, note) {
		x.v.Notes = append(x.v.Notes, note)
	}
}

// to computes and compares until that many steps are folded.
func (x *verification) to(ctx context.Context, steps int64) error {
	for x.w.Step < steps {
		if ended, err := x.w.Ended(ctx); err != nil {
			return err
		} else if ended {
			return x.differentEnd()
		}
		if err := x.w.Compute(ctx); err != nil {
			return err
		}
		x.v.Computed++
		if err := x.step(ctx); err != nil {
			return err
		}
		x.before = append(x.before[:0], x.w.Params()...)
		x.w.Fold()
		if err := x.compareStarts(ctx); err != nil {
			return err
		}
		x.reportProgress()
	}
	if x.s.Running && x.w.Step < x.s.Engine.Plan.Steps() || x.w.Step < x.s.Committed {
		return nil
	}
	switch ended, err := x.w.Ended(ctx); {
	case err != nil:
		return err
	case ended, x.s.Engine.Plan.Spec.Stop != nil && x.s.Final != "": // the time of a job ends at any step
		return x.end(ctx)
	case x.s.Final != "" && x.w.Monitor != nil:
		return x.differentEnd()
	}
	return nil
}

// differentEnd returns the difference that the job was recorded to end after another number
// of steps.
func (x *verification) differentEnd() error {
	return differs{&job.Difference{
		What: "end", Step: x.w.Step, Recorded: fmt.Sprint(x.s.Committed), Recomputed: fmt.Sprint(x.w.Step), Wrong: job.WrongRecord,
		Message: fmt.Sprintf("the record has %d steps; by the evaluations that were made again, the job does not end there but at or after step %d", x.s.Committed, x.w.Step),
	}}
}

// step compares the computed step that is not folded yet.
func (x *verification) step(ctx context.Context) error {
	t, got, known := x.w.Step, x.w.After.Mark(), false
	for _, h := range []*history.History{x.s.Log, x.s.History} {
		if h == nil {
			continue
		}
		mark, ok := h.At(t)
		if ok && mark != got {
			return x.differing(ctx, mark, h == x.s.Log)
		}
		known = known || ok
	}
	switch {
	case x.s.Broken != nil && t == x.s.BrokenAt:
		return differs{&job.Difference{
			What: "log", Step: t, Recorded: "an entry that does not continue the chain", Recomputed: got.String(), Wrong: job.WrongRecord,
			Message: fmt.Sprintf("step %d: the log cannot be followed: %s; computed again, the step is marked %s", t, job.Sentence(x.s.Broken), got),
		}}
	case known:
		x.v.Compared, x.unknown = x.v.Compared+1, -1
	case x.unknown < 0:
		x.unknown = t
	}
	return nil
}

// compare compares a chain after step with the history; whose names the holder of the
// chain.
func (x *verification) compare(step int64, whose string, chain ledger.Chain) error {
	mark, ok := x.s.History.At(step)
	if !ok || mark == chain.Mark() {
		return nil
	}
	return differs{&job.Difference{
		What: "checkpoint", Step: step, Recorded: mark.String(), Recomputed: chain.Mark().String(), Wrong: job.WrongUnknown,
		Message: fmt.Sprintf("step %d: %s has the mark %s, the history has %s: they belong to two histories", step, whose, chain.Mark(), mark),
	}}
}

// compareStarts compares the state with each start at this step.
func (x *verification) compareStarts(ctx context.Context) error {
	for _, s := range x.s.Starts {
		if s.Step != x.w.Step {
			continue
		}
		snap, err := s.Read(ctx)
		if ctx.Err() != nil {
			return err
		}
		if err == nil && len(snap.Vectors) != len(x.w.Vectors) {
			err = fmt.Errorf("it has %d vectors, want %d", len(snap.Vectors), len(x.w.Vectors))
		}
		if err != nil {
			x.passOver(s, err)
			continue
		}
		if err := x.compare(s.Step-1, s.Name, snap.Chain); err != nil {
			return err
		}
		for i, v := range snap.Vectors {
			n, first := unequal(v, x.w.Vectors[i])
			if n == 0 {
				continue
			}
			return differs{&job.Difference{
				What: "checkpoint", Step: s.Step - 1, Element: &first, Elements: n,
				Recorded: float(v[first]), Recomputed: float(x.w.Vectors[i][first]), Wrong: job.WrongRecord,
				Message: fmt.Sprintf("%s: vector %d, element %d: it has %s, recomputed %s (%d elements differ); the steps before it are as recorded, so its content was changed",
					s.Name, i, first, float(v[first]), float(x.w.Vectors[i][first]), n),
			}}
		}
		x.unknown = -1 // every step before it leads to the same state
	}
	return nil
}

// end compares the parameters after the last step.
func (x *verification) end(ctx context.Context) error {
	x.v.ParametersSHA256 = registry.ParametersDigest(x.w.Model())
	last := x.w.Step - 1
	if got := x.v.ParametersSHA256; x.s.Final != "" && got != x.s.Final {
		return differs{&job.Difference{
			What: "parameters", Step: last, Recorded: string(x.s.Final), Recomputed: string(got), Wrong: job.WrongRecord,
			Message: fmt.Sprintf("parameters_sha256 after step %d: recorded %s, recomputed %s%s", last, x.s.Final, got, x.earlierSteps()),
		}}
	}
	if x.s.Final != "" {
		x.unknown = -1 // every step before it leads to the same parameters
	}
	if x.s.Saved == nil {
		return nil
	}
	switch err := x.s.Saved(ctx); {
	case errors.Is(err, job.ErrCorrupt):
		return differs{&job.Difference{
			What: "parameters", Step: last, Recorded: "a file that is damaged", Recomputed: string(x.v.ParametersSHA256), Wrong: job.WrongRecord,
			Message: fmt.Sprintf("the saved model: %s; recomputed %s", job.Sentence(err), x.v.ParametersSHA256),
		}}
	case errors.Is(err, job.ErrNotFound):
		x.v.Notes = append(x.v.Notes, "there are no saved parameters to compare with: "+job.Sentence(err))
		return nil
	default:
		return err
	}
}

// earlierSteps describes the earlier steps when the final parameters differ.
func (x *verification) earlierSteps() string {
	if x.unknown >= 0 {
		return fmt.Sprintf("; there are no marks from step %d on to compare with", x.unknown)
	}
	return "; every step before is as recorded, so the parameters were changed afterwards"
}

func (x *verification) reportProgress() {
	if x.Progress == nil || time.Since(x.reportedAt) < progressEvery {
		return
	}
	x.reportedAt = time.Now()
	v := x.v
	v.Notes, v.Seconds = slices.Clone(v.Notes), time.Since(x.began).Seconds()
	x.Progress(v)
}

// unequal returns the number of elements whose bits differ, and the first of them.
func unequal(a, b []float32) (n, first int) {
	first = -1
	for i := range a {
		if math.Float32bits(a[i]) != math.Float32bits(b[i]) {
			if n++; first < 0 {
				first = i
			}
		}
	}
	return n, first
}

// float formats a number with its bits, because JSON cannot represent all values.
func float(x float32) string { return fmt.Sprintf("%v (%08x)", x, math.Float32bits(x)) }
