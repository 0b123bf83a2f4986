package numeric

import (
	"fmt"
	"testing"
	"time"

	"tributary/shared/numeric/internal/vector"
	"tributary/shared/numeric/isa"
)

// BenchmarkVectors runs the loops over vectors on every instruction set of this CPU, in the
// caches and in memory. It reports bytes read and written per second, and the ratio to the
// time of a copy of as many bytes, for the fastest round of each.
func BenchmarkVectors(b *testing.B) {
	defer func(k *vector.Kernels) { kernels = k }(kernels)
	for _, n := range []int{16 << 10, 4 << 20} {
		r := NewRand(1, ForSynthetic, 0, 0)
		random := func() []float32 {
			v := make([]float32, n)
			for i := range v {
				v[i] = r.Symmetric(1)
			}
			return v
		}
		x, y, p, g := random(), random(), random(), random()
		m, v := make([]float32, n), make([]float32, n)
		h, q := make([]uint16, n), make([]int8, n)
		adam := Moments{Beta1: 0.9, Beta2: 0.999, Rest1: 0.1, Rest2: 0.001, Rate: 1e-3, Root2: 1, Epsilon: 1e-8, Shrink: 1, Clip: 1}
		for _, c := range []struct {
			name  string
			bytes int // per element
			run   func()
		}{
			{"add", 12, func() { Add(x, x, y) }},
			{"scale", 8, func() { kernels.Scale(y, x, 0.5) }},
			{"axpy", 12, func() { kernels.Axpy(y, x, 0.5) }},
			{"addBias", 8, func() { AddBias(y, g[:256]) }},
			{"columnSums", 4, func() { ColumnSums(m[:256], x) }},
			{"relu", 8, func() { ReLU(y) }},
			{"reluBackward", 12, func() { ReLUBackward(y, x) }},
			{"sum", 4, func() { Sum(x) }},
			{"dot", 8, func() { Dot(x, g) }},
			{"norm", 4, func() { Norm(x) }},
			{"max", 4, func() { Max(x) }},
			{"allFinite", 4, func() { AllFinite(x) }},
			{"descent", 12, func() { Descent{Rate: 1e-3, Clip: 1}.Update(p, nil, g, 3) }},
			{"momentum", 20, func() { Descent{Rate: 1e-3, Momentum: 0.9, Clip: 1}.Update(p, m, g, 3) }},
			{"adam", 28, func() { adam.Update(p, m, v, g, 3) }},
			{"toFloat16", 6, func() { ToFloat16(h, g) }},
			{"fromFloat16", 6, func() { FromFloat16(y, h) }},
			{"toBfloat16", 6, func() { ToBfloat16(h, g) }},
			{"toInt8", 5, func() { ToInt8(q, g, 0.01) }},
		} {
			for _, set := range isa.Available() {
				kernels = vector.Of(set)
				b.Run(fmt.Sprintf("%s/%d/%s", c.name, n, set), func(b *testing.B) {
					b.SetBytes(int64(n * c.bytes))
					own, copying := time.Hour, time.Hour
					for b.Loop() {
						own = min(own, took(c.run))
						copying = min(copying, took(func() {
							for left := n * c.bytes / 8; left > 0; left -= n {
								copy(y[:min(n, left)], g)
							}
						}))
					}
					b.ReportMetric(float64(n*c.bytes)/float64(own.Nanoseconds()), "GB/s")
					b.ReportMetric(float64(own)/float64(copying), "copies")
					b.ReportMetric(float64(own.Nanoseconds())/float64(n), "ns/element")
				})
			}
		}
	}
}

// took returns the time that f takes.
func took(f func()) time.Duration {
	at := time.Now()
	f()
	return time.Since(at)
}
