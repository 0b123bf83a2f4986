package numeric

import (
	"testing"
	"time"

	"tributary/shared/numeric/internal/vector"
	"tributary/shared/numeric/isa"
)

// BenchmarkFunctions runs every function on every instruction set of this CPU over 16,000
// elements. It reports ns/element, and the ratio to the time of copy in the same run.
func BenchmarkFunctions(b *testing.B) {
	const n = 16000
	r := NewRand(1, ForSynthetic, 0, 0)
	x, y, dst := make([]float32, n), make([]float32, n), make([]float32, n)
	for i := range x {
		x[i] = r.Symmetric(8)
		y[i] = float32(i % 2)
	}
	defer func(chosen *vector.Functions) { functions = chosen }(functions)
	inPlace := func(f func(y []float32)) func() { return func() { copy(dst, x); f(dst) } }
	for _, set := range isa.Available() {
		for _, c := range []struct {
			name string
			run  func()
		}{
			{"exp", inPlace(Exp)},
			{"log", inPlace(Log)},
			{"sigmoid", inPlace(Sigmoid)},
			{"tanh", inPlace(Tanh)},
			{"softplus", inPlace(Softplus)},
			{"rsqrt", inPlace(Rsqrt)},
			{"gelu", func() { GELU(dst, x) }},
			{"geluBackward", func() { GELUBackward(dst, x) }},
			{"tanhBackward", func() { TanhBackward(dst, x) }},
			{"softmax/10", func() { Softmax(dst, x, 10) }},
			{"softmax/1000", func() { Softmax(dst, x, 1000) }},
			{"softmaxCrossEntropy/10", func() { SoftmaxCrossEntropy(dst, x, y[:n/10], 10) }},
			{"softmaxCrossEntropy/1000", func() { SoftmaxCrossEntropy(dst, x, y[:n/1000], 1000) }},
			{"sigmoidCrossEntropy", func() { SigmoidCrossEntropy(dst, x, y) }},
			{"squaredError", func() { SquaredError(dst, x, y, 0.5) }},
		} {
			b.Run(c.name+"/"+string(set), func(b *testing.B) {
				functions = vector.FunctionsOf(set)
				b.SetBytes(8 * n)
				for b.Loop() {
					c.run()
				}
				own := float64(b.Elapsed().Nanoseconds()) / float64(b.N)
				b.ReportMetric(own/n, "ns/element")
				b.ReportMetric(own/copyTime(dst, x), "copies")
			})
		}
	}
}

// copyTime returns the nanoseconds that copy(dst, src) takes.
func copyTime(dst, src []float32) float64 {
	const times = 100
	began := time.Now()
	for range times {
		copy(dst, src)
	}
	return float64(time.Since(began).Nanoseconds()) / times
}
