package inspect

import (
	"math"
	"math/bits"
	"slices"
)

// numbers describes the numbers of a column in one pass: range, mean and deviation of all of
// them, and quantiles and histogram of a sample.
type numbers struct {
	most   int // values of the sample
	n      int64
	whole  int64 // of them integers
	zeros  int64
	mean   float64
	square float64 // Σ (x − mean)²
	low    extreme
	high   extreme
	sample []float64

	serial bool // each number is the one before plus 1
	last   float64
}

// extreme is a smallest or largest value, and its row from 1 on.
type extreme struct {
	value float64
	row   int64
}

func newNumbers(most int) *numbers { return &numbers{most: most, serial: true} }

// clone copies the state.
func (s *numbers) clone() *numbers {
	out := *s
	out.sample = slices.Clone(s.sample)
	return &out
}

// add counts the number of a row.
func (s *numbers) add(x float64, row int64) {
	s.n++
	if s.n == 1 || x < s.low.value {
		s.low = extreme{x, row}
	}
	if s.n == 1 || x > s.high.value {
		s.high = extreme{x, row}
	}
	if x == math.Trunc(x) {
		s.whole++
	}
	if x == 0 {
		s.zeros++
	}
	s.serial = s.serial && (s.n == 1 || x == s.last+1)
	s.last = x
	// Welford, "Note on a method for calculating corrected sums of squares" (1962).
	d := x - s.mean
	s.mean += d / float64(s.n)
	s.square += float64(d * (x - s.mean))
	s.keep(x)
}

// keep samples a value: each of n values is in the sample with the same probability
// (Vitter's algorithm R). The random numbers follow from n alone.
func (s *numbers) keep(x float64) {
	if len(s.sample) < s.most {
		s.sample = append(s.sample, x)
		return
	}
	at, _ := bits.Mul64(scatter(uint64(s.n)), uint64(s.n))
	if at < uint64(s.most) {
		s.sample[at] = x
	}
}

// scatter is the output function of SplitMix64 (Steele et al., 2014).
func scatter(x uint64) uint64 {
	x *= 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Numbers describes the numbers of a column. A figure that is not finite is left out.
type Numbers struct {
	Min    float64  `json:"min"`
	MinRow int64    `json:"min_row"` // from 1 on
	Max    float64  `json:"max"`
	MaxRow int64    `json:"max_row"`
	Mean   *float64 `json:"mean,omitempty"`
	Std    *float64 `json:"std,omitempty"` // population
	Zeros  int64    `json:"zeros"`
	// Quantiles are at Levels. Sampled: they and the histogram are of a random sample.
	Quantiles []float64  `json:"quantiles"`
	Sampled   int        `json:"sampled,omitempty"`
	Histogram *Histogram `json:"histogram,omitempty"`

	serial bool
	whole  bool
}

// Levels are the levels of the quantiles.
var Levels = [...]float64{0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99}

// Histogram has the number of values in bins of equal width. The first and the last bin also
// have the values before and after Edges.
type Histogram struct {
	Edges  []float64 `json:"edges"` // of the bins, one more than there are bins
	Counts []int64   `json:"counts"`
}

// describe returns the description, or nil if there are no numbers.
func (s *numbers) describe() *Numbers {
	if s == nil || s.n == 0 {
		return nil
	}
	out := &Numbers{
		Min: s.low.value, MinRow: s.low.row, Max: s.high.value, MaxRow: s.high.row, Zeros: s.zeros,
		Mean: finite(max(s.low.value, min(s.high.value, s.mean))), Std: finite(math.Sqrt(s.square / float64(s.n))),
		serial: s.serial && s.n > 1, whole: s.whole == s.n,
	}
	sorted := slices.Sorted(slices.Values(s.sample))
	if s.n > int64(len(sorted)) {
		out.Sampled = len(sorted)
	}
	for _, level := range Levels {
		out.Quantiles = append(out.Quantiles, quantile(sorted, level))
	}
	out.Histogram = histogram(sorted, s.low.value, s.high.value, out.whole)
	return out
}

func finite(x float64) *float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nil
	}
	return &x
}

// quantile interpolates linearly, as NumPy does by default.
func quantile(sorted []float64, level float64) float64 {
	at := float64(level * float64(len(sorted)-1))
	i := int(at)
	if i+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	a, b, t := sorted[i], sorted[i+1], at-float64(i)
	return float64(a*(1-t)) + float64(b*t)
}

// maxBins is the largest number of bins of a histogram.
const maxBins = 20

// histogram covers the range of the values. If a few outliers would leave most bins empty, it
// covers the middle 98 per cent of them. It returns nil if all values are equal.
func histogram(sorted []float64, low, high float64, whole bool) *Histogram {
	if a, b := quantile(sorted, 0.01), quantile(sorted, 0.99); b > a && high/2-low/2 > 5*(b/2-a/2) {
		low, high = a, b
	}
	width := high/2 - low/2 // half of it, because the range of all floats overflows
	if !(width > 0) {
		return nil
	}
	bins := maxBins
	if n := high - low + 1; whole && n <= maxBins { // a bin for each integer
		bins, low, high = int(n), low-0.5, high+0.5
		width = high/2 - low/2
	}
	h := &Histogram{Counts: make([]int64, bins), Edges: make([]float64, bins+1)}
	for i := range h.Edges {
		t := float64(i) / float64(bins)
		h.Edges[i] = float64(low*(1-t)) + float64(high*t)
	}
	for _, x := range sorted {
		i := int(max(0, min(float64(bins-1), (x/2-low/2)/width*float64(bins))))
		h.Counts[i]++
	}
	return h
}
