package optim_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
	"tributary/shared/numeric"
	"tributary/shared/numeric/team"
)

// vectors returns n vectors of length numbers each.
func vectors(n, length int) [][]float32 {
	v := make([][]float32, n)
	for i := range v {
		r := numeric.NewRand(9, numeric.ForSynthetic, uint64(i), 0)
		v[i] = make([]float32, length)
		for j := range v[i] {
			v[i][j] = r.Symmetric(1)
			if i > 1 {
				v[i][j] *= v[i][j] // second moments are not negative
			}
		}
	}
	return v
}

// Several threads fold the same bits as one, with or without clipping, and allocate
// nothing.
func TestThreadsFoldTheSameBits(t *testing.T) {
	clipped := &job.SGD{LearningRate: 0.1, ClipNorm: 0.5}
	for name, o := range map[string]job.Optimizer{
		"plain": optimizers["plain"], "nesterov": optimizers["nesterov"], "momentum": optimizers["momentum"],
		"adam": optimizers["adam"], "adamw": optimizers["adamw"], "clipped": {SGD: clipped},
	} {
		f, _ := compile(t, o)
		for _, length := range []int{0, 5, 1 << 14, 1<<15 + 1, 100_003} {
			want, grad := vectors(1+f.Vectors(), length), vectors(4, length)[3]
			f.Apply(want[0], want[1:], 3, grad, 7)
			for _, threads := range []int{1, 2, 3} {
				got := vectors(1+f.Vectors(), length)
				m := team.New(threads)
				f.ApplyBy(m, got[0], got[1:], 3, grad, 7)
				require.Equal(t, want, got, "%s, %d parameters in %d threads", name, length, threads)
				require.Zero(t, testing.AllocsPerRun(5, func() { f.ApplyBy(m, got[0], got[1:], 3, grad, 7) }))
				m.Close()
			}
		}
	}
}

func BenchmarkApplyBy(b *testing.B) {
	for _, name := range []string{"plain", "adam"} {
		f, _ := compile(b, optimizers[name])
		for _, length := range []int{7850, 235_146, 5_824_522} {
			v, grad := vectors(1+f.Vectors(), length), vectors(4, length)[3]
			for _, threads := range []int{1, 2} {
				b.Run(fmt.Sprintf("%s/%d/threads=%d", name, length, threads), func(b *testing.B) {
					m := team.New(threads)
					defer m.Close()
					b.SetBytes(int64(4 * length))
					b.ReportAllocs()
					for b.Loop() {
						f.ApplyBy(m, v[0], v[1:], 3, grad, 512)
					}
				})
			}
		}
	}
}
