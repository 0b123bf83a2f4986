package compute

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tributary/shared/blob"
	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/replica"
	"tributary/shared/serial"
	"tributary/shared/tree"
)

func TestRootTasksCommitTheReferencesRoots(t *testing.T) {
	f := newFixture(t)
	c := f.worker(nil)
	for step := range int64(steps) {
		f.do(c, f.gradient(step, tree.Root))
	}
	require.Equal(t, f.reference(), f.roots(0, steps))
	require.Equal(t, []int64{1, 2, 3}, f.notices.commits)
}

// The log's hash chain ends like the reference's, both for the worker that wrote the log
// and for one that reads it from the start.
func TestTheChainIsTheReferences(t *testing.T) {
	f := newFixture(t)
	want, err := serial.Train(t.Context(), f.engine())
	require.NoError(t, err)
	c := f.worker(nil)
	for step := range int64(steps) {
		f.do(c, f.gradient(step, 2), f.gradient(step, 3))
	}
	wrote, err := c.programs.get(t.Context(), f.gradient(0, tree.Root))
	require.NoError(t, err)
	for _, r := range []*replica.Replica{wrote.replica, replica.New(f.engine(), f.layout().Ref)} {
		require.NoError(t, r.View(t.Context(), f.ledger, steps, func(params []float32, chain ledger.Chain) error {
			require.Equal(t, want.Params, params)
			require.Equal(t, want.Chain, chain)
			return nil
		}))
	}
}

// Any cover (mixed levels and duplicates included), in any order, on any of three
// workers, gives the same bits.
func TestAnyCoverInAnyOrderIsTheSameRoot(t *testing.T) {
	want := newFixture(t).reference()
	rapid.Check(t, func(r *rapid.T) {
		f := newFixture(t)
		workers := []*Computer{f.worker(nil), f.worker(nil), f.worker(nil)}
		for step := range int64(steps) {
			nodes := []tree.Node{tree.Root}
			for range rapid.IntRange(0, 3).Draw(r, "splits") {
				i := rapid.IntRange(0, len(nodes)-1).Draw(r, "parted")
				if n := nodes[i]; n < leaves {
					nodes = append(append(nodes[:i:i], nodes[i+1:]...), n.Left(), n.Right())
				}
			}
			nodes = append(nodes, nodes[rapid.IntRange(0, len(nodes)-1).Draw(r, "duplicate")])
			for _, n := range rapid.Permutation(nodes).Draw(r, "order") {
				c := workers[rapid.IntRange(0, 2).Draw(r, "worker")]
				err := c.Handle(t.Context(), f.gradient(step, n), none)
				if err != nil {
					require.ErrorIs(r, err, job.ErrStale)
				}
			}
			require.Equal(r, step+1, f.state().Committed)
		}
		require.Equal(r, want, f.roots(0, steps))
	})
}

func TestATaskOfACommittedStepIsStaleAndSaysWhatIsCommitted(t *testing.T) {
	f := newFixture(t)
	c := f.worker(nil)
	f.do(c, f.gradient(0, 1), f.gradient(1, 1))
	f.notices.commits = nil
	require.ErrorIs(t, c.Handle(t.Context(), f.gradient(0, 2), none), job.ErrStale)
	require.Equal(t, []int64{2}, f.notices.commits)
	require.Len(t, f.roots(0, 2), 2)
}

func TestDifferingBytesAreCorruptNeverAveraged(t *testing.T) {
	for name, plant := range map[string]func(f *fixture, l ledger.Layout, bytes []float32) error{
		"partial": func(f *fixture, l ledger.Layout, bytes []float32) error {
			_, err := f.ledger.Put(f.t.Context(), l, 0, 2, ledger.Partial{Gradient: bytes})
			return err
		},
		"root": func(f *fixture, l ledger.Layout, bytes []float32) error {
			_, _, err := f.ledger.Append(f.t.Context(), l, ledger.LogWrite{Step: 0, Chunks: []int{1}, Root: ledger.Partial{Gradient: bytes}, Before: l.Genesis()})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			l := f.layout()
			require.NoError(t, plant(f, l, make([]float32, l.Params)))
			c := f.worker(nil)
			node := map[string]tree.Node{"partial": 2, "root": tree.Root}[name]
			require.ErrorIs(t, c.Handle(t.Context(), f.gradient(0, node), none), job.ErrCorrupt)
			require.Zero(t, f.state().Committed)
		})
	}
}

func TestTasksThatCannotBeComputedArePoison(t *testing.T) {
	f := newFixture(t)
	for name, change := range map[string]func(*job.Task){
		"no plan":          func(t *job.Task) { t.Plan = blob.DigestOf([]byte("no such plan")) },
		"no such node":     func(t *job.Task) { t.Node = 2 * leaves },
		"node 0":           func(t *job.Task) { t.Node = 0 },
		"no such block":    func(t *job.Task) { t.Kind, t.Split, t.Block = job.Evaluate, job.Test, 2 },
		"block -1":         func(t *job.Task) { t.Kind, t.Split, t.Block = job.Evaluate, job.Test, -1 },
		"no such split":    func(t *job.Task) { t.Kind, t.Split = job.Evaluate, "holdout" },
		"validation of no": func(t *job.Task) { t.Kind, t.Split = job.Evaluate, job.Validation },
	} {
		t.Run(name, func(t *testing.T) {
			task := f.gradient(0, tree.Root)
			change(&task)
			require.ErrorIs(t, f.worker(nil).Handle(t.Context(), task, none), job.ErrPoison)
		})
	}
}

