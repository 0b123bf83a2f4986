package capacity_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tributary/coordinator/capacity"
	"tributary/shared/wire"
)

// A job of 250,000 parameters, one megabyte, on links of 8 Mbit/s: a vector takes a
// second on the link.
var (
	job   = capacity.Job{Params: 250_000, Chunks: 16, Batch: 64, Microbatches: 8, Vectors: 2}
	costs = capacity.Costs{
		Microbatch: 10, Add: 0.5, Fold: 2, Put: 3, Get: 4, SharedPut: 0.25, SharedGet: 0.5, Queue: 1, Task: 0.125,
	}
	network = capacity.Network{Bandwidth: 8e6}
)

func TestOneWorkerAppendsWhileItComputes(t *testing.T) {
	s := capacity.Predict(job, costs, network, 1)
	require.Equal(t, 1, s.Tasks)
	require.InDelta(t, 8*10+7*0.5+2, s.Compute, 1e-9)
	require.Zero(t, s.Communication)
	require.InDelta(t, 1e6, s.In, 0)
	require.Zero(t, s.Out)
	require.InDelta(t, 64/(85.5+1), s.Samples, 1e-9)

	slow := costs
	slow.Put = 100
	require.InDelta(t, 100+1-85.5, capacity.Predict(job, slow, network, 1).Communication, 1e-9, "the append is longer than the computing")
}

func TestOneWorkerCommitsManyShortStepsAtOnce(t *testing.T) {
	short := costs
	short.Microbatch, short.Add, short.Fold, short.Queue = 1e-3, 0, 1e-3, 0.9e-3 // 8 + 1 + 0.9 ms: 50 of them in half a second
	adam := job
	adam.Vectors = 3
	s := capacity.Predict(adam, short, network, 1)
	require.InDelta(t, 3e6/50, s.In, 1e-6, "a snapshot of three vectors")
	require.Zero(t, s.Out)
	require.InDelta(t, 3*(3+1)/50.-9e-3, s.Communication, 1e-9, "the snapshot is longer than the computing")
	require.InDelta(t, 0.9e-3/50, s.Queue, 1e-9)

	short.Microbatch = (0.5/4 - 2e-3) / 8 // four steps in half a second
	require.InDelta(t, 1e6, capacity.Predict(adam, short, network, 1).In, 0, "three vectors for four steps are not worth it")
	adam.Vectors = 2
	require.InDelta(t, 2e6/4, capacity.Predict(adam, short, network, 1).In, 1e-6)
	adam.Wire = wire.Format{Encoding: wire.Bfloat16}
	require.InDelta(t, 1e6, capacity.Predict(adam, short, network, 1).In, 0, "each root and its residual, of two bytes a number")
}

func TestFourWorkersByHand(t *testing.T) {
	s := capacity.Predict(job, costs, network, 4)
	require.Equal(t, 4, s.Tasks)
	require.InDelta(t, 2*10+0.5+2, s.Compute, 1e-9)
	store := 3.0                    // ¾ of (3 + 1) on its own link; as much on Redis's
	reduce := 0.75*(4+1) + 0.75*0.5 // three quarters of others' vectors, and their addition
	commit := 1.0                   // ¼ of (3 + 1); as much on Redis's link
	roots := 3.75                   // ¾ of (4 + 1)
	require.InDelta(t, store+reduce+commit+roots, s.Communication, 1e-9)
	require.InDelta(t, 1+3*0.125, s.Queue, 1e-9)
	require.InDelta(t, 4e6, s.In, 0, "three partials and the root")
	require.InDelta(t, 6e6, s.Out, 0, "three partials, and the root three times")
}

func TestRedisLinkIsShared(t *testing.T) {
	far := capacity.Predict(job, costs, network, 64)
	require.Equal(t, 8, far.Tasks, "no more tasks than micro-batches")
	require.InDelta(t, 7+7+0.875*0.5+1+63, far.Communication, 1e-9, "63 roots one after the other on Redis's link")
}

func TestAGradientOfOneChunkIsNotShared(t *testing.T) {
	small := job
	small.Chunks = 1
	s := capacity.Predict(small, costs, network, 2)
	require.InDelta(t, 4+(5+0.5)+4+5, s.Communication, 1e-9, "one stores all, the other reduces all and appends it, which the first reads")
}

func TestLimits(t *testing.T) {
	free := capacity.Network{Bandwidth: 1e15}
	for _, test := range []struct {
		name    string
		costs   capacity.Costs
		network capacity.Network
		limit   int
		workers int
		bound   capacity.Bound
	}{
		{"all help", capacity.Costs{Microbatch: 10}, free, 4, 4, capacity.Compute},
		{"no more tasks", capacity.Costs{Microbatch: 10}, free, 64, 8, capacity.Microbatches},
		{"nothing but overhead", capacity.Costs{Microbatch: 1e-6, Queue: 1}, free, 64, 1, capacity.Queue},
		{"slow Redis", capacity.Costs{Microbatch: 1e-3, Put: 1, Get: 1}, free, 64, 1, capacity.Redis},
		{"slow link", capacity.Costs{Microbatch: 1e-3}, network, 64, 1, capacity.Bandwidth},
	} {
		s, bound := capacity.Limit(job, test.costs, test.network, test.limit)
		require.Equal(t, test.workers, s.Workers, test.name)
		require.Equal(t, test.bound, bound, test.name)
	}
}

func TestCheaperIsNeverSlower(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seconds := rapid.Float64Range(0, 10)
		c := capacity.Costs{
			Microbatch: seconds.Draw(t, "microbatch"), Add: seconds.Draw(t, "add"), Fold: seconds.Draw(t, "fold"), Put: seconds.Draw(t, "put"),
			Get: seconds.Draw(t, "get"), SharedPut: seconds.Draw(t, "shared put"), SharedGet: seconds.Draw(t, "shared get"), Queue: 1e-6, Task: seconds.Draw(t, "task"),
		}
		j := capacity.Job{Params: rapid.IntRange(1, 1e8).Draw(t, "params"), Chunks: rapid.IntRange(1, 2000).Draw(t, "chunks"), Batch: 512, Microbatches: rapid.IntRange(1, 512).Draw(t, "microbatches")}
		n := capacity.Network{Bandwidth: rapid.Float64Range(1e6, 1e12).Draw(t, "bandwidth")}
		workers := rapid.IntRange(1, 300).Draw(t, "workers")
		s := capacity.Predict(j, c, n, workers)

		wider := n
		wider.Bandwidth *= 2
		require.LessOrEqual(t, capacity.Predict(j, c, wider, workers).Seconds(), rounded(s.Seconds()))
		for _, cost := range []*float64{&c.Microbatch, &c.Add, &c.Fold, &c.Put, &c.Get, &c.SharedPut, &c.SharedGet, &c.Queue, &c.Task} {
			whole := *cost
			*cost /= 2
			require.LessOrEqual(t, capacity.Predict(j, c, n, workers).Seconds(), rounded(s.Seconds()))
			*cost = whole
		}
		more := capacity.Predict(j, c, n, workers+1)
		require.LessOrEqual(t, more.Compute, rounded(s.Compute), "a worker more never computes longer")
		require.GreaterOrEqual(t, more.Out, s.Out)
		require.GreaterOrEqual(t, more.In, s.In)
	})
}

// rounded allows for the rounding of sums in another order.
func rounded(seconds float64) float64 { return seconds * (1 + 1e-12) }
