package redis

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/ledger/ledgertest"
	"tributary/shared/ledger/redis/redistest"
	"tributary/shared/tree"
)

// train makes the calls of two workers for the steps from … to-1.
func train(t *testing.T, l *Ledger, lay ledger.Layout, from, to int64) {
	t.Helper()
	ctx := t.Context()
	for step := from; step < to; step++ {
		committed := false
		for _, node := range []tree.Node{2, 3} {
			arrivals, err := l.Put(ctx, lay, step, node, ledgertest.Partial(lay, step, node))
			require.NoError(t, err)
			committed = ledgertest.Reduce(ctx, t, l, lay, step, node, arrivals, nil) || committed
		}
		require.True(t, committed, "step %d", step)
	}
}

// requireTrained checks that the log has the right roots of the steps from … to-1, and that
// their links form one chain with the steps before.
func requireTrained(t *testing.T, l *Ledger, lay ledger.Layout, from, to int64) {
	t.Helper()
	chain := ledgertest.Chain(lay, from)
	for step := from; step < to; step++ {
		got := ledger.Partial{Gradient: make([]float32, lay.Params)}
		var err error
		got.Sums, chain, err = l.Root(t.Context(), lay, ledger.LogRead{Step: step, Chunks: lay.AllChunks(), Dst: got.Gradient, Before: chain})
		require.NoError(t, err)
		require.Equal(t, ledgertest.Partial(lay, step, tree.Root), got)
	}
	require.Equal(t, ledgertest.Chain(lay, to), chain)
	_, _, err := l.Root(t.Context(), lay, ledger.LogRead{Step: to, Chunks: lay.AllChunks(), Dst: make([]float32, lay.Params), Before: chain})
	require.ErrorIs(t, err, job.ErrNotFound)
}

func requireState(t *testing.T, l *Ledger, lay ledger.Layout, want ledger.State) {
	t.Helper()
	got, err := l.State(t.Context(), lay)
	require.NoError(t, err)
	require.Equal(t, want, got)
}

// snapshot returns the job's snapshot after step steps, as a checkpoint has it.
func snapshot(lay ledger.Layout, step int64) ledger.Snapshot {
	return ledger.Snapshot{Step: step, Vectors: [][]float32{ledgertest.Partial(lay, step, tree.Root).Gradient}, Chain: ledgertest.Chain(lay, step)}
}

// crash kills the server, starts it again and waits until the ledger has a
// connection.
func crash(t *testing.T, s *redistest.Server, l *Ledger) {
	t.Helper()
	s.Stop()
	s.Restart()
	require.Eventually(t, func() bool { return l.control.Ping(t.Context()).Err() == nil }, 10*time.Second, time.Millisecond)
}

// eachLayout runs a test with a job of one chunk and one of several.
func eachLayout(t *testing.T, test func(t *testing.T, lay ledger.Layout)) {
	t.Helper()
	for name, chunk := range map[string]int{"one chunk": 100, "chunks": 3} {
		t.Run(name, func(t *testing.T) { test(t, ledgertest.Layout(7, chunk, 2)) })
	}
}

// A server that saves every command before it answers is killed in the middle of a step.
// Nothing is lost.
func TestServerThatRestartsWithItsData(t *testing.T) {
	s := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	if s == nil {
		return
	}
	l := open(t, s.URL)
	eachLayout(t, func(t *testing.T, lay ledger.Layout) {
		train(t, l, lay, 0, 3)
		require.NoError(t, l.PutSnapshot(t.Context(), lay, snapshot(lay, 2)))
		_, err := l.Put(t.Context(), lay, 3, 2, ledgertest.Partial(lay, 3, 2))
		require.NoError(t, err)
		crash(t, s, l)
		requireState(t, l, lay, ledger.State{Committed: 3, Snapshot: 2, Floor: 2})
		arrivals, err := l.Put(t.Context(), lay, 3, 3, ledgertest.Partial(lay, 3, 3))
		require.NoError(t, err)
		require.True(t, ledgertest.Reduce(t.Context(), t, l, lay, 3, 3, arrivals, nil), "the other half was kept")
		train(t, l, lay, 4, 6)
		requireTrained(t, l, lay, 2, 6)
	})
}

// The server loses all data in the middle of a step. The job continues from a checkpoint,
// or starts again, and reaches the same bytes.
func TestServerThatIsFlushed(t *testing.T) {
	s := redistest.Start(t)
	if s == nil {
		return
	}
	l := open(t, s.URL)
	for _, checkpoint := range []int64{0, 3} {
		eachLayout(t, func(t *testing.T, lay ledger.Layout) {
			ctx := t.Context()
			train(t, l, lay, 0, 4)
			_, err := l.Put(ctx, lay, 4, 2, ledgertest.Partial(lay, 4, 2))
			require.NoError(t, err)
			require.NoError(t, l.control.FlushAll(ctx).Err())
			requireState(t, l, lay, ledger.State{})
			arrivals, err := l.Put(ctx, lay, 4, 3, ledgertest.Partial(lay, 4, 3))
			require.NoError(t, err)
			require.False(t, ledgertest.Reduce(ctx, t, l, lay, 4, 3, arrivals, nil), "half of the step is lost")
			if checkpoint > 0 {
				require.NoError(t, ledgertest.Begin(ctx, l, lay, snapshot(lay, checkpoint)))
				requireState(t, l, lay, ledger.State{Committed: checkpoint, Snapshot: checkpoint, Floor: checkpoint})
			}
			train(t, l, lay, checkpoint, 6)
			requireTrained(t, l, lay, checkpoint, 6)
			require.NoError(t, l.Delete(ctx, lay))
			require.Empty(t, allKeys(t, l))
		})
	}
}

