package redis

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"tributary/shared/access"
	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/ledger/ledgertest"
	"tributary/shared/ledger/redis/redistest"
	"tributary/shared/tree"
)

func TestEvictingServerIsRefused(t *testing.T) {
	for _, policy := range []string{"allkeys-lru", "volatile-ttl"} {
		s := redistest.Start(t, "--maxmemory-policy", policy)
		if s == nil {
			return
		}
		_, err := Open(t.Context(), Config{URL: access.URL(s.URL)})
		require.ErrorIs(t, err, job.ErrInvalid)
		require.ErrorContains(t, err, policy)
		require.ErrorContains(t, err, "config set maxmemory-policy noeviction")
		require.ErrorContains(t, err, s.Addr)
	}
}

// A user may not read the configuration: then INFO shows the policy. If neither is allowed,
// Open logs a warning.
func TestServerThatReportsLittle(t *testing.T) {
	s := redistest.Start(t, "--maxmemory-policy", "allkeys-lru",

		"--user", "careful", "on", ">secret", "~*", "+@all", "-config",
		"--user", "blind", "on", ">secret", "~*", "+@all", "-config", "-info")
	if s == nil {
		return
	}
	_, err := Open(t.Context(), Config{URL: access.URL(s.URL), Username: "careful", Password: "secret"})
	require.ErrorContains(t, err, "allkeys-lru")
	var log bytes.Buffer
	l, err := Open(t.Context(), Config{URL: access.URL(s.URL), Username: "blind", Password: "secret", Log: zerolog.New(&log)})
	require.NoError(t, err)
	require.NoError(t, l.Close())
	require.Contains(t, log.String(), "does not show its maxmemory-policy")
}

func TestWrongPasswordIsRefusedAtOnce(t *testing.T) {
	s := redistest.Start(t, "--requirepass", "right")
	if s == nil {
		return
	}
	for _, cfg := range []Config{{URL: access.URL(s.URL)}, {URL: access.URL(s.URL), Password: "wrong"}, {URL: access.URL(s.URL), Username: "nobody", Password: "right"}} {
		_, err := Open(t.Context(), cfg)
		require.ErrorIs(t, err, job.ErrInvalid)
	}
	l, err := Open(t.Context(), Config{URL: access.URL(s.URL), Password: "right"})
	require.NoError(t, err)
	require.NoError(t, l.control.Ping(t.Context()).Err())
	require.NoError(t, l.Close())
}

func TestFacts(t *testing.T) {
	for version, old := range map[string]bool{
		"": false, "strange": false, "x.y": false, "7.2.4": false, "6.2": false, "6.2.0": false, "8.0.1": false,
		"6.0.16": true, "5.0.7": true, "2.8": true,
	} {
		require.Equal(t, old, tooOld(version), version)
		err := facts{version: version, policy: wantedPolicy}.check(zerolog.Nop())
		require.Equal(t, old, err != nil, version)
	}
}

// A full server is back-pressure: no step is committed without its root, and the job
// continues when there is memory again.
func TestServerThatFillsUp(t *testing.T) {
	s := redistest.Start(t, "--maxmemory", "6mb")
	if s == nil {
		return
	}
	l, ctx := open(t, s.URL), t.Context()
	for _, chunk := range []int{64 << 10, 16 << 10} {
		lay := ledgertest.Layout(64<<10, chunk, 2)

		chain := lay.Genesis()
		var err error
		var step int64
		for ; err == nil && step < 100; step++ {
			root := ledgertest.Partial(lay, step, tree.Root)
			_, chain, err = l.Append(ctx, lay, ledger.LogWrite{Step: step, Chunks: lay.AllChunks(), Root: root, Before: chain})
		}
		require.ErrorIs(t, err, job.ErrFull)
		state, err := l.State(ctx, lay)
		require.NoError(t, err)
		require.Equal(t, step-1, state.Committed)
		require.NoError(t, l.Delete(ctx, lay))
		require.Eventually(t, func() bool { // the server frees memory in the background
			_, err := l.Put(ctx, lay, 0, 2, ledgertest.Partial(lay, 0, 2))
			return err == nil
		}, 5*time.Second, time.Millisecond)
		require.NoError(t, l.Delete(ctx, lay))
	}
}

func TestFullServer(t *testing.T) {
	s := redistest.Start(t)
	if s == nil {
		return
	}
	l, ctx := open(t, s.URL), t.Context()
	for _, chunk := range []int{4, 100} {
		require.NoError(t, l.control.ConfigSet(ctx, "maxmemory", "0").Err())
		lay := ledgertest.Layout(9, chunk, 4)
		writeStep(t, l, lay)
		require.NoError(t, l.control.ConfigSet(ctx, "maxmemory", "1").Err())
		p := ledgertest.Partial(lay, 1, 4)
		v := make([]float32, lay.Params)
		errs := map[string]error{}
		_, errs["Put"] = l.Put(ctx, lay, 1, 4, p)
		_, _, errs["Append"] = l.Append(ctx, lay, ledger.LogWrite{Step: 1, Chunks: lay.AllChunks(), Root: ledger.Partial{Gradient: v}, Before: lay.Genesis()})
		errs["PutSnapshot"] = l.PutSnapshot(ctx, lay, ledger.Snapshot{Step: 1, Vectors: [][]float32{v}, Chain: lay.Genesis()})
		_, errs["PutEvaluation"] = l.PutEvaluation(ctx, lay, 0, "u", []byte("x"))
		for call, err := range errs {
			require.ErrorIs(t, err, job.ErrFull, call)
		}
		for call, err := range reads(t, l, lay) {
			require.NoError(t, err, call)
		}
		state, err := l.State(ctx, lay)
		require.NoError(t, err)
		require.Equal(t, ledger.State{Committed: 1}, state)
		nodes, err := l.Arrived(ctx, lay, 1)
		require.NoError(t, err)
		require.Equal(t, []tree.Node{2}, nodes, "a partial is kept until its root is")
		require.NoError(t, l.Delete(ctx, lay))
	}
}

