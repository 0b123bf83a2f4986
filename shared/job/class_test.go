package job

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestTheClassOfAJob(t *testing.T) {
	const gib = 1 << 30
	for _, c := range []struct {
		operations []Capability
		memory     int64
		want       Class
	}{
		{nil, 0, ""},
		{nil, gib - 1, ""},
		{nil, gib, "memory-1gib"},
		{nil, 4*gib - 1, "memory-1gib"},
		{nil, 4 * gib, "memory-4gib"},
		{nil, 1 << 60, "memory-64gib"},
		{[]Capability{"conv"}, 0, "conv"},
		{[]Capability{"conv", "attention"}, 17 * gib, "attention+memory-16gib"},
	} {
		got := ClassFor(c.operations, c.memory)
		require.Equal(t, c.want, got)
		require.NoError(t, got.Validate())
	}
	require.Equal(t, Class(""), Class("memory-4gib").AnyMemory())
	require.Equal(t, Class("conv"), Class("conv+memory-4gib").AnyMemory())
	for _, bad := range []Class{"a.b", "a b", "+", "a+", "a+b+c", "A", "-a", ">", "*"} {
		require.ErrorIs(t, bad.Validate(), ErrInvalid, bad)
	}
}

// A worker that knows the operations of a job and can hold it serves its class. A worker
// serves the classes within its capabilities and no others.
func TestWorkersServeTheClassesOfJobsThatTheyCanDo(t *testing.T) {
	operations := []Capability{"one", "two", "three"} // in the order in which they were added
	rapid.Check(t, func(t *rapid.T) {
		known := operations[:rapid.IntRange(0, 3).Draw(t, "known")]
		memory := rapid.Int64Range(0, 1<<40).Draw(t, "memory")
		serves := Classes(known, memory)
		capabilities := append(slices.Clone(known), MemoryClasses(memory)...)
		require.NotContains(t, serves, Class(""))
		require.Less(t, len(serves), 5*(1+len(known)), "few")

		asks := operations[:rapid.IntRange(0, 3).Draw(t, "asks")]
		need := rapid.Int64Range(0, 1<<40).Draw(t, "need")
		class := ClassFor(asks, need)
		within := class.Within(capabilities)
		require.Equal(t, class == "" || slices.Contains(serves, class), within)
		if len(asks) <= len(known) && need <= memory {
			require.True(t, within)
		}
	})
}
