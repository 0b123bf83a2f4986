package team_test

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"tributary/shared/numeric/team"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// phases is work in which each phase needs the results of all threads in the phase before.
type phases struct {
	t      require.TestingT
	team   *team.Team
	counts [4]atomic.Int64
}

func (p *phases) Do(thread int) {
	for i := range p.counts {
		p.counts[i].Add(1)
		p.team.Barrier(thread)
		require.EqualValues(p.t, p.team.Threads(), p.counts[i].Load())
	}
}

func TestThreadsWorkAndWaitForEachOther(t *testing.T) {
	for _, threads := range []int{0, 1, 2, 3, 2 * runtime.NumCPU()} {
		m := team.New(threads)
		require.Equal(t, max(1, threads), m.Threads())
		for range 50 {
			p := &phases{t: t, team: m}
			require.NoError(t, m.Run(p))
			for i := range p.counts {
				require.EqualValues(t, m.Threads(), p.counts[i].Load())
			}
		}
		m.Close()
	}
}

func TestNoTeamIsTheCaller(t *testing.T) {
	var none *team.Team
	p := &phases{t: t, team: none}
	none.Rouse()
	require.NoError(t, none.Run(p))
	require.EqualValues(t, 1, p.counts[3].Load())
	none.Close()
}

// breaking is work with phases in which one thread panics before a Meet.
type breaking struct {
	team   *team.Team
	thread int
}

func (b *breaking) Do(thread int) {
	b.team.Barrier(thread)
	if thread == b.thread {
		panic("on purpose")
	}
	b.team.Barrier(thread)
	b.team.Barrier(thread)
}

// A panic of any thread ends the work of all threads. Run returns it as an error, and the
// team still works.
func TestAPanicOfAnyThreadIsAnError(t *testing.T) {
	for _, threads := range []int{1, 2, 3, 5} {
		m := team.New(threads)
		for round := range 20 {
			breaks := round % threads
			var p *team.Panic
			require.ErrorAs(t, m.Run(&breaking{m, breaks}), &p)
			require.Equal(t, breaks, p.Thread)
			require.Equal(t, "on purpose", p.Value)
			require.Contains(t, string(p.Stack), "breaking")
			require.EqualError(t, p, fmt.Sprintf("thread %d: on purpose", breaks))

			after := &phases{t: t, team: m}
			require.NoError(t, m.Run(after))
			for i := range after.counts {
				require.EqualValues(t, threads, after.counts[i].Load())
			}
		}
		m.Close()
	}
}

// allBreaking is work in which every thread except the caller panics; then the caller calls
// Meet.
type allBreaking struct {
	team     *team.Team
	breaking atomic.Int64
}

func (b *allBreaking) Do(thread int) {
	if thread > 0 {
		b.breaking.Add(1)
		panic("on purpose")
	}
	for b.breaking.Load() < int64(b.team.Threads()-1) {
		runtime.Gosched()
	}
	for range 20_000 { // usually their panics are stored by then
		runtime.Gosched()
	}
	b.team.Barrier(thread)
}

// The same input makes all threads panic. The thread that waits for them ends.
func TestManyPanicsAtOnceLeaveNobodyWaiting(t *testing.T) {
	m := team.New(5)
	defer m.Close()
	for range 20 {
		failed := make(chan error, 1)
		go func() { failed <- m.Run(&allBreaking{team: m}) }()
		select {
		case err := <-failed:
			require.IsType(t, (*team.Panic)(nil), err)
		case <-time.After(20 * time.Second):
			require.FailNow(t, "a thread waits for ever")
		}
	}
}

type nothing struct{}

func (nothing) Do(int) {}

// Helpers that sleep wake up, and nothing is allocated.
func TestSleepersAreWoken(t *testing.T) {
	m := team.New(3)
	defer m.Close()
	for range 20 {
		require.NoError(t, m.Run(nothing{}))
		for range 3000 { // long enough for helpers to sleep
			runtime.Gosched()
		}
		m.Rouse()
	}
	require.Zero(t, testing.AllocsPerRun(100, func() { _ = m.Run(nothing{}) }))
}

func BenchmarkRun(b *testing.B) {
	m := team.New(2)
	defer m.Close()
	for b.Loop() {
		_ = m.Run(nothing{})
	}
}
