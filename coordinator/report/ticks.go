package report

import (
	"math"
	"strconv"

	"gonum.org/v1/plot"
)

// steps marks an axis of whole numbers at multiples of 1, 2 or 5 × 10ᵏ.
type steps struct{}

// Ticks implements plot.Ticker.
func (steps) Ticks(low, high float64) []plot.Tick {
	every := math.Max(1, nice((high-low)/6))
	var out []plot.Tick
	for x := math.Ceil(low/every) * every; x <= high && len(out) < 100; x += every {
		out = append(out, plot.Tick{Value: x, Label: grouped(int64(x))})
	}
	return out
}

// nice rounds up to 1, 2 or 5 × 10ᵏ.
func nice(x float64) float64 {
	if x <= 0 {
		return 1
	}
	unit := math.Pow(10, math.Floor(math.Log10(x)))
	for _, m := range [...]float64{1, 2, 5} {
		if x <= m*unit {
			return m * unit
		}
	}
	return 10 * unit
}

// grouped formats 12000 as "12,000".
func grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// values marks an axis of any numbers at multiples of 1, 2 or 5 × 10ᵏ.
type values struct{}

// Ticks implements plot.Ticker.
func (values) Ticks(low, high float64) []plot.Tick {
	every := nice((high - low) / 6)
	var out []plot.Tick
	for i := math.Ceil(low / every); i*every <= high && len(out) < 100; i++ {
		out = append(out, plot.Tick{Value: i * every, Label: decimal(i*every, every)})
	}
	return out
}

// decimal formats a multiple of every with the digits that every needs.
func decimal(x, every float64) string {
	if a := math.Abs(x); a >= 1e7 || every < 1e-5 {
		return strconv.FormatFloat(x, 'g', 4, 64)
	}
	digits := max(0, -int(math.Floor(math.Log10(every))))
	if digits == 0 {
		return grouped(int64(math.Round(x)))
	}
	return strconv.FormatFloat(x, 'f', digits, 64)
}

// decades marks a log axis with labels at powers of ten. If there are few, it adds labels
// at their doubles and fives.
type decades struct{}

// Ticks implements plot.Ticker; low is positive.
func (decades) Ticks(low, high float64) []plot.Tick {
	from, to := math.Floor(math.Log10(low)), math.Ceil(math.Log10(high))
	every := math.Ceil((to - from) / 8) // decades per label
	var out []plot.Tick
	for k := from; k <= to && len(out) < 500; k++ {
		for m := 1.0; m < 10; m++ {
			x := m * math.Pow(10, k)
			if x < low || x > high {
				continue
			}
			t := plot.Tick{Value: x}
			fine := to-from <= 3 && (m == 2 || m == 5)
			if m == 1 && math.Mod(k-from, every) == 0 || fine {
				t.Label = strconv.FormatFloat(x, 'g', 3, 64)
			}
			if m == 1 || every == 1 {
				out = append(out, t)
			}
		}
	}
	return out
}
