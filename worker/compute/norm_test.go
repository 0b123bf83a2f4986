package compute

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tributary/shared/ledger"
	"tributary/shared/notice"
	"tributary/shared/tree"
)

// The commits of steps carry the norms of their mean gradients, as far as it is time.
func TestCommitsCarryGradientNorms(t *testing.T) {
	f := newFixture(t)
	c := f.worker(nil)
	now := time.Unix(100, 0)
	c.Clock = func() time.Time {
		now = now.Add(normEvery / 2)
		return now
	}
	var want []float64
	for step, r := range f.reference() {
		f.do(c, f.gradient(int64(step), tree.Root))
		squares := 0.0
		for _, g := range r.gradient {
			squares += float64(g) * float64(g)
		}
		want = append(want, math.Sqrt(squares)/float64(r.sums.Examples))
	}
	require.Greater(t, len(want), 2)
	require.Len(t, f.notices.norms, (len(want)+1)/2)
	for i, n := range f.notices.norms {
		require.Equal(t, int64(2*i), n.Step)
		require.InEpsilon(t, want[n.Step], n.Norm, 1e-6)
	}
}

// A norm is announced once, with a commit that it is before; one that is not finite never is.
func TestNormsAreTakenOnce(t *testing.T) {
	f := newFixture(t)
	e, now := f.engine(), time.Unix(100, 0)
	clock := func() time.Time { return now }
	root := ledger.Partial{Gradient: make([]float32, e.Network.Params()), Sums: ledger.Sums{Examples: 2}}
	root.Gradient[0] = 3
	var n norms
	n.see(nil, e, 4, root)
	require.Nil(t, n.take(9))
	n.see(clock, e, 5, root)
	n.see(clock, e, 6, root) // too soon
	require.Nil(t, n.take(5))
	require.Equal(t, &notice.GradientNorm{Step: 5, Norm: 1.5}, n.take(6))
	require.Nil(t, n.take(6))
	now = now.Add(normEvery)
	root.Gradient[0] = float32(math.Inf(1))
	n.see(clock, e, 7, root)
	require.Nil(t, n.take(9))
}
