package fleet

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
	"tributary/shared/notice"
)

func TestAWorkerCountsUntilItIsSilentOrLeaves(t *testing.T) {
	f := New()
	require.True(t, f.Beat(0, notice.Beat{Worker: "a", Slots: 2, Numerics: "x"}))
	require.False(t, f.Beat(time.Second, notice.Beat{Worker: "a", Slots: 2, Numerics: "x"}), "nothing new")
	require.True(t, f.Beat(time.Second, notice.Beat{Worker: "b", Slots: 3, Numerics: "x"}))
	require.Equal(t, 5, f.Slots("x"))

	require.False(t, f.Expire(4*time.Second), "silent for exactly the patience")
	require.True(t, f.Beat(4*time.Second, notice.Beat{Worker: "b", Leaving: true}))
	require.Equal(t, 2, f.Slots("x"))
	require.True(t, f.Expire(4*time.Second+1))
	require.Zero(t, f.Workers())
	require.False(t, f.Beat(5*time.Second, notice.Beat{Worker: "b", Leaving: true}), "it had left before")
}

func TestNumericsWithMostSlotsComeFirst(t *testing.T) {
	f := New()
	f.Beat(0, notice.Beat{Worker: "a", Slots: 2, Numerics: "x"})
	f.Beat(0, notice.Beat{Worker: "b", Slots: 3, Numerics: "y"})
	f.Beat(0, notice.Beat{Worker: "c", Slots: 2, Numerics: "w"})
	require.Equal(t, []job.Numerics{"y", "w", "x"}, f.Numerics())
	require.Zero(t, f.Slots("z"))
}
