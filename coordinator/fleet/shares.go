package fleet

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
// priorities), so a slot that joins the fleet takes nothing away from anybody.
// It takes slots × claims steps.
func Shares(slots int, claims []Claim) []int {
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
			// priority / (2 shares + 1) is the greatest; compared without division.
			if next < 0 || c.Priority*(2*shares[next]+1) > claims[next].Priority*(2*shares[i]+1) {
				next = i
			}
		}
		if next < 0 {
			break // everyone is at its bound
		}
		shares[next]++
	}
	return shares
}
