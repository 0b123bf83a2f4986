package ingest

import (
	"math"

	"tributary/shared/dataset"
)

// medianColumns is the number of columns that one selection handles, with 2 KiB for each.
const medianColumns = 8192

// medians returns the medians of the numeric columns' values, NaN for a column without
// values. The median of an even number of values is the mean of the middle two. It uses
// radix selection: eight passes over the cells for each medianColumns columns.
func (s *scan) medians(counts []count, columns []dataset.Column) ([]float64, error) {
	out := make([]float64, len(columns))
	for lo := 0; lo < len(columns); lo += medianColumns {
		hi := min(lo+medianColumns, len(columns))
		middles := make([]middle, hi-lo)
		window := s.window(lo, hi)
		for j := range middles {
			if n := len(s.rows) - counts[lo+j].missing; columns[lo+j].Kind == dataset.Numeric && n > 0 {
				middles[j] = middle{wanted: true, one: n%2 == 1, rank: [2]int{(n - 1) / 2, n / 2}}
			}
		}
		for shift := 56; shift >= 0; shift -= 8 {
			err := window.each(func(raw []float64) {
				for j, x := range raw {
					if !isMissing(x) {
						middles[j].count(x, shift)
					}
				}
			})
			if err != nil {
				return nil, err
			}
			for j := range middles {
				middles[j].narrow()
			}
		}
		for j := range middles {
			out[lo+j] = middles[j].mean()
		}
	}
	return out, nil
}

// middle finds the two middle values of a column, one byte of them in each pass.
type middle struct {
	wanted bool
	one    bool      // both are the same value, because the number of values is odd
	rank   [2]int    // of the middle values, among the values with the same prefix
	prefix [2]uint64 // known leading bytes of the middle values
	counts [2][256]uint32
}

// count counts a value by its byte at shift, if the value has the prefix of a middle
// value.
func (m *middle) count(x float64, shift int) {
	if !m.wanted {
		return
	}
	k := sortable(x)
	for i := range m.prefix {
		if k>>shift>>8 == m.prefix[i] {
			m.counts[i][byte(k>>shift)]++
		}
	}
}

// narrow extends the prefix by the byte that contains the rank.
func (m *middle) narrow() {
	if !m.wanted {
		return
	}
	for i := range m.prefix {
		b := 0
		for m.rank[i] >= int(m.counts[i][b]) {
			m.rank[i] -= int(m.counts[i][b])
			b++
		}
		m.prefix[i] = m.prefix[i]<<8 | uint64(b)
	}
	m.counts = [2][256]uint32{}
}

func (m *middle) mean() float64 {
	if !m.wanted {
		return math.NaN()
	}
	a, b := unsorted(m.prefix[0]), unsorted(m.prefix[1])
	if m.one || a == b { // half of a subnormal number is rounded
		return a
	}
	return float64(a/2) + float64(b/2) // the compiler multiplies by ½
}

// sortable returns bits with the same order as the numbers, -0 before 0.
func sortable(x float64) uint64 {
	b := math.Float64bits(x)
	if b>>63 == 1 {
		return ^b
	}
	return b | 1<<63
}

// unsorted is the inverse of sortable.
func unsorted(k uint64) float64 {
	if k>>63 == 1 {
		return math.Float64frombits(k &^ (1 << 63))
	}
	return math.Float64frombits(^k)
}
