package ingest

import (
	"cmp"
	"container/heap"
	"context"
	"math/bits"
	"slices"
)

// stratify returns how many rows of each class go to each split. classes holds the rows
// of each class, each at least 1. totals holds the rows of each split, as for a split
// that is not stratified. The sum of totals equals that of classes, and totals[0], for
// the training split, is at least len(classes).
//
// The columns of the result sum to totals, its rows sum to classes, and each class has a
// training row. Each size is the class's quota, n·total/rows for a class of n of the
// rows, rounded down or up. The rounding minimizes the sum of the squared differences
// from the quotas. A class too small for a whole training row still gets one; the quotas
// divide the rest.
//
// It first rounds each class separately by the largest-remainder method. While a split
// has too many rows, it moves one row to a split with too few, where that costs least.
// These are the successive shortest paths of a minimum-cost flow (Ahuja, Magnanti, Orlin:
// "Network Flows", 9.7). All computation is exact, in integers.
func stratify(ctx context.Context, classes []int, totals [3]int) ([][3]int, error) {
	q := newQuotas(classes, totals)
	s := &strata{shares: make([]quota, len(classes)), up: make([]uint8, len(classes))}
	s.surplus = [3]int{-totals[0], -totals[1], -totals[2]}
	var p pace
	for c, n := range classes {
		if err := p.check(ctx, 1); err != nil {
			return nil, err
		}
		s.shares[c] = q.of(n)
		s.round(c, n)
	}
	if err := s.balance(ctx); err != nil {
		return nil, err
	}
	sizes := make([][3]int, len(classes))
	for c := range sizes {
		for k := range sizes[c] {
			sizes[c][k] = s.size(c, k)
		}
	}
	return sizes, nil
}

// quotas holds the values from which the quotas of the classes follow. A class of at most
// small rows has one training row, and its other rows are divided over the other splits.
type quotas struct {
	train, large uint64 // training rows and rows of the classes that are not small
	others       uint64 // rows outside the training split
	totals       [3]int
	small        int
}

// newQuotas finds the small classes. A class is small if its share of the training rows
// that smaller classes leave is below one row.
func newQuotas(classes []int, totals [3]int) quotas {
	q := quotas{train: uint64(totals[0]), totals: totals, others: uint64(totals[1] + totals[2])}
	for _, n := range classes {
		q.large += uint64(n)
	}
	for _, n := range slices.Sorted(slices.Values(classes)) {
		if uint64(n)*q.train >= q.large {
			break
		}
		q.small = n
		q.train--
		q.large -= uint64(n)
	}
	return q
}

// quota is a class's share of each split: whole rows, and a rest in units of
// 1/(large·others). The sum of the rests is less than three rows.
type quota struct {
	whole [3]int
	rest  [3]int64
}

// of returns the quotas of a class of n rows.
func (q *quotas) of(n int) (out quota) {
	if q.others == 0 {
		out.whole[0] = n
		return out
	}
	rows := uint64(n)
	left := rows * (q.large - q.train) // outside the training split, in units of 1/large
	if n <= q.small {
		out.whole[0] = 1
		left = (rows - 1) * q.large
	} else {
		out.whole[0] = int(rows * q.train / q.large)
		out.rest[0] = int64(rows * q.train % q.large * q.others)
	}
	for k := 1; k < 3; k++ {
		hi, lo := bits.Mul64(left, uint64(q.totals[k]))
		whole, rest := bits.Div64(hi, lo, q.large*q.others)
		out.whole[k], out.rest[k] = int(whole), int64(rest)
	}
	return out
}

// strata holds the sizes during the computation.
type strata struct {
	shares  []quota
	up      []uint8 // of each class, one bit for each split whose quota is rounded up
	surplus [3]int  // rows that each split has above its total
	moves   [3][3]moves
}

func (s *strata) size(c, k int) int { return s.shares[c].whole[k] + int(s.up[c]>>k&1) }

// round rounds the quotas of class c by their largest rests; of equal rests the earlier
// split's is rounded up.
func (s *strata) round(c, n int) {
	share := &s.shares[c]
	order := []int{0, 1, 2}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(share.rest[b], share.rest[a]) })
	left := n - share.whole[0] - share.whole[1] - share.whole[2]
	for _, k := range order[:left] {
		s.up[c] |= 1 << k
	}
	for k := range s.surplus {
		s.surplus[k] += s.size(c, k)
	}
}

// balance moves rows between splits until none has a surplus.
func (s *strata) balance(ctx context.Context) error {
	if s.surplus == [3]int{} {
		return nil
	}
	var p pace
	for c := range s.shares {
		if err := p.check(ctx, 1); err != nil {
			return err
		}
		s.offer(c)
	}
	for path := s.cheapest(); path != nil; path = s.cheapest() {
		if err := p.check(ctx, len(path)); err != nil {
			return err
		}
		for i, to := range path[1:] {
			s.move(path[i], to)
		}
		s.surplus[path[0]]--
		s.surplus[path[len(path)-1]]++
	}
	return nil
}

// cheapest returns the cheapest path of splits for a row, in one or two moves, from a
// split with a surplus to one that lacks rows. It returns nil if no split has a surplus.
// A path always exists, because the quotas themselves meet the totals.
func (s *strata) cheapest() (path []int) {
	var least int64
	try := func(splits ...int) {
		cost := int64(0)
		for i, to := range splits[1:] {
			m := s.valid(splits[i], to)
			if m.Len() == 0 {
				return
			}
			cost += (*m)[0].cost
		}
		if path == nil || cost < least {
			path, least = splits, cost
		}
	}
	for from := range s.surplus {
		for to := range s.surplus {
			if s.surplus[from] > 0 && s.surplus[to] < 0 {
				try(from, to)
				try(from, 3-from-to, to)
			}
		}
	}
	return path
}

// move makes the cheapest move of a row between two splits.
func (s *strata) move(from, to int) {
	c := heap.Pop(s.valid(from, to)).(move).class
	s.up[c] ^= 1<<from | 1<<to
	s.offer(c)
}

// valid returns the moves between two splits; the first of them is possible.
func (s *strata) valid(from, to int) *moves {
	m := &s.moves[from][to]
	for m.Len() > 0 && !s.movable((*m)[0].class, from, to) {
		heap.Pop(m)
	}
	return m
}

// movable reports whether class c's quota is rounded up for one split and down for the other.
func (s *strata) movable(c, from, to int) bool {
	return s.up[c]>>from&1 == 1 && s.up[c]>>to&1 == 0 && s.shares[c].rest[to] > 0
}

// offer adds the moves that class c can make now.
func (s *strata) offer(c int) {
	for from := range s.moves {
		for to := range s.moves {
			if s.movable(c, from, to) {
				rest := &s.shares[c].rest
				heap.Push(&s.moves[from][to], move{rest[from] - rest[to], c})
			}
		}
	}
}

// move is a row of a class that may go from one split to another. The cost is half the
// increase of the squared differences.
type move struct {
	cost  int64
	class int
}

// moves is a heap by cost, and by class if costs are equal.
type moves []move

func (m moves) Len() int { return len(m) }
func (m moves) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(m[i].cost, m[j].cost), cmp.Compare(m[i].class, m[j].class)) < 0
}
func (m moves) Swap(i, j int) { m[i], m[j] = m[j], m[i] }
func (m *moves) Push(x any)   { *m = append(*m, x.(move)) }
func (m *moves) Pop() any {
	last := len(*m) - 1
	x := (*m)[last]
	*m = (*m)[:last]
	return x
}
