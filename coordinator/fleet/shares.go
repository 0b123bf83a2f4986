package fleet

import (
	"container/heap"
	"sort"
)

// Claim is what a job asks of the fleet.
type Claim struct {
	Priority int // weight of its share, at least 1
	MaxSlots int // bound of its share; 0 for none
}

// Shares divides slots among claims, in their order: in proportion to the
// priorities, no more than a claim's bound, and no slot left over that somebody
// may use. Everyone has at least one slot, so that no job stands still: with
// more claims than slots there are more shares than slots, and the queue decides.
//
// Slots are given out one at a time to whoever has the fewest for its priority
// (Webster's method of highest averages, which favours neither great nor small
// priorities), so a slot that joins the fleet takes nothing away from anybody. All that
// are given before the average falls to some value are given at once, so it takes
// claims × log(slots) steps, and not one for each slot.
func Shares(slots int, claims []Claim) []int {
	shares := make([]int, len(claims))
	if slots <= 0 {
		return shares
	}
	given := fewest(slots, claims, shares)
	if given >= slots {
		return shares
	}
	q := &averages{claims: claims, shares: shares}
	for i := range claims {
		if q.open(i) {
			q.order = append(q.order, i)
		}
	}
	heap.Init(q)
	for ; given < slots && len(q.order) > 0; given++ {
		i := q.order[0]
		if shares[i]++; q.open(i) {
			heap.Fix(q, 0)
		} else {
			heap.Pop(q)
		}
	}
	return shares
}

// grain parts the averages so finely that between two values hardly any claim gets two slots.
const grain = 256

// fewest sets each share to what its claim has when the average priority / (2 share + 1) has
// fallen to grain/y, for the greatest y with which there are enough slots, and returns their
// sum. Everyone has a slot, enough or not.
func fewest(slots int, claims []Claim, shares []int) (given int) {
	sum := func(y int) int {
		given := 0
		for i, c := range claims {
			shares[i] = c.within(1 + max(0, (c.weight()*y/grain-1)/2))
			given += shares[i]
		}
		return given
	}
	y := sort.Search(grain*(2*slots+2), func(y int) bool { return sum(y+1) > slots })
	return sum(y)
}

// maxPriority bounds what a claim's priority is taken for: far above the 100 of a spec.
const maxPriority = 1 << 20

// weight is the priority that is reckoned with.
func (c Claim) weight() int { return min(max(1, c.Priority), maxPriority) }

// within is a share, at most the claim's bound.
func (c Claim) within(share int) int {
	if c.MaxSlots > 0 {
		return min(share, c.MaxSlots)
	}
	return share
}

// averages is a heap of the claims that may have more, by priority / (2 share + 1), the
// greatest first, of equal ones the first claim's.
type averages struct {
	claims []Claim
	shares []int
	order  []int
}

func (q *averages) open(i int) bool {
	return q.claims[i].MaxSlots <= 0 || q.shares[i] < q.claims[i].MaxSlots
}

func (q *averages) Len() int { return len(q.order) }

func (q *averages) Less(a, b int) bool {
	i, j := q.order[a], q.order[b]
	x, y := q.claims[i].weight()*(2*q.shares[j]+1), q.claims[j].weight()*(2*q.shares[i]+1) // compared without division
	return x > y || x == y && i < j
}

func (q *averages) Swap(a, b int) { q.order[a], q.order[b] = q.order[b], q.order[a] }

// Push implements heap.Interface.
func (q *averages) Push(x any) { q.order = append(q.order, x.(int)) }

// Pop implements heap.Interface.
func (q *averages) Pop() any {
	last := len(q.order) - 1
	i := q.order[last]
	q.order = q.order[:last]
	return i
}
