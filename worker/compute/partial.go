package compute

import (
	"context"
	"errors"
	"fmt"

	"tributary/shared/ledger"
	"tributary/shared/tree"
	"tributary/worker/course"
)

// errContended means that another task of this worker folded the step before
// speculatively, so the ledger may lack it.
var errContended = errors.New("the step before is not confirmed")

// check reads how many steps the ledger has.
func (st *stepper) check(ctx context.Context, step int64) (course.Event, error) {
	state, err := st.ledger.State(ctx, st.p.layout)
	if err != nil {
		return course.Event{}, fmt.Errorf("check whether step %d is the next: %w", step, err)
	}
	st.p.progress.correct(state.Committed)
	return course.Event{Is: course.Checked, Committed: state.Committed}, nil
}

// compute computes the node's partial of one step. It never overwrites the vector that an
// append in flight reads.
func (st *stepper) compute(ctx context.Context, step int64, speculative bool) (course.Event, error) {
	st.partial = ledger.Partial{Gradient: st.s.result(st.p.layout.Params, st.appending != nil)}
	err := st.view(ctx, st.p, st.t.At(step), st.h.Progress, func(params []float32, before ledger.Chain) (err error) {
		if before == nil && !speculative {
			return errContended
		}
		if st.chain = before; before == nil && st.appending == nil {
			st.chain = st.batch.chain
		}
		st.endPhase(Folding)
		st.p.engine.Prefetch(ctx, step)
		st.partial.Sums, err = st.p.engine.Node(ctx, st.partial.Gradient, st.s.Scratch, params, step, st.t.Node, st.h.Progress)
		return err
	})
	if errors.Is(err, errContended) {
		return course.Event{Is: course.Contended}, nil
	}
	if err != nil {
		return course.Event{}, err
	}
	st.endPhase(Computing)
	if st.t.Node == tree.Root {
		st.root, st.chunks = st.partial, st.p.layout.AllChunks()
	}
	return done, nil
}

// appendedChunks is the chunks of a step's root that this worker appended itself, and so
// need not read from the log.
type appendedChunks struct {
	step   int64
	root   []float32 // [P]; only chunks holds valid values of the root
	chunks []int
	after  ledger.Chain // the log's chain past the step, valid for chunks
}

// complete folds a committed step whose root this worker appended in part. It reads only
// the other chunks from the log. If that fails, the replica later reads the whole root
// from the log as usual.
func (st *stepper) complete(ctx context.Context, step int64) {
	own := st.appended
	if st.appended = nil; own == nil || own.step != step {
		return
	}
	if err := st.p.replica.Complete(ctx, st.s.Team(), st.ledger, own.step, own.root, own.chunks, own.after); err != nil {
		st.log.Debug().Err(err).Msg("complete a root from the log")
	}
}