// A plan that this program does not know, or would write in other bytes, belongs to
// another version, because a log begins with its plan's digest. The worker leaves the
// task to a worker that knows it.
func TestWhatAnotherVersionAsksForIsLeftToOthers(t *testing.T) {
	f := newFixture(t)
	known, _, err := f.plan.Encode()
	require.NoError(t, err)
	for want, change := range map[string]func(*job.Task) []byte{
		`unknown field "quantized"`: func(*job.Task) []byte { return append([]byte(`{"quantized":true,`), known[1:]...) },
		"another version wrote it":  func(*job.Task) []byte { return append([]byte(`{ `), known[1:]...) },
		"plan has version 99":       func(*job.Task) []byte { return []byte(`{"version":99}`) },
		`task kind "compress"`:      func(t *job.Task) []byte { t.Kind = "compress"; return known },
	} {
		t.Run(want, func(t *testing.T) {
			task := f.gradient(0, tree.Root)
			var err error
			task.Plan, err = f.blobs.Put(t.Context(), change(&task))
			require.NoError(t, err)
			err = f.worker(nil).Handle(t.Context(), task, none)
			require.ErrorContains(t, err, want)
			require.ErrorIs(t, err, job.ErrUnsupported)
			require.NotErrorIs(t, err, job.ErrPoison)
			require.NotErrorIs(t, err, job.ErrCorrupt)
		})
	}
}

func TestAMissingBlockIsPoisonAndNamed(t *testing.T) {
	f := newFixture(t)
	require.NoError(t, f.blobs.Delete(t.Context(), f.plan.Dataset.Splits[job.Train][2].Digest))
	c := f.worker(nil)
	var err error
	for step := int64(0); err == nil; step++ { // some batch contains rows of it
		err = c.Handle(t.Context(), f.gradient(step, tree.Root), none)
	}
	require.ErrorIs(t, err, job.ErrPoison)
	require.ErrorContains(t, err, "read block 2 of the train split")
}

// partialHook runs a function once, before a partial is read.
type partialHook struct {
	ledger.Ledger
	before func()
}

func (l *partialHook) Partial(ctx context.Context, lay ledger.Layout, r ledger.PartialRead) (ledger.Sums, error) {
	if before := l.before; before != nil {
		l.before = nil
		before()
	}
	return l.Ledger.Partial(ctx, lay, r)
}

func TestAStepThatAnotherFinishesMeanwhileIsNoError(t *testing.T) {
	f := newFixture(t)
	l := &partialHook{Ledger: f.ledger}
	l.before = func() { f.do(f.worker(nil), f.gradient(0, tree.Root)) }
	c := f.worker(l)
	f.do(c, f.gradient(0, 2), f.gradient(0, 3))
	require.Nil(t, l.before, "the hook has run")
	require.Equal(t, f.reference()[:1], f.roots(0, 1))
	f.do(c, f.gradient(1, tree.Root))
}

// The ledger lost all steps, or the latest: the workers that have these steps compute
// them again, to the same bits.
func TestALedgerThatLostStepsGetsThemBack(t *testing.T) {
	for _, kept := range []int64{0, 1, 2} {
		f := newFixture(t)
		speculative, behind := f.worker(nil), f.worker(nil)
		for step := range int64(steps) {
			f.do(speculative, f.gradient(step, 2))
			f.do(behind, f.gradient(step, 3))
		}
		want := f.roots(0, steps)
		l := f.layout()
		require.NoError(t, f.ledger.Delete(t.Context(), l))
		chunks := l.AllChunks()
		for step := range kept {
			_, _, err := f.ledger.Append(t.Context(), l, ledger.LogWrite{Step: step, Chunks: chunks, Root: ledger.Partial{Gradient: want[step].gradient, Sums: want[step].sums}, Before: f.chain(step)})
			require.NoError(t, err)
		}
		for step := kept; step < steps; step++ {
			f.do(speculative, f.gradient(step, 2))
			f.do(f.worker(nil), f.gradient(step, 6))
			f.do(behind, f.gradient(step, 7))
		}
		require.Equal(t, want, f.roots(0, steps))
	}
}

func TestATaskThatTheLedgerIsNotReadyForIsStale(t *testing.T) {
	f := newFixture(t)
	err := f.worker(nil).Handle(t.Context(), f.gradient(1, tree.Root), none)
	require.ErrorIs(t, err, job.ErrStale, "the job is over, or the coordinator will publish it again")
	require.ErrorContains(t, err, "the ledger has 0 steps")
}

func TestProgressIsReportedDuringATask(t *testing.T) {
	f := newFixture(t)
	calls := 0
	count := counting{calls: &calls}
	c := f.worker(nil)
	require.NoError(t, c.Handle(t.Context(), f.gradient(0, 2), count))
	require.Equal(t, 1+2+1, calls, "parameters ready, two micro-batches, partial stored")
	calls = 0
	require.NoError(t, c.Handle(t.Context(), f.evaluate(0, job.Test, 0), count))
	require.Equal(t, 1, calls)
}

// counting counts the calls of Progress.
type counting struct {
	hold
	calls *int
}

func (c counting) Progress() { *c.calls++ }
