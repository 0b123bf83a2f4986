package rounding

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/wire"
)

var formats = map[string]wire.Format{
	"float32":  {},
	"bfloat16": {Encoding: wire.Bfloat16},
	"int8":     {Encoding: wire.Int8},
	"topk":     {Encoding: wire.TopK, Keep: 0.05},
}

func random(r *rand.Rand, n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(r.NormFloat64()) * 0.01
	}
	return v
}

// A rounded value can be encoded, and rounding it again changes nothing.
func TestWhatIsRoundedTravelsExactly(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for name, f := range formats {
		t.Run(name, func(t *testing.T) {
			inner := random(r, 1000)
			Inner(f, inner)
			again := slices.Clone(inner)
			Inner(f, again)
			require.Equal(t, inner, again)
			_, err := f.Partials().Payload(inner)
			require.NoError(t, err)

			root, e := random(r, 1000), make([]float32, 1000)
			Root(f, root, e)
			_, err = f.Payload(root)
			require.NoError(t, err)
		})
	}
}

// Each step loses only the rounding of what the root lost: r + e' equals u within a 127th
// of the largest loss.
func TestWhatTheRootLosesIsKept(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for name, f := range formats {
		t.Run(name, func(t *testing.T) {
			e := make([]float32, 1000)
			for range 20 {
				sum := random(r, len(e))
				u := make([]float32, len(e))
				for i := range u {
					u[i] = sum[i] + e[i]
				}
				Root(f, sum, e)
				most := 0.0
				for i := range u {
					most = max(most, math.Abs(float64(u[i])-float64(sum[i])))
				}
				require.Equal(t, f.Lossy(), most > 0)
				for i := range u {
					require.InDelta(t, u[i], float64(sum[i])+float64(e[i]), most/127, "element %d", i)
				}
				_, err := f.Partials().Payload(e)
				require.NoError(t, err, "a residual travels")
			}
		})
	}
}

// Two steps of three parameters, computed by hand.
func TestRootByHand(t *testing.T) {
	topk := wire.Format{Encoding: wire.TopK, Keep: 1. / 3}
	sum, e := []float32{1, -4, 2}, make([]float32, 3)
	Root(topk, sum, e)
	require.Equal(t, []float32{0, -4, 0}, sum)
	require.Equal(t, []float32{1, 0, 2}, e)
	sum = []float32{1, -1, 1}
	Root(topk, sum, e)
	require.Equal(t, []float32{0, 0, 3}, sum)
	require.Equal(t, []float32{2, -1, 0}, e)

	sum, e = []float32{1 + 0x1p-9, 3, 0}, []float32{0, 0, 0x1p-30}
	Root(formats["bfloat16"], sum, e)
	require.Equal(t, []float32{1, 3, 0x1p-30}, sum)
	require.Equal(t, []float32{0x1p-9, 0, 0}, e)

	sum, e = []float32{126, 0.75, -0.5}, make([]float32, 3)
	Root(formats["int8"], sum, e)
	require.Equal(t, []float32{126, 1, 0}, sum, "the scale is 1; ties to even")
	require.Equal(t, []float32{0, -0.25, -0.5}, e)
}

// A wire that is not lossy changes nothing and has no residual.
func TestFloat32IsLeftAlone(t *testing.T) {
	v := []float32{1, 0x1p-149, float32(math.Inf(-1))}
	want := slices.Clone(v)
	Inner(wire.Format{}, v)
	Root(wire.Format{}, v, nil)
	require.Equal(t, want, v)
}

// If the sum is not finite, the root is not finite either. Folding it shows that the job
// diverges.
func TestWhatIsNotFiniteStaysSo(t *testing.T) {
	for name, f := range formats {
		for _, x := range []float32{float32(math.Inf(1)), float32(math.NaN())} {
			sum, e := append(random(rand.New(rand.NewPCG(5, 6)), 99), x), make([]float32, 100)
			Root(f, sum, e)
			finite := !slices.ContainsFunc(sum, func(x float32) bool { return x-x != 0 })
			require.False(t, finite, name)
			_, err := f.Payload(sum)
			require.NoError(t, err, name)
		}
	}
}
