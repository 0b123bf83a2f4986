package fleet

import (
	"container/heap"
	"sort"
)

// Claim is a job's claim on the slots of the fleet.
type Claim struct {
	Priority int // weight of its share, at least 1
	MaxSlots int // bound of its share; 0 for none
}

// Shares divides slots over the claims and returns the shares in their order. Shares are
// in proportion to the priorities, within each claim's bound. No slot that a claim could
// use stays free. Each claim gets at least one slot, so that no job stops. With more
// claims than slots, the sum of the shares exceeds the slots, and the queue decides.
//
// Each next slot goes to the claim with the fewest slots for its priority. This is
// Webster's method of highest averages, which favours neither large nor small priorities.
// So a slot that joins the fleet takes nothing from any claim. All slots above some
// average are given at once, so the work is claims × log(slots) and not slots.
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

// grain is the resolution of the averages: between two values hardly any claim gets two
// slots.
const grain = 256

// fewest sets the shares for the state in which the average priority / (2 share + 1) has
// fallen to grain/y. y is the largest value for which the slots suffice. It returns the
// sum of the shares. Each claim gets one slot even if the slots do not suffice.
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

// maxPriority bounds the priority of a claim, far above the maximum of 100 in a spec.
const maxPriority = 1 << 20

// weight returns the priority for the computation, from 1 to maxPriority.
func (c Claim) weight() int { return min(max(1, c.Priority), maxPriority) }

// within returns share, limited by the claim's bound.
func (c Claim) within(share int) int {
	if c.MaxSlots > 0 {
		return min(share, c.MaxSlots)
	}
	return share
}

// averages is a heap of the claims that may have more slots. It is ordered by priority /
// (2 share + 1), the largest first, and then by the order of the claims.
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
	x, y := q.claims[i].weight()*(2*q.shares[j]+1), q.claims[j].weight()*(2*q.shares[i]+1) // compares without division
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
