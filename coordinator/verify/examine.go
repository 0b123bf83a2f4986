package verify

import (
	"context"
	"errors"
	"fmt"

	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/numeric/isa"
	"tributary/shared/tree"
)

// differing narrows down a step whose mark differs from the recorded mark.
func (x *verification) differing(ctx context.Context, mark ledger.Mark, logged bool) error {
	t := x.w.Step
	d := &job.Difference{What: "root", Step: t, Recorded: mark.String(), Recomputed: x.w.After.Mark().String(), Wrong: job.WrongUnknown}
	e := &evidence{node: tree.Root, root: x.w.Root, sums: x.w.Sums}
	e.explains = func(root []float32, sums ledger.Sums) bool {
		after, err := x.w.Follow(root, sums)
		return err == nil && after.Mark() == mark
	}
	has := "mark " + mark.String()
	if logged {
		if err := x.readRoot(ctx, e); err != nil {
			return err
		}
	}
	if e.recorded != nil {
		has = "another root gradient"
		x.place(d, e)
	}
	where := fmt.Sprintf("step %d", t)
	if x.unknown >= 0 {
		where = fmt.Sprintf("step %d, or a step since step %d (their marks are not known),", t, x.unknown)
	}
	return x.conclude(ctx, d, e, where, has)
}

// readRoot reads the root of the step from the log, if the log still holds it.
func (x *verification) readRoot(ctx context.Context, e *evidence) error {
	if x.s.Ledger == nil || x.w.Step < x.s.Floor {
		return nil
	}
	root := make([]float32, len(x.w.Root))
	sums, _, err := x.s.Ledger.Root(ctx, x.s.Layout, ledger.LogRead{Step: x.w.Step, Chunks: x.s.Layout.AllChunks(), Dst: root, Before: x.w.Chain})
	switch {
	case err == nil:
		e.recorded, e.recordedSums = root, sums
	case ctx.Err() != nil:
		return err
	default:
		x.v.Notes = append(x.v.Notes, "the log's entry cannot be read: "+job.Sentence(err))
	}
	return nil
}

// place sets the first place that differs.
func (x *verification) place(d *job.Difference, e *evidence) {
	n, first := unequal(e.recorded, e.root)
	d.Elements = n
	if n == 0 {
		d.Recorded, d.Recomputed = sumsText(e.recordedSums), sumsText(e.sums)
		return
	}
	chunk := first / x.s.Layout.ChunkLen
	d.Chunk, d.Element = &chunk, &first
	d.Recorded, d.Recomputed = float(e.recorded[first]), float(e.root[first])
}

func sumsText(s ledger.Sums) string {
	return fmt.Sprintf("%d terms (or units of their weights) of loss %v", s.Examples, s.Loss)
}

// conclude finds which micro-batch and which side is wrong, as far as possible, and
// returns the complete difference.
func (x *verification) conclude(ctx context.Context, d *job.Difference, e *evidence, where, has string) error {
	leaf, why, err := x.suspect(ctx, e)
	if err != nil {
		return err
	}
	agree, second, err := x.ask(ctx, e)
	if err != nil {
		return err
	}
	switch {
	case second == nil:
		why = append(why, "there is no second arithmetic on this machine to compare with")
	case agree:
		d.Wrong = job.WrongRecord
		why = append(why, fmt.Sprintf("the %s and %s kernels of this machine agree with each other", isa.Chosen(), second.Set))
	default:
		if leaf < 0 {
			leaf = second.leaf
		}
		text := fmt.Sprintf("the %s and %s kernels of this machine differ at micro-batch %d", isa.Chosen(), second.Set, second.leaf)
		if second.explains {
			d.Wrong = job.WrongMachine
			text += ", and the latter compute what was recorded"
		}
		why = append(why, text)
	}
	if leaf >= 0 {
		d.Microbatch = &leaf
		where += fmt.Sprintf(", micro-batch %d", leaf)
	}
	at := ""
	if d.Element != nil {
		at = fmt.Sprintf("; chunk %d, element %d: %s has %s, recomputed %s (%d elements differ)", *d.Chunk, *d.Element, e.holder(), d.Recorded, d.Recomputed, d.Elements)
	} else {
		at = fmt.Sprintf("; recorded %s, recomputed %s", d.Recorded, d.Recomputed)
	}
	d.Message = fmt.Sprintf("%s: the record has %s%s", where, has, at)
	for _, w := range why {
		d.Message += "; " + w
	}
	return differs{d}
}

// partials compares the partials of the running step that have arrived.
func (x *verification) partials(ctx context.Context) error {
	if !x.s.Running || x.s.Ledger == nil || x.s.Committed >= x.s.Engine.Plan.Steps() {
		return nil
	}
	t := x.s.Committed
	nodes, err := x.s.Ledger.Arrived(ctx, x.s.Layout, t)
	if err != nil {
		return passed(ctx, err)
	}
	for _, node := range nodes {
		e := &evidence{node: node, partial: true, recorded: make([]float32, x.s.Layout.Params), root: make([]float32, x.s.Layout.Params)}
		e.recordedSums, err = x.s.Ledger.Partial(ctx, x.s.Layout, ledger.PartialRead{Step: t, Node: node, Chunks: x.s.Layout.AllChunks(), Dst: e.recorded})
		if err != nil {
			return passed(ctx, err)
		}
		if e.sums, err = x.node(ctx, e.root, node, x.w.Params()); err != nil {
			return err
		}
		x.v.Partials++
		if n, _ := unequal(e.recorded, e.root); n == 0 && e.recordedSums == e.sums {
			continue
		}
		e.explains = func(v []float32, s ledger.Sums) bool {
			n, _ := unequal(v, e.recorded)
			return n == 0 && s == e.recordedSums
		}
		d := &job.Difference{What: "partial", Step: t, Node: uint64(node), Wrong: job.WrongUnknown}
		x.place(d, e)
		return x.conclude(ctx, d, e, fmt.Sprintf("step %d, node %d", t, node), "another partial")
	}
	return nil
}

// passed returns nil if the step was committed during the check, so that its partials are
// gone. It returns the error of a ledger that fails.
func passed(ctx context.Context, err error) error {
	if ctx.Err() == nil && (errors.Is(err, job.ErrNotFound) || errors.Is(err, job.ErrStale) || errors.Is(err, job.ErrInvalid)) {
		return nil
	}
	return err
}
