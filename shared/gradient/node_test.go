package gradient_test

import (
	"context"
	"math"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tributary/shared/dataset"
	"tributary/shared/executor"
	"tributary/shared/gradient"
	"tributary/shared/gradient/gradienttest"
	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/metric"
	"tributary/shared/numeric"
	"tributary/shared/tree"
)

// node computes one node with the initial parameters.
func node(t require.TestingT, e *gradient.Engine, step int64, n tree.Node) ledger.Partial {
	p := ledger.Partial{Gradient: make([]float32, e.Network.Params())}
	var err error
	p.Sums, err = e.Node(context.Background(), p.Gradient, gradient.NewScratch(), initial(e), step, n, nil)
	require.NoError(t, err)
	return p
}

func initial(e *gradient.Engine) []float32 {
	params := make([]float32, e.Network.Params())
	e.Initial(params)
	return params
}

func add(left, right ledger.Partial) ledger.Partial {
	numeric.Add(left.Gradient, left.Gradient, right.Gradient)
	return ledger.Partial{Gradient: left.Gradient, Sums: left.Sums.Add(right.Sums)}
}

// drawCover draws nodes of mixed levels that cover the tree below n.
func drawCover(t *rapid.T, n tree.Node, m int) []tree.Node {
	lo, hi, ok := n.Leaves(m)
	require.True(t, ok)
	if hi-lo == 1 || rapid.IntRange(0, 3).Draw(t, "whole") == 0 {
		return []tree.Node{n}
	}
	return append(drawCover(t, n.Left(), m), drawCover(t, n.Right(), m)...)
}

// The sum over any cover equals the root, bit for bit. This holds for every batch size and
// number of micro-batches, including short batches and empty micro-batches.
func TestAnyCoverSumsToTheRoot(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		batch := rapid.IntRange(1, 40).Draw(t, "batch")
		e, _ := gradienttest.Job{Rows: rapid.IntRange(1, 60).Draw(t, "rows"), Block: rapid.IntRange(1, 70).Draw(t, "block")}.Engine(t)
		e.Plan.Spec.Batch, e.Plan.Spec.Microbatches = batch, rapid.IntRange(1, batch).Draw(t, "microbatches")
		step := rapid.Int64Range(0, e.Plan.Steps()-1).Draw(t, "step")
		root := node(t, e, step, tree.Root)
		cover := drawCover(t, tree.Root, e.Plan.Spec.Microbatches)
		sum, ok := tree.Sum(e.Plan.Spec.Microbatches, cover, func(n tree.Node) ledger.Partial { return node(t, e, step, n) }, add)
		require.True(t, ok)
		require.Equal(t, root, sum, "cover %v", cover)
	})
}

// The twin has no tree: it sums row after row in float64.
func TestTheRootIsTheSumOverTheBatchsRows(t *testing.T) {
	e, store := gradienttest.Job{}.Engine(t)
	blocks := dataset.NewCache(store, 1<<20)
	refs, params, one := e.Plan.Dataset.Splits[job.Train], initial(e), executor.New(nil)
	m := executor.Model{Network: e.Network, Objective: e.Objective, Weights: e.Weights(params)}
	seen := map[dataset.RowRef]int{}
	for step := range e.Plan.StepsPerEpoch() {
		root := node(t, e, step, tree.Root)
		epoch, lo, hi := e.Plan.Batch(step)
		order := dataset.NewOrder(refs, e.Plan.Spec.Seed, epoch, e.Plan.Spec.Data.Shuffle)
		sum, row, loss := make([]float64, len(params)), make([]float32, len(params)), 0.0
		for _, r := range order.Rows(nil, lo, hi) {
			b, err := blocks.Get(t.Context(), refs[r.Block])
			require.NoError(t, err)
			var l [1]float64
			x, y := b.X[r.Row*gradienttest.Features:], b.Y[r.Row:]
			alone := executor.Batch{X: []executor.Field{{Float32: [][]float32{x[:gradienttest.Features]}}}, Y: y[:1], Bounds: []int{0, 1}}
			require.NoError(t, one.Gradient(row, l[:], m, alone, executor.Hooks{}))
			loss += l[0]
			for i, g := range row {
				sum[i] += float64(g)
			}
			seen[r]++
		}
		require.EqualValues(t, hi-lo, root.Sums.Examples)
		require.InEpsilon(t, loss, root.Sums.Loss, 1e-6)
		for i := range sum {
			require.InDelta(t, sum[i], root.Gradient[i], 1e-4*(1+math.Abs(sum[i])))
		}
	}
	require.Len(t, seen, 50, "an epoch has every row")
	for r, n := range seen {
		require.Equal(t, 1, n, "%v", r)
	}
}

// Several tasks share an engine: tasks of different epochs do not disturb each other.
func TestTasksAtTheSameTime(t *testing.T) {
	e, _ := gradienttest.Job{}.Engine(t)
	want := make([]ledger.Partial, e.Plan.Steps())
	for step := range want {
		want[step] = node(t, e, int64(step), tree.Root)
	}
	var tasks sync.WaitGroup
	for worker := range 4 {
		tasks.Go(func() {
			for i := range want {
				step := (i*5 + worker*3) % len(want)
				require.Equal(t, want[step], node(t, e, int64(step), tree.Root))
			}
		})
	}
	tasks.Wait()
}

