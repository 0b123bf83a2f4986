package optim_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
	"tributary/shared/numeric"
	"tributary/shared/numeric/team"
	"tributary/shared/optim"
)

// vectors returns n vectors of length numbers each.
func vectors(n, length int) [][]float32 {
	v := make([][]float32, n)
	for i := range v {
		r := numeric.NewRand(9, numeric.ForSynthetic, uint64(i), 0)
		v[i] = make([]float32, length)
		for j := range v[i] {
			v[i][j] = r.Symmetric(1)
			if i > 0 {
				v[i][j] *= v[i][j] // sums of squares are not negative
			}
		}
	}
	return v
}

// Several threads fold the same bits as one, with or without clipping, and allocate
// nothing. Some of the parameters have no weight decay.
func TestThreadsFoldTheSameBits(t *testing.T) {
	clipped := &job.SGD{LearningRate: 0.1, Common: job.Common{ClipNorm: 0.5}}
	for name, o := range map[string]job.Optimizer{
		"plain": optimizers["plain"], "nesterov": optimizers["nesterov"], "momentum": optimizers["momentum"],
		"adam": optimizers["adam"], "adamw": optimizers["adamw"], "clipped": {SGD: clipped},
		"rmsprop": optimizers["rms centered momentum"], "adagrad": optimizers["adagrad"], "lion": optimizers["lion"],
		"spared":  changed(optimizers["adamw"], func(c *job.Common) { c.DecayBias = new(bool) }),
		"cut off": {SGD: &job.SGD{LearningRate: 0.1, Momentum: 0.9, Common: job.Common{ClipValue: 0.01}}},
	} {
		f, err := optim.New(o, optim.Range{Lo: 3, Hi: 5}, optim.Range{Lo: 1<<14 - 7, Hi: 1<<14 + 7}, optim.Range{Lo: 70_000, Hi: 100_003})
		require.NoError(t, err)
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
