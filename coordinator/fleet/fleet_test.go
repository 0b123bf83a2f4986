package fleet

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tributary/shared/job"
	"tributary/shared/notice"
)

func TestAWorkerCountsUntilItIsSilentOrLeaves(t *testing.T) {
	f := New()
	require.True(t, f.Beat(0, notice.Beat{Worker: "a", Slots: 2, Numerics: "x"}))
	require.False(t, f.Beat(time.Second, notice.Beat{Worker: "a", Slots: 2, Numerics: "x"}), "nothing new")
	require.True(t, f.Beat(time.Second, notice.Beat{Worker: "b", Slots: 3, Numerics: "x"}))
	require.Equal(t, 5, f.Slots("x", Need{}))

	require.False(t, f.Expire(4*time.Second), "silent for exactly the patience")
	require.True(t, f.Beat(4*time.Second, notice.Beat{Worker: "b", Leaving: true}))
	require.Equal(t, 2, f.Slots("x", Need{}))
	require.True(t, f.Expire(4*time.Second+1))
	require.Zero(t, f.Workers())
	require.False(t, f.Beat(5*time.Second, notice.Beat{Worker: "b", Leaving: true}), "it had left before")
}

func TestNumericsWithMostSlotsComeFirst(t *testing.T) {
	f := New()
	f.Beat(0, notice.Beat{Worker: "a", Slots: 2, Numerics: "x"})
	f.Beat(0, notice.Beat{Worker: "b", Slots: 3, Numerics: "y"})
	f.Beat(0, notice.Beat{Worker: "c", Slots: 2, Numerics: "w"})
	require.Equal(t, []job.Numerics{"y", "w", "x"}, f.Numerics(Need{}))
	require.Zero(t, f.Slots("z", Need{}))
}

func TestBeatsOutOfBoundsAreIgnored(t *testing.T) {
	f := New()
	for _, b := range []notice.Beat{
		{Slots: 2, Numerics: "x"},
		{Worker: "a", Slots: -1, Numerics: "x"},
		{Worker: "a", Slots: notice.MaxSlots + 1, Numerics: "x"},
		{Worker: "a", Slots: 1, Numerics: "x", Memory: -1},
		{Worker: strings.Repeat("a", 1000), Slots: 1, Numerics: "x"},
		{Worker: "a", Slots: 1, Numerics: job.Numerics(strings.Repeat("x", 1000))},
	} {
		require.False(t, f.Beat(0, b))
	}
	require.Zero(t, f.Workers())
	for i := range MaxWorkers {
		require.True(t, f.Beat(0, notice.Beat{Worker: strconv.Itoa(i), Slots: notice.MaxSlots, Numerics: "x"}))
	}
	require.False(t, f.Beat(0, notice.Beat{Worker: "one more", Slots: 1, Numerics: "x"}))
	require.True(t, f.Beat(0, notice.Beat{Worker: "7", Slots: 1, Numerics: "x"}), "one that is known is heard")
	require.True(t, f.Beat(0, notice.Beat{Worker: "7", Leaving: true}))
	require.True(t, f.Beat(0, notice.Beat{Worker: "one more", Slots: 1, Numerics: "x"}))
	require.Equal(t, MaxWorkers, f.Workers())
	require.Equal(t, (MaxWorkers-1)*notice.MaxSlots+1, f.Slots("x", Need{}))
}

// The fleet's answers about memory equal those of a plain count.
func TestWorkersThatCanHoldAJob(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f, beats := New(), map[string]notice.Beat{}
		memory := rapid.SampledFrom([]int64{0, 1, 2, 3, 4})
		for range rapid.IntRange(1, 30).Draw(t, "beats") {
			b := notice.Beat{
				Worker: rapid.SampledFrom([]string{"a", "b", "c", "d", "e"}).Draw(t, "worker"), Numerics: rapid.SampledFrom([]job.Numerics{"x", "y"}).Draw(t, "numerics"),
				Slots: rapid.IntRange(0, 4).Draw(t, "slots"), Memory: memory.Draw(t, "memory"),
				Capabilities: rapid.SampledFrom([][]job.Capability{nil, {"memory-1gib"}, {"conv", "memory-1gib"}}).Draw(t, "capabilities"),
				Aside:        rapid.Bool().Draw(t, "aside"), Leaving: rapid.IntRange(0, 5).Draw(t, "leaving") == 0,
			}
			f.Beat(0, b)
			if beats[b.Worker] = b; b.Leaving {
				delete(beats, b.Worker)
			}
			need := Need{Memory: memory.Draw(t, "need"), Class: rapid.SampledFrom([]job.Class{"", "conv", "memory-1gib", "conv+memory-1gib"}).Draw(t, "class")}
			can := func(b notice.Beat, c job.Class) bool {
				return b.Numerics == "x" && c.Within(b.Capabilities) && (need.Memory == 0 || b.Memory == 0 || b.Memory >= need.Memory)
			}
			class := need.Class // unless a worker that can hold the job serves it only without its memory class
			for _, b := range beats {
				if can(b, need.Class.AnyMemory()) && !can(b, need.Class) {
					class = need.Class.AnyMemory()
				}
			}
			slots, team, holding := 0, 0, false
			workers, most := 0, int64(0)
			for _, b := range beats {
				if b.Numerics == "x" {
					workers, most = workers+1, max(most, b.Memory)
				}
				if !can(b, class) {
					continue
				}
				holding = true
				if !b.Aside {
					slots, team = slots+b.Slots, gcd(team, b.Slots)
				}
			}
			if holding {
				require.Equal(t, class, f.Class("x", need))
			}
			require.Equal(t, slots, f.Slots("x", need))
			require.Equal(t, team, f.Team("x", need))
			require.Equal(t, holding, slices.Contains(f.Numerics(need), "x"))
			gotWorkers, gotMost := f.Largest("x")
			require.Equal(t, []any{workers, most}, []any{gotWorkers, gotMost})
		}
	})
}

// The fleet drops at once a worker that is known to be gone.
func TestRemove(t *testing.T) {
	f := New()
	f.Beat(0, notice.Beat{Worker: "a", Numerics: "n", Slots: 2})
	f.Beat(0, notice.Beat{Worker: "b", Numerics: "n", Slots: 3})
	require.Equal(t, 5, f.Slots("n", Need{}))
	require.True(t, f.Remove("a"))
	require.False(t, f.Remove("a"))
	require.False(t, f.Has("a"))
	require.Equal(t, 3, f.Slots("n", Need{}))
	require.Equal(t, []string{"b"}, f.Names())
	require.True(t, f.Beat(0, notice.Beat{Worker: "a", Numerics: "n", Slots: 2}), "it has come back")
}
