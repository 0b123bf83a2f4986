package verify

import (
	"context"
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"tributary/shared/blob"
	"tributary/shared/gradient"
	"tributary/shared/gradient/gradienttest"
	"tributary/shared/history"
	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/ledger/memory"
	"tributary/shared/registry"
	"tributary/shared/serial"
	"tributary/shared/wire"
)

// TestMain is also the other process that gives a second opinion.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == RecomputeName {
		if err := Recompute(context.Background(), os.Stdin, os.Stdout); err != nil {
			panic(err)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

var ref = job.Ref{Job: "j", Run: "r"}

// past is a job that a fleet has computed, rightly or wrongly, with its whole log.
type past struct {
	t      require.TestingT
	e      *gradient.Engine
	store  blob.Store
	layout ledger.Layout
	ledger *memory.Ledger
	log    []ledger.Partial  // roots by step
	folds  []ledger.Snapshot // folds[n] is the state after n steps
	marks  []ledger.Mark
}

// fault changes the computation of a micro-batch; before is the parameters one step
// earlier.
type fault func(p *past, step int64, i int, leaves []leaf, before []float32)

// play computes that many steps like a fleet with the fault.
func play(t require.TestingT, j gradienttest.Job, steps int64, f fault) *past {
	e, store := j.Engine(t)
	p := &past{t: t, e: e, store: store, layout: e.Layout(ref), ledger: memory.New()}
	x := &verification{s: &Subject{Engine: e, Layout: p.layout}, w: serial.NewWalk(e)}
	p.folds = append(p.folds, snapshotOf(x.w))
	var before []float32
	for x.w.Step < steps {
		leaves, err := x.leaves(context.Background(), 1, x.w.Params())
		require.NoError(t, err)
		for i := range leaves {
			if f != nil {
				f(p, x.w.Step, i, leaves, before)
			}
		}
		root, sums := total(leaves)
		p.take(x.w, root, sums)
		before = p.folds[x.w.Step-1].Vectors[0]
	}
	return p
}

// take commits and folds a root.
func (p *past) take(w *serial.Walk, root []float32, sums ledger.Sums) {
	copy(w.Root, root)
	var err error
	w.Sums = sums
	w.After, err = w.Follow(root, sums)
	require.NoError(p.t, err)
	_, after, err := p.ledger.Append(context.Background(), p.layout, ledger.LogWrite{Step: w.Step, Chunks: p.layout.AllChunks(), Root: ledger.Partial{Gradient: root, Sums: sums}, Before: w.Chain})
	require.NoError(p.t, err)
	require.Equal(p.t, w.After, after)
	w.Fold()
	p.log = append(p.log, ledger.Partial{Gradient: slices.Clone(root), Sums: sums})
	p.folds = append(p.folds, snapshotOf(w))
	p.marks = append(p.marks, after.Mark())
}

func snapshotOf(w *serial.Walk) ledger.Snapshot {
	s := ledger.Snapshot{Step: w.Step, Chain: w.Chain}
	for _, v := range w.Vectors {
		s.Vectors = append(s.Vectors, slices.Clone(v))
	}
	return s
}

// snapshot stores the snapshot after that many steps, as a worker does.
func (p *past) snapshot(step int64) {
	_, err := history.Store(context.Background(), p.ledger, p.layout, 0, p.marks[:step])
	require.NoError(p.t, err)
	require.NoError(p.t, p.ledger.PutSnapshot(context.Background(), p.layout, p.folds[step]))
}

// running returns the job while its ledger exists.
func (p *past) running() *Subject {
	s := &Subject{ID: "j", Engine: p.e, Layout: p.layout, Store: p.store, Ledger: p.ledger, Running: true}
	require.NoError(p.t, s.follow(context.Background()))
	return s
}

// finished returns the job when only its model and its checkpoints are left.
func (p *past) finished(checkpoints ...int64) *Subject {
	f := history.File{Plan: p.layout.Plan, ChunkLen: p.layout.ChunkLen}
	steps := int64(len(p.marks))
	require.NoError(p.t, f.History.Add(0, p.marks))
	data, err := f.Encode(steps)
	require.NoError(p.t, err)
	s := &Subject{ID: "j", Engine: p.e, Layout: p.layout, Store: p.store, Committed: steps}
	s.Final = registry.ParametersDigest(p.folds[steps].Vectors[0])
	require.NoError(p.t, s.take(data))
	for _, step := range checkpoints {
		snap := p.folds[step]
		s.Starts = append(s.Starts, Start{Step: step, Name: fmt.Sprintf("the checkpoint after step %d", step), Read: func(context.Context) (ledger.Snapshot, error) {
			return snap, nil
		}})
	}
	return s
}

// verify verifies without a second opinion.
func verify(t require.TestingT, s *Subject, r Request) job.Verification {
	v, err := (&Verifier{}).Verify(context.Background(), s, r)
	require.NoError(t, err)
	return v
}

// different verifies a subject that must differ.
func different(t require.TestingT, s *Subject, r Request) *job.Difference {
	v := verify(t, s, r)
	require.Equal(t, job.Differs, v.State)
	require.NotNil(t, v.Difference)
	return v.Difference
}

func newScratch() *gradient.Scratch { return gradient.NewScratch() }

// newWalkAt returns a walk after that many steps of a correct past.
func newWalkAt(t require.TestingT, p *past, step int64) *serial.Walk {
	w := serial.NewWalk(p.e)
	require.NoError(t, w.Jump(p.folds[step]))
	return w
}

func floats(v []float32) []byte { return wire.AppendFloats(nil, v) }
