package gradient_test

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/blob"
	"tributary/shared/dataset"
	"tributary/shared/executor"
	"tributary/shared/gradient"
	"tributary/shared/gradient/gradienttest"
	"tributary/shared/job"
	"tributary/shared/tree"
)

// hidden returns a spec with one hidden layer.
func hidden(units, batch, microbatches int, activation string) string {
	if activation == "batch_norm" {
		activation = "none}}, {batch_norm: {}}, {activation: relu"
		return strings.Replace(hidden(units, batch, microbatches, activation), "relu}}", "relu}", 1)
	}
	return fmt.Sprintf(`
name: shape
data: {source: none.csv, label: y}
model: {layers: [{dense: {units: %d, activation: %s}}, {dense: {units: 1}}]}
loss: mse
optimizer: {adam: {learning_rate: 0.05}}
batch: %d
microbatches: %d
epochs: 4
seed: 3
metrics: [rmse]
`, units, activation, batch, microbatches)
}

// retained returns the bytes on the heap after a garbage collection.
func retained() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // the second empties the pools
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// The estimate matches the size to which the buffers of a task have grown. The shapes make
// different parts of the estimate the largest.
func TestTheAccountOfAPassIsWhatItAllocates(t *testing.T) {
	for _, c := range []struct {
		name                       string
		units, batch, microbatches int
		activation                 string
		most                       float64 // limit of estimate / actual size
	}{
		{"small", 256, 512, 8, "tanh", 1.35},
		{"wide, few rows", 300_000, 4, 1, "tanh", 4}, // the estimate pads panels to the widest kernels
		{"deep batch", 256, 30_000, 16, "relu", 1.35},
		{"gelu", 3000, 2000, 4, "gelu", 1.35},
		{"computed in halves", 5000, 7000, 16, "relu", 1.35},
		{"batch norm", 1000, 4000, 4, "batch_norm", 1.5},
		{"batch norm in halves", 5000, 7000, 16, "batch_norm", 1.5},
		{"one leaf in slices", 5000, 30_000, 1, "relu", 1.35},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, _ := gradienttest.Job{Spec: hidden(c.units, c.batch, c.microbatches, c.activation), Rows: 30_000, Block: 10_000, ChunkLen: 1 << 16}.Engine(t)
			params, dst := initial(e), make([]float32, e.Network.Params())
			before := retained()
			s := gradient.NewScratch()
			_, err := e.Node(t.Context(), dst, s, params, 0, tree.Root, nil)
			require.NoError(t, err)
			got, want := retained()-before, executor.GradientBytes(e.Network, c.batch, c.microbatches, 1)
			runtime.KeepAlive(s)
			runtime.KeepAlive(e)
			t.Logf("%.1f MB on the heap, %.1f MB in the account", float64(got)/1e6, float64(want)/1e6)
			const small = 4 << 20 // what the kernels keep, and the runtime
			require.Greater(t, 1.25*float64(want+small), float64(got))
			require.Less(t, float64(want), c.most*float64(got+small))
		})
	}
}

// The need of a job is its vectors, and never less than a part of it.
func TestTheNeedOfAJob(t *testing.T) {
	need := func(text string) gradient.Need {
		n, err := gradient.NeedOf(gradienttest.Job{Spec: text}.Plan(t, blob.NewMemory(0)))
		require.NoError(t, err)
		return n
	}
	adam := hidden(1<<20, 4, 1, "tanh")
	vector := int64(4 * (3*(1<<20) + 1<<20 + 1<<20 + 1))
	n := need(adam)
	require.Equal(t, 4*vector, n.Program, "parameters, two moments, a root")
	require.Greater(t, n.Task(job.Gradient, 1), 5*vector, "two results and the snapshot of many steps")
	require.Greater(t, n.Task(job.Gradient, 4), n.Task(job.Gradient, 1))
	require.Greater(t, n.Task(job.Snapshot, 1), 3*vector)
	require.Equal(t, n.Program+n.Task(job.Gradient, 1)+max(n.Task(job.Save, 1), n.Task(job.Evaluate, 1)), n.Worker())
	require.Greater(t, n.Coordinator, 4*vector)

	lossy := need(adam + "wire: bfloat16\n")
	require.Greater(t, lossy.Task(job.Save, 1), 4*vector, "the residual too")
	sgd := need(strings.Replace(adam, "adam:", "sgd:", 1))
	require.Less(t, sgd.Worker(), n.Worker())
	shared := need(hidden(1<<20, 256, 64, "tanh"))
	require.Greater(t, shared.Task(job.Gradient, 1), n.Task(job.Gradient, 1)+gradient.ReduceBytes)

	p := gradienttest.Job{Spec: adam}.Plan(t, blob.NewMemory(0))
	p.Init = "x"
	given, err := gradient.NeedOf(p)
	require.NoError(t, err)
	require.Equal(t, 6*vector, given.Program, "initial weights are kept, and read")

	p.Spec.Model.Layers = nil
	_, err = gradient.NeedOf(p)
	require.ErrorIs(t, err, job.ErrInvalid)
}

// An evaluation has the same bits as one that computes row by row, and takes the memory of
// one slice.
func TestABlockIsEvaluatedInSlices(t *testing.T) {
	const rows = 300
	j := gradienttest.Job{Spec: hidden(40_000, 4, 1, "gelu"), Rows: rows, Block: rows, ChunkLen: 1 << 16}
	e, store := j.Engine(t)
	params := initial(e)
	before := retained()
	s := gradient.NewScratch()
	sliced, err := e.Evaluate(t.Context(), s, params, job.Validation, 0)
	require.NoError(t, err)
	grown := retained() - before
	runtime.KeepAlive(s)
	need, err := gradient.NeedOf(e.Plan)
	require.NoError(t, err)
	require.Less(t, grown, need.Task(job.Evaluate, 1))

	b, err := dataset.NewCache(store, 1<<20).Get(t.Context(), e.Plan.Dataset.Splits[job.Validation][0])
	require.NoError(t, err)
	one, outputs := executor.New(nil), []float32(nil)
	m := executor.Model{Network: e.Network, Objective: e.Objective, Weights: e.Weights(params)}
	for x := range slices.Chunk(b.X, b.Features) {
		require.NoError(t, one.Forward(m, []executor.Field{{Float32: [][]float32{x}}}, 1, func(_, _ int, z []float32) error {
			outputs = append(outputs, z...)
			return nil
		}))
	}
	whole := e.Metrics.Count()
	whole.Add(outputs, b.Y, rows)
	require.Equal(t, whole.Sums().Encode(), sliced.Encode())
}
