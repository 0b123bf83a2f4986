package executor_test

import (
	"slices"

	"github.com/stretchr/testify/require"

	"tributary/shared/executor"
	"tributary/shared/job"
	"tributary/shared/model"
	"tributary/shared/numeric"
	"tributary/shared/objective"
	"tributary/shared/tree"
)

// network holds a network, its objective, and an executor that runs one micro-batch.
type network struct {
	*model.Network
	of objective.Objective
}

func compile(t require.TestingT, loss job.Loss, features int, layers ...job.Layer) network {
	n, err := model.New(job.Model{Layers: layers}, model.Table(features))
	require.NoError(t, err)
	of, err := objective.Of(loss)
	require.NoError(t, err)
	require.NoError(t, of.Check(n.Outputs()))
	return network{n, of}
}

func (n network) under(params []float32) executor.Model {
	return executor.Model{Network: n.Network, Objective: n.of, Weights: n.weights(params)}
}

func (n network) weights(params []float32) model.Weights { return model.Weights{Trained: params} }

// rowsOf returns x [rows, features] as the field of a table.
func rowsOf(x []float32, rows, features int) []executor.Field {
	return []executor.Field{{Float32: slices.AppendSeq(make([][]float32, 0, rows), slices.Chunk(x[:rows*features], features))}}
}

// gradient returns the gradient of one micro-batch; x is [rows, Features].
func (n network) gradient(t require.TestingT, dst []float32, e *executor.Executor, params, x, y []float32, rows int) float64 {
	var loss [1]float64
	b := executor.Batch{X: rowsOf(x, rows, n.Features()), Y: y, Bounds: []int{0, rows}}
	require.NoError(t, e.Gradient(dst, loss[:], n.under(params), b, executor.Hooks{}))
	return loss[0]
}

// forward returns the outputs [rows, Outputs].
func (n network) forward(t require.TestingT, e *executor.Executor, params, x []float32, rows int) (z []float32) {
	require.NoError(t, e.Forward(n.under(params), rowsOf(x, rows, n.Features()), rows, func(lo, hi int, part []float32) error {
		require.Len(t, part, (hi-lo)*n.Outputs())
		require.Len(t, z, lo*n.Outputs())
		z = append(z, part...)
		return nil
	}))
	return z
}

func (n network) loss(z, y []float32) float64 {
	var s objective.Sum
	n.of.Add(&s, nil, z, y, n.Outputs())
	return n.of.Value(&s, n.Outputs())
}

// sumOfLeaves adds up the gradients of micro-batches 0 to n along the tree, as leaf computes
// them one by one.
func sumOfLeaves(n int, leaf func(i int) []float32) []float32 {
	var node func(lo, hi int) []float32
	node = func(lo, hi int) []float32 {
		if hi-lo == 1 {
			return leaf(lo)
		}
		left, right := node(lo, tree.Split(lo, hi)), node(tree.Split(lo, hi), hi)
		numeric.Add(left, left, right)
		return left
	}
	return node(0, n)
}
