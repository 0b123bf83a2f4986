package executor_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/executor"
	"tributary/shared/job"
)

// BenchmarkImages computes gradients of a network of three convolutions over images of
// 28 × 28, a batch of 128.
func BenchmarkImages(b *testing.B) {
	conv := func(filters int) []job.Layer {
		return []job.Layer{
			{Conv2D: &job.Conv2D{Filters: filters, KernelSize: job.Pair{3, 3}, Padding: job.Padding{Same: true}, Activation: job.ReLU}},
			{MaxPooling2D: &job.Pooling2D{PoolSize: job.Pair{2, 2}, Strides: job.Pair{2, 2}}},
		}
	}
	layers := []job.Layer{{Reshape: []int{28, 28, 1}}}
	for _, filters := range []int{16, 32, 64} {
		layers = append(layers, conv(filters)...)
	}
	layers = append(layers, job.Layer{Flatten: &job.Nothing{}}, job.Layer{Dense: &job.Dense{Units: 10}})
	n := compile(b, job.SoftmaxCrossEntropy, 784, layers...)
	const samples = 128
	params, x, y := random(n.Params(), 1, 0.1), random(samples*784, 2, 1), make([]float32, samples)
	e, grad := executor.New(nil), make([]float32, n.Params())
	batch := executor.Batch{X: rowsOf(x, samples, 784), Y: y, Bounds: []int{0, samples}}
	for b.Loop() {
		require.NoError(b, e.Gradient(grad, make([]float64, 1), n.under(params), batch, executor.Hooks{}))
	}
	b.ReportMetric(samples*float64(b.N)/b.Elapsed().Seconds(), "images/s")
}