// The server comes back with an old copy of its data. Workers repeat steps, with the same
// bytes, and a reader that was further on continues. If the bytes were different, the
// reader would notice.
func TestServerThatComesBackWithAnOldCopy(t *testing.T) {
	for name, same := range map[string]bool{"the same way again": true, "another way": false} {
		t.Run(name, func(t *testing.T) {
			s := redistest.Start(t)
			if s == nil {
				return
			}
			l := open(t, s.URL)
			eachLayout(t, func(t *testing.T, lay ledger.Layout) {
				ctx := t.Context()
				train(t, l, lay, 0, 2)
				_, err := l.Put(ctx, lay, 2, 2, ledgertest.Partial(lay, 2, 2))
				require.NoError(t, err)
				require.NoError(t, l.control.Save(ctx).Err())
				train(t, l, lay, 2, 5)
				require.NoError(t, l.PutSnapshot(ctx, lay, snapshot(lay, 4)))
				crash(t, s, l)
				requireState(t, l, lay, ledger.State{Committed: 2})
				dst, newer := make([]float32, lay.Params), ledgertest.Chain(lay, 5)
				_, _, err = l.Root(ctx, lay, ledger.LogRead{Step: 5, Chunks: lay.AllChunks(), Dst: dst, Before: newer})
				require.ErrorIs(t, err, job.ErrNotFound, "it is not there yet, which is no fork")
				if same {
					train(t, l, lay, 2, 6)
					requireTrained(t, l, lay, 0, 6)
					_, _, err = l.Root(ctx, lay, ledger.LogRead{Step: 5, Chunks: lay.AllChunks(), Dst: dst, Before: newer})
					require.NoError(t, err)
					return
				}
				chain := ledgertest.Chain(lay, 2)
				for step := int64(2); step < 6; step++ {
					root := ledgertest.Partial(lay, step, tree.Root)
					root.Sums.Examples++
					_, chain, err = l.Append(ctx, lay, ledger.LogWrite{Step: step, Chunks: lay.AllChunks(), Root: root, Before: chain})
					require.NoError(t, err)
				}
				_, _, err = l.Root(ctx, lay, ledger.LogRead{Step: 5, Chunks: lay.AllChunks(), Dst: dst, Before: newer})
				require.ErrorIs(t, err, job.ErrCorrupt)
				require.ErrorContains(t, err, "rolled back")
			})
		})
	}
}

// The server's memory is full at every point of a step and of a snapshot. The call fails as
// full. When there is memory again, the same call continues where it stopped.
func TestServerThatHasMemoryAgain(t *testing.T) {
	s := redistest.Start(t)
	if s == nil {
		return
	}
	l := open(t, s.URL)
	eachLayout(t, func(t *testing.T, lay ledger.Layout) {
		ctx := t.Context()
		full := func(bytes string) { require.NoError(t, l.control.ConfigSet(ctx, "maxmemory", bytes).Err()) }
		refused := func(what string, call func() error) {
			t.Helper()
			full("1")
			require.ErrorIs(t, call(), job.ErrFull, what)
			full("0")
			require.NoError(t, call(), what)
		}
		for step := range int64(3) {
			refused("put", func() error {
				_, err := l.Put(ctx, lay, step, 2, ledgertest.Partial(lay, step, 2))
				return err
			})
			full("1")
			arrivals, err := l.Put(ctx, lay, step, 3, ledgertest.Partial(lay, step, 3))
			full("0")
			require.NoError(t, err, "what completes a step needs no memory")
			require.Equal(t, []tree.Node{2, 3}, arrivals[0].Cover)
			root, committed := ledgertest.Partial(lay, step, tree.Root), false
			refused("append", func() (err error) {
				committed, _, err = l.Append(ctx, lay, ledger.LogWrite{Step: step, Chunks: lay.AllChunks(), Root: root, Before: ledgertest.Chain(lay, step)})
				return err
			})
			require.True(t, committed)
		}
		requireTrained(t, l, lay, 0, 3)
		refused("snapshot", func() error { return l.PutSnapshot(ctx, lay, snapshot(lay, 2)) })
		requireState(t, l, lay, ledger.State{Committed: 3, Snapshot: 2, Floor: 2})
		refused("evaluation", func() error {
			_, err := l.PutEvaluation(ctx, lay, 2, "u", []byte("x"))
			return err
		})
		full("1")
		require.NoError(t, l.Delete(ctx, lay), "there must be a way out")
		full("0")
		require.Empty(t, allKeys(t, l))
	})
}

// The server takes longer than its caller's deadline. The call fails with the deadline,
// whether it took effect or not, and repeating it is correct.
func TestServerThatIsSlow(t *testing.T) {
	s := redistest.Start(t)
	if s == nil {
		return
	}
	proxy := redistest.NewProxy(t, s)
	l := open(t, proxy.URL)
	eachLayout(t, func(t *testing.T, lay ledger.Layout) {
		for step := range int64(2) {
			root := ledgertest.Partial(lay, step, tree.Root)
			call := func(ctx context.Context) error {
				_, _, err := l.Append(ctx, lay, ledger.LogWrite{Step: step, Chunks: lay.AllChunks(), Root: root, Before: ledgertest.Chain(lay, step)})
				return err
			}
			release := proxy.Hold()
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			require.ErrorIs(t, call(ctx), context.DeadlineExceeded)
			cancel()
			release()
			require.NoError(t, call(t.Context()))
		}
		requireTrained(t, l, lay, 0, 2)
	})
}