func TestProgressIsTold(t *testing.T) {
	e, _ := gradienttest.Job{}.Engine(t)
	for n, leaves := range map[tree.Node]int{tree.Root: 4, 2: 2, 7: 1} {
		told := 0
		_, err := e.Node(t.Context(), make([]float32, e.Network.Params()), gradient.NewScratch(), initial(e), 0, n, func() { told++ })
		require.NoError(t, err)
		require.Equal(t, leaves, told)
	}
}

// Every function refuses a step, node or block that the plan does not have.
func TestUnknownWorkIsPoison(t *testing.T) {
	e, _ := gradienttest.Job{}.Engine(t)
	dst, s := make([]float32, e.Network.Params()), gradient.NewScratch()
	for _, c := range []struct {
		step int64
		node tree.Node
	}{{0, 0}, {0, 8}, {0, math.MaxUint32}, {-1, tree.Root}, {e.Plan.Steps(), tree.Root}, {math.MaxInt64, tree.Root}} {
		_, err := e.Node(t.Context(), dst, s, initial(e), c.step, c.node, nil)
		require.ErrorIs(t, err, job.ErrPoison, "%+v", c)
		require.ErrorContains(t, err, "the job has 16 steps of 4 micro-batches")
	}
	for split, block := range map[job.Split]int{job.Train: 7, job.Validation: -1, job.Test: 0, "dev": 0} {
		_, err := e.Evaluate(t.Context(), s, initial(e), split, block)
		require.ErrorIs(t, err, job.ErrPoison, "%s/%d", split, block)
	}
}

func TestALostBlockIsPoison(t *testing.T) {
	e, store := gradienttest.Job{}.Engine(t)
	for _, split := range []job.Split{job.Train, job.Validation} {
		require.NoError(t, store.Delete(t.Context(), e.Plan.Dataset.Splits[split][2].Digest))
	}
	dst, s := make([]float32, e.Network.Params()), gradient.NewScratch()
	var failed error
	for step := range e.Plan.StepsPerEpoch() {
		if _, err := e.Node(t.Context(), dst, s, initial(e), step, tree.Root, nil); err != nil {
			failed = err
		}
	}
	require.ErrorIs(t, failed, job.ErrPoison)
	require.ErrorIs(t, failed, job.ErrNotFound)
	require.ErrorContains(t, failed, "read block 2 of the train split")
	_, err := e.Evaluate(t.Context(), s, initial(e), job.Validation, 2)
	require.ErrorIs(t, err, job.ErrPoison)
	require.ErrorContains(t, err, "read block 2 of the validation split")
}

func TestAStopEndsANode(t *testing.T) {
	e, _ := gradienttest.Job{}.Engine(t)
	ctx, cancel := context.WithCancel(t.Context())
	told := 0
	_, err := e.Node(ctx, make([]float32, e.Network.Params()), gradient.NewScratch(), initial(e), 0, tree.Root, func() { told++; cancel() })
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, job.ErrPoison)
	require.Equal(t, 1, told, "it ends between micro-batches")
}

// The units of an evaluation do not depend on which worker computes them. A split with
// other block boundaries has the same metrics within rounding.
func TestEvaluation(t *testing.T) {
	metrics := func(block int) map[string]float64 {
		e, _ := gradienttest.Job{Block: block}.Engine(t)
		var units []*metric.Sums
		for b := range e.Plan.Dataset.Splits[job.Validation] {
			unit, err := e.Evaluate(t.Context(), gradient.NewScratch(), initial(e), job.Validation, b)
			require.NoError(t, err)
			units = append(units, unit)
		}
		return e.Metrics.Combine(units).Values
	}
	whole, parts := metrics(50), metrics(8)
	require.Equal(t, parts, metrics(8))
	require.InEpsilon(t, whole["loss"], parts["loss"], 1e-6)
	require.InEpsilon(t, whole["rmse"], parts["rmse"], 1e-6)
	require.InEpsilon(t, whole["rmse"]*whole["rmse"], whole["loss"], 1e-6, "the loss is the mean squared error")
}

func TestASumIsNotDivided(t *testing.T) {
	s := ledger.Sums{Examples: 5, Loss: 10}
	mean, _ := gradienttest.Job{}.Engine(t)
	require.EqualValues(t, 5, mean.Divisor(s))
	require.InDelta(t, 2, mean.MeanLoss(s), 0)
	require.Zero(t, mean.MeanLoss(ledger.Sums{}))
	sum, _ := gradienttest.Job{Spec: strings.Replace(gradienttest.Regression, "loss: mse", "loss: half_squared_error", 1)}.Engine(t)
	require.EqualValues(t, 1, sum.Divisor(s))
	require.InDelta(t, 10, sum.MeanLoss(s), 0)
}
