package budget

import (
	"math"
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"
)

const gib = 1 << 30

func TestTheLeastLimitCounts(t *testing.T) {
	for _, c := range []struct {
		bounds []bound
		limit  int64
		source string
	}{
		{nil, 0, ""},
		{[]bound{{"machine", 8 * gib}}, 8 * gib, "machine"},
		{[]bound{{"ulimit -v", 3 * gib}, {"cgroup", 2 * gib}, {"machine", 8 * gib}}, 2 * gib, "cgroup"},
		{[]bound{{"cgroup", 0}, {"machine", 8 * gib}}, 8 * gib, "machine"},
		{[]bound{{"cgroup", math.MaxUint64}, {"ulimit -v", math.MaxInt64}}, 0, ""},
	} {
		limit, source := least(c.bounds)
		require.Equal(t, c.limit, limit)
		require.Equal(t, c.source, source)
	}
}

func TestTheMachineHasALimit(t *testing.T) {
	b := Find(0)
	require.Positive(t, b.Limit)
	require.NotEmpty(t, b.Source)
	require.Positive(t, b.Work())
}

func TestHowALimitIsDivided(t *testing.T) {
	b := Find(4 * gib)
	require.Equal(t, "--memory", b.Source)
	heap := int64(4 * gib / 100 * 90)
	require.Equal(t, heap-own, b.Work())
	require.Equal(t, int64(gib/2), b.Cache(gib/2))
	require.Equal(t, heap/4, b.Cache(2*gib), "a quarter")
	require.Equal(t, heap-own-gib/2-heap/4, b.Work())

	tiny := Find(1 << 20)
	require.Equal(t, int64(1), tiny.Work(), "nothing fits, which is not the same as unknown")

	var unknown Budget
	require.Equal(t, int64(gib), unknown.Cache(gib))
	require.Zero(t, unknown.Work())
}

func TestASoftLimitIsNotTakenOffTwice(t *testing.T) {
	before := debug.SetMemoryLimit(3 * gib)
	defer debug.SetMemoryLimit(before)
	require.Equal(t, int64(3*gib-own), Find(4*gib).Work(), "it is less than 90 % of the limit")
	require.Equal(t, int64(2*gib/100*90)-own, Find(2*gib).Work())
}

func TestSetsTheMemoryLimitUnlessGOMEMLIMITDoes(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	defer debug.SetMemoryLimit(before)
	t.Setenv("GOMEMLIMIT", "")
	Find(4 * gib).Apply()
	require.Equal(t, int64(4*gib/100*90), debug.SetMemoryLimit(before))
	t.Setenv("GOMEMLIMIT", "5GiB")
	Find(4 * gib).Apply()
	require.Equal(t, before, debug.SetMemoryLimit(-1))
}