func TestServerThatComesUpLate(t *testing.T) {
	s := redistest.Reserve(t)
	if s == nil {
		return
	}
	waiting := make(chan string, 100)
	log := zerolog.New(writer(func(p []byte) {
		select {
		case waiting <- string(p):
		default:
		}
	}))
	opened := make(chan error, 1)
	go func() {
		l, err := Open(t.Context(), Config{URL: access.URL(s.URL), Log: log})
		if err == nil {
			err = l.Close()
		}
		opened <- err
	}()
	require.Contains(t, <-waiting, "waiting for redis")
	s.Restart()
	require.NoError(t, <-opened)
}

func TestServerThatNeverComesUp(t *testing.T) {
	s := redistest.Reserve(t)
	if s == nil {
		return
	}
	ctx, cancel := context.WithCancel(t.Context())
	log := zerolog.New(writer(func([]byte) { cancel() }))
	_, err := Open(ctx, Config{URL: access.URL(s.URL), Log: log})
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorContains(t, err, "connection refused")
}

// A server is lost and comes back empty. The open ledger continues to work.
func TestServerThatIsLost(t *testing.T) {
	s := redistest.Start(t)
	if s == nil {
		return
	}
	l, lay := open(t, s.URL), ledgertest.Layout(100, 30, 2)
	writeStep(t, l, lay)
	s.Stop()
	for call, err := range reads(t, l, lay) {
		require.Error(t, err, call)
		require.NotErrorIs(t, err, job.ErrCorrupt, call)
		require.NotErrorIs(t, err, job.ErrNotFound, call)
	}
	s.Restart()
	require.Eventually(t, func() bool { // the pool tries to dial once a second
		state, err := l.State(t.Context(), lay)
		require.Zero(t, state)
		return err == nil
	}, 5*time.Second, time.Millisecond)
	writeStep(t, l, lay)
	for call, err := range reads(t, l, lay) {
		require.NoError(t, err, call)
	}
}

func TestDeleteLeavesNoKeys(t *testing.T) {
	redistest.Each(t, func(t *testing.T, url string) {
		l, ctx := open(t, url), t.Context()
		lay, other := ledgertest.Layout(9, 4, 2), ledgertest.Layout(9, 4, 2)
		other.Run = lay.Run + "1"
		writeStep(t, l, other)
		before := allKeys(t, l)
		for step := range int64(20) {
			_, err := l.PutEvaluation(ctx, lay, step, "u", []byte("x"))
			require.NoError(t, err)
			_, err = l.Put(ctx, lay, step, 2, ledgertest.Partial(lay, step, 2))
			require.NoError(t, err)
			_, _, err = l.Append(ctx, lay, ledger.LogWrite{Step: 2 * step, Chunks: []int{0}, Root: ledger.Partial{Gradient: make([]float32, 9)}, Before: lay.Genesis()})
			require.NoError(t, err)
		}
		writeStep(t, l, ledgertest.Layout(9, 4, 2))
		require.Greater(t, len(allKeys(t, l)), len(before)+30)
		// A call stored this partial and was interrupted before it recorded the arrival.
		pipe := l.pipeline(0)
		pipe.SAdd(ctx, keysOf(lay).steps(1), 1<<40)
		pipe.HSetNX(ctx, keysOf(lay).partials(1, 1<<40), "2", "cut off")
		require.NoError(t, pipe.exec(ctx))
		require.NoError(t, l.Delete(ctx, lay))
		for _, key := range allKeys(t, l) {
			require.NotContains(t, key, keysOf(lay).ref+":")
		}
		for call, err := range reads(t, l, other) {
			require.NoError(t, err, call)
		}
	})
}

func TestScriptsAreSentAgain(t *testing.T) {
	redistest.Each(t, func(t *testing.T, url string) {
		l, ctx := open(t, url), t.Context()
		forget := func() { require.NoError(t, l.control.ScriptFlush(ctx).Err()) }
		for _, chunk := range []int{2, 100} {
			lay := ledgertest.Layout(7, chunk, 2)
			forget()
			_, err := l.Put(ctx, lay, 0, 2, ledgertest.Partial(lay, 0, 2))
			require.NoError(t, err)
			forget()
			arrivals, err := l.Put(ctx, lay, 0, 3, ledgertest.Partial(lay, 0, 3))
			require.NoError(t, err)
			require.Equal(t, []tree.Node{2, 3}, arrivals[0].Cover)
			forget()
			root := ledgertest.Partial(lay, 0, 1)
			committed, _, err := l.Append(ctx, lay, ledger.LogWrite{Step: 0, Chunks: lay.AllChunks(), Root: root, Before: lay.Genesis()})
			require.NoError(t, err)
			require.True(t, committed)
			forget()
			require.NoError(t, l.PutSnapshot(ctx, lay, ledger.Snapshot{Step: 1, Vectors: [][]float32{root.Gradient}, Chain: lay.Genesis()}))
			forget()
			losses, err := l.Losses(ctx, lay, 0, 1)
			require.NoError(t, err)
			require.Len(t, losses, 1)
		}
	})
}

type writer func([]byte)

func (w writer) Write(p []byte) (int, error) { w(p); return len(p), nil }
