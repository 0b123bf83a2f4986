package vector

import "math"

// Lanes are the partial sums of a reduction. Element i of a vector belongs to lane i mod
// 16. A lane starts at +0 and adds its elements in increasing i. No lane is ever −0, so a
// lane without elements changes nothing.
type Lanes [16]float64

// Sum adds the lanes by a fixed tree: lane j + lane j+8, then +4, +2 and +1. A NaN result
// is the canonical NaN.
func (l *Lanes) Sum() float64 {
	a, b := l[0]+l[8], l[1]+l[9]
	c, d := l[2]+l[10], l[3]+l[11]
	a, b = a+(l[4]+l[12]), b+(l[5]+l[13])
	c, d = c+(l[6]+l[14]), d+(l[7]+l[15])
	return Canonical64((a + c) + (b + d))
}

// Canonical64 returns v, or, if v is any NaN, the quiet NaN without sign and payload.
func Canonical64(v float64) float64 {
	if v != v {
		return math.Float64frombits(0x7ff8 << 48)
	}
	return v
}
