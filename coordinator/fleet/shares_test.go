package fleet

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tributary/shared/notice"
)

func TestShares(t *testing.T) {
	for _, c := range []struct {
		name   string
		slots  int
		claims []Claim
		want   []int
	}{
		{"nobody asks", 4, nil, []int{}},
		{"nobody works", 0, []Claim{{10, 0}, {10, 0}}, []int{0, 0}},
		{"one job has all", 7, []Claim{{10, 0}}, []int{7}},
		{"equal priorities, equal shares", 8, []Claim{{10, 0}, {10, 0}}, []int{4, 4}},
		{"the first has what does not divide", 9, []Claim{{10, 0}, {10, 0}}, []int{5, 4}},
		{"three to one", 8, []Claim{{30, 0}, {10, 0}}, []int{6, 2}},
		{"everyone has a slot", 8, []Claim{{100, 0}, {1, 0}}, []int{7, 1}},
		{"more jobs than slots", 2, []Claim{{10, 0}, {10, 0}, {1, 0}}, []int{1, 1, 1}},
		{"what one may not use, the others do", 10, []Claim{{10, 2}, {10, 0}}, []int{2, 8}},
		{"nobody may use more", 10, []Claim{{10, 2}, {10, 3}}, []int{2, 3}},
	} {
		t.Run(c.name, func(t *testing.T) { require.Equal(t, c.want, Shares(c.slots, c.claims)) })
	}
}

func TestSharesOfAnyFleet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		slots := rapid.IntRange(1, 200).Draw(t, "slots")
		claims := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Claim {
			return Claim{Priority: rapid.IntRange(1, 100).Draw(t, "priority"), MaxSlots: rapid.IntRange(0, 20).Draw(t, "max")}
		}), 1, 12).Draw(t, "claims")
		shares, more := Shares(slots, claims), Shares(slots+1, claims)
		given, room := 0, 0
		for i, c := range claims {
			require.GreaterOrEqual(t, shares[i], 1)
			require.LessOrEqual(t, shares[i], more[i], "a slot more takes nothing away")
			given += shares[i]
			if c.MaxSlots == 0 {
				room += slots
			} else {
				require.LessOrEqual(t, shares[i], c.MaxSlots)
				room += c.MaxSlots
			}
			for j, other := range claims {
				if c.Priority >= other.Priority && (c.MaxSlots == 0 || c.MaxSlots > shares[i]) {
					require.GreaterOrEqual(t, shares[i]+1, shares[j], "who is as urgent and not at its bound has no less, but for one that does not divide")
				}
			}
		}
		require.Equal(t, max(len(claims), min(slots, room)), given, "no slot idles that somebody may use")
	})
}

func TestSharesAreInProportion(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		slots := rapid.IntRange(50, 400).Draw(t, "slots")
		priorities := rapid.SliceOfN(rapid.IntRange(10, 100), 1, 5).Draw(t, "priorities")
		claims, sum := make([]Claim, len(priorities)), 0
		for i, p := range priorities {
			claims[i], sum = Claim{Priority: p}, sum+p
		}
		for i, share := range Shares(slots, claims) {
			exact := float64(slots*priorities[i]) / float64(sum)
			require.InDelta(t, exact, share, float64(len(claims)))
		}
	})
}

// oneByOne computes Shares in the plainest way, in slots × claims steps.
func oneByOne(slots int, claims []Claim) []int {
	shares := make([]int, len(claims))
	if slots <= 0 {
		return shares
	}
	for i := range shares {
		shares[i] = 1
	}
	for range slots - len(claims) {
		next := -1
		for i, c := range claims {
			if c.MaxSlots > 0 && shares[i] >= c.MaxSlots {
				continue
			}
			if next < 0 || c.Priority*(2*shares[next]+1) > claims[next].Priority*(2*shares[i]+1) {
				next = i
			}
		}
		if next < 0 {
			break
		}
		shares[next]++
	}
	return shares
}

func TestSharesAreThoseOfOneSlotAtATime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		slots := rapid.IntRange(0, 3000).Draw(t, "slots")
		claims := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Claim {
			return Claim{Priority: rapid.IntRange(1, 100).Draw(t, "priority"), MaxSlots: rapid.OneOf(rapid.Just(0), rapid.IntRange(1, 300)).Draw(t, "max")}
		}), 0, 40).Draw(t, "claims")
		require.Equal(t, oneByOne(slots, claims), Shares(slots, claims))
	})
}

// Workers may claim anything: 4096 workers with 4096 slots each, and ten thousand jobs
// with priorities that no spec may have.
func TestSharesOfAnAbsurdFleet(t *testing.T) {
	const slots = MaxWorkers * notice.MaxSlots
	claims := make([]Claim, 10_000)
	for i := range claims {
		claims[i].Priority = i%100 + 1
	}
	claims[1].Priority, claims[2].Priority, claims[3].MaxSlots = -5, math.MaxInt, 7
	shares, given := Shares(slots, claims), 0
	for _, s := range shares {
		require.Positive(t, s)
		given += s
	}
	require.Equal(t, slots, given)
	require.Equal(t, 7, shares[3])
	require.Greater(t, shares[2], slots/2)
}
