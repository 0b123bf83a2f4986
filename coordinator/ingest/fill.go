package ingest

import (
	"fmt"
	"math"

	"tributary/shared/dataset"
	"tributary/shared/job"
	"tributary/shared/numeric"
)

// fitFills sets the fills for missing values; the method "drop" sets none.
func fitFills(m job.Missing, t *table, s *scan, counts []count, columns []dataset.Column) error {
	if m.Method == "" || m.Method == "drop" {
		return nil
	}
	if m.Method == "constant" && !(math.Abs(m.Constant) <= math.MaxFloat64) {
		return fmt.Errorf("data.clean.missing.constant: %v: want a finite number: %w", m.Constant, job.ErrInvalid)
	}
	fills, err := numericFills(m, s, counts, columns)
	if err != nil {
		return err
	}
	for j := range columns {
		c := &columns[j]
		if m.Method != "constant" && counts[j].missing == len(s.rows) {
			return fmt.Errorf("column %q: no value in the training split to take the %s of: leave it out with data.drop: %w", c.Name, m.Method, job.ErrInvalid)
		}
		if c.Kind == dataset.Categorical {
			text := dataset.FormatNumber(m.Constant)
			switch {
			case m.Method == "constant":
			case t.columns[j].hash > 0:
				text = "" // no text is known that could be the most frequent one
			default:
				text, _ = counts[j].mostFrequent(t.columns[j].dict)
			}
			c.FillCategory = &text
			continue
		}
		x := fills(j)
		if math.IsInf(x, 0) {
			return fmt.Errorf("column %q: values too large for a %s: %w", c.Name, m.Method, job.ErrInvalid)
		}
		c.Fill = &x
	}
	return nil
}

// numericFills returns a function from a numeric column's index to its fill.
func numericFills(m job.Missing, s *scan, counts []count, columns []dataset.Column) (func(j int) float64, error) {
	switch m.Method {
	case "constant":
		return func(int) float64 { return m.Constant }, nil
	case "median":
		medians, err := s.medians(counts, columns)
		return func(j int) float64 { return medians[j] }, err
	default:
		means := newMoments(len(columns))
		err := s.each(means.add)
		means.mean()
		return func(j int) float64 { return means.sum[j] }, err
	}
}

// moments holds, per column, the number of values, the sum, the sum of squared deviations
// and the range. It omits missing values.
type moments struct {
	n                       []int64
	sum, squares, low, high []float64
}

func newMoments(width int) *moments {
	m := &moments{
		n: make([]int64, width), sum: make([]float64, width), squares: make([]float64, width),
		low: make([]float64, width), high: make([]float64, width),
	}
	for j := range width {
		m.low[j], m.high[j] = math.Inf(1), math.Inf(-1)
	}
	return m
}

func (m *moments) add(raw []float64) {
	for j, x := range raw {
		if isMissing(x) {
			continue
		}
		m.n[j]++
		m.sum[j] += x
		m.low[j], m.high[j] = min(m.low[j], x), max(m.high[j], x)
	}
}

// mean converts the sums into means, limited to the range of the values. So the mean of
// equal values is exactly that value. A sum that overflows stays infinite.
func (m *moments) mean() {
	for j := range m.sum {
		if m.sum[j] /= float64(m.n[j]); !math.IsInf(m.sum[j], 0) {
			m.sum[j] = max(m.low[j], min(m.high[j], m.sum[j]))
		}
	}
}

// addSquares is the second pass; sum must hold the means.
func (m *moments) addSquares(raw []float64) {
	for j, x := range raw {
		d := x - m.sum[j]
		m.squares[j] += float64(d * d)
	}
}

// standard returns a column's mean and population standard deviation. A column that
// varies by no more than rounding is constant and keeps scale 1.
func (m *moments) standard(j int) (shift, scale float64, constant bool) {
	variance := m.squares[j] / float64(m.n[j])
	if numeric.Constant(variance, m.sum[j], m.n[j]) {
		return m.sum[j], 1, true
	}
	return m.sum[j], math.Sqrt(variance), false
}

// minmax returns a column's minimum and range, with the same rule for constant columns.
func (m *moments) minmax(j int) (shift, scale float64, constant bool) {
	if numeric.ConstantRange(m.low[j], m.high[j]) {
		return m.low[j], 1, true
	}
	return m.low[j], m.high[j] - m.low[j], false
}
