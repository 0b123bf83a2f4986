package main

import (
	"math"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// at returns a client that has received the commits of these steps, one each 100 ms.
func at(steps ...int64) *client {
	c := &client{}
	for i, n := range steps {
		c.commits = append(c.commits, commit{n, time.Unix(0, 0).Add(time.Duration(i) * 100 * time.Millisecond)})
	}
	return c
}

func TestPace(t *testing.T) {
	begin := time.Unix(0, 0)
	require.InDelta(t, 100, at(0, 10, 20, 30, 40, 50).pace(nil), 1e-9)
	// A late notice is not a loss of steps.
	require.InDelta(t, 100, at(0, 10, 20, 0, 40, 50).pace(nil), 1e-9)
	// After a loss the steps are committed again, and they count again.
	require.InDelta(t, 100*8/9., at(0, 10, 20, 30, 40, 0, 10, 20, 30, 40).pace(nil), 1e-9)
	// After a fault, the time until the first commit after its end is excused.
	slow := at(0, 10, 20, 30, 31, 32, 42, 52)
	require.InDelta(t, 100, slow.pace([]interval{{begin.Add(310 * time.Millisecond), begin.Add(490 * time.Millisecond)}}), 1e-9)
	require.True(t, math.IsNaN(at(0, 10).pace(nil)))
}

// A process that ends by itself counts as a fault. One that the tool ends does not,
// unless it panics.
func TestFault(t *testing.T) {
	run := func(script string) *process {
		p, err := spawn(t.Context(), os.Stderr, "sh", "-c", script)
		require.NoError(t, err)
		return p
	}
	p := run("exit 1")
	<-p.done
	require.Contains(t, p.fault(), "exit status 1")

	p = run("exec cat /dev/zero > /dev/null")
	require.Empty(t, p.fault())
	p.kill()
	require.Empty(t, p.fault())

	ready := filepath.Join(t.TempDir(), "ready")
	p = run("trap 'exit 2' TERM; touch " + ready + "; while :; do :; done")
	require.Eventually(t, func() bool { _, err := os.Stat(ready); return err == nil }, 20*time.Second, time.Millisecond)
	p.end(syscall.SIGTERM)
	require.Contains(t, p.fault(), "panicked")
}

func TestPanics(t *testing.T) {
	name := filepath.Join(t.TempDir(), "log")
	require.NoError(t, os.WriteFile(name, []byte("worker-1 | all is well\n"), 0o600))
	require.NoError(t, panics(name))
	require.NoError(t, os.WriteFile(name, []byte("worker-1 | ok\nworker-1 | panic: boom"), 0o600))
	require.ErrorContains(t, panics(name), "boom")
}

// A seed gives the same faults with neighbours and without, and always the same
// neighbours.
func TestScript(t *testing.T) {
	quiet, hostile := &scenarios{}, &scenarios{Hostile: true}
	seen := map[string]bool{}
	for seed := uint64(1); seed < 200; seed++ {
		a, b, again := quiet.script(seed, faults), hostile.script(seed, faults), hostile.script(seed, faults)
		require.Equal(t, a.workers, b.workers)
		require.Len(t, b.strikes, len(a.strikes))
		for i := range a.strikes {
			require.Equal(t, a.strikes[i].name, b.strikes[i].name)
			require.Equal(t, a.strikes[i].seed, b.strikes[i].seed)
		}
		require.Equal(t, seed%hostileEvery == 0, len(a.visits) > 0)
		require.Len(t, again.visits, len(b.visits))
		for i := range b.visits {
			require.Equal(t, b.visits[i].seed, again.visits[i].seed)
			seen[b.visits[i].name] = true
		}
	}
	require.Len(t, seen, len(neighbours))
}

func TestReplaceNumber(t *testing.T) {
	require.JSONEq(t, `{"a":1,"chunk_len":0}`, string(replaceNumber([]byte(`{"a":1,"chunk_len":65536}`), "chunk_len", "0")))
	require.JSONEq(t, `{"a":1}`, string(replaceNumber([]byte(`{"a":1}`), "b", "0")))
}
