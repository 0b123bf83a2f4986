package capacity_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tributary/coordinator/capacity"
)

// A job of 250,000 parameters, a megabyte, on links of 8 Mbit/s: a vector takes
// a second on the wire.
var (
	job   = capacity.Job{Params: 250_000, Batch: 64, Microbatches: 8}
	costs = capacity.Costs{
		Microbatch: 10, Add: 0.5, Fold: 2, Put: 3, Get: 4, SharedPut: 0.25, SharedGet: 0.5, Queue: 1,
	}
	network = capacity.Network{Bandwidth: 8e6}
)

func TestOneWorkerPutsTheRootAlone(t *testing.T) {
	s := capacity.Predict(job, costs, network, 1, 1)
	require.Equal(t, 1, s.Tasks)
	require.InDelta(t, 8*10+7*0.5+2, s.Compute, 1e-9)
	require.InDelta(t, 3+1, s.Communication, 1e-9, "an append and its wire")
	require.InDelta(t, 1e6, s.In, 0)
	require.Zero(t, s.Out)
	require.InDelta(t, 64/(85.5+4+1), s.Samples, 1e-9)
}

func TestFourWorkersByHand(t *testing.T) {
	s := capacity.Predict(job, costs, network, 4, 1)
	require.Equal(t, 4, s.Tasks)
	require.InDelta(t, 2*10+0.5+2, s.Compute, 1e-9)
	root := 5.0                 // 4 + its own wire > 3 on Redis's link, 1.5 of its thread
	put := 4.0                  // 3 + 1, as four on Redis's link
	reduce := 3 * (4 + 1 + 0.5) // one partial after the other, and its addition
	require.InDelta(t, root+put+reduce+4, s.Communication, 1e-9)
	require.InDelta(t, 5e6, s.In, 0, "four partials and the root")
	require.InDelta(t, 6e6, s.Out, 0, "three partials, and the root three times")
}

func TestRedisLinkIsShared(t *testing.T) {
	far := capacity.Predict(job, costs, network, 64, 1)
	require.Equal(t, 8, far.Tasks, "no more tasks than micro-batches")
	require.InDelta(t, 63.0+8+7*5.5+4, far.Communication, 1e-9, "63 roots one after the other on Redis's link")
}

func TestSlotsOfOneWorkerNeedNoRoot(t *testing.T) {
	s := capacity.Predict(job, costs, network, 1, 4)
	require.Equal(t, 4, s.Tasks)
	require.InDelta(t, 3e6, s.Out, 0, "its replica has the root already")
	require.InDelta(t, 3+4+3*5.5+4, s.Communication, 1e-9, "four puts on its own link")
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
		s, bound := capacity.Limit(job, test.costs, test.network, test.limit, 1)
		require.Equal(t, test.workers, s.Workers, test.name)
		require.Equal(t, test.bound, bound, test.name)
	}
}

func TestCheaperIsNeverSlower(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seconds := rapid.Float64Range(0, 10)
		c := capacity.Costs{
			Microbatch: seconds.Draw(t, "microbatch"), Add: seconds.Draw(t, "add"), Fold: seconds.Draw(t, "fold"), Put: seconds.Draw(t, "put"),
			Get: seconds.Draw(t, "get"), SharedPut: seconds.Draw(t, "shared put"), SharedGet: seconds.Draw(t, "shared get"), Queue: 1e-6,
		}
		j := capacity.Job{Params: rapid.IntRange(1, 1e8).Draw(t, "params"), Batch: 512, Microbatches: rapid.IntRange(1, 512).Draw(t, "microbatches")}
		n := capacity.Network{Bandwidth: rapid.Float64Range(1e6, 1e12).Draw(t, "bandwidth")}
		workers, slots := rapid.IntRange(1, 300).Draw(t, "workers"), rapid.IntRange(1, 16).Draw(t, "slots")
		s := capacity.Predict(j, c, n, workers, slots)

		wider := n
		wider.Bandwidth *= 2
		require.LessOrEqual(t, capacity.Predict(j, c, wider, workers, slots).Seconds(), s.Seconds())
		for _, cost := range []*float64{&c.Microbatch, &c.Add, &c.Fold, &c.Put, &c.Get, &c.SharedPut, &c.SharedGet, &c.Queue} {
			whole := *cost
			*cost /= 2
			require.LessOrEqual(t, capacity.Predict(j, c, n, workers, slots).Seconds(), s.Seconds())
			*cost = whole
		}
		more := capacity.Predict(j, c, n, workers+1, slots)
		require.LessOrEqual(t, more.Compute, s.Compute, "a worker more never computes longer")
		require.GreaterOrEqual(t, more.Out, s.Out)
		require.GreaterOrEqual(t, more.In, s.In)
	})
}
