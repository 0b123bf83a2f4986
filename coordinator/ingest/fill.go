package ingest

import (
	"fmt"
	"math"

	"tributary/shared/dataset"
	"tributary/shared/job"
)

// fitFills sets what replaces missing values; with "drop" nothing does.
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
			if m.Method != "constant" {
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

// numericFills returns the fill of a numeric column by its index.
func numericFills(m job.Missing, s *scan, counts []count, columns []dataset.Column) (func(j int) float64, error) {
	switch m.Method {
	case "constant":
		return func(int) float64 { return m.Constant }, nil
	case "median":
		medians, err := s.medians(counts, columns)
		return func(j int) float64 { return medians[j] }, err
	default:
		sums, present := make([]float64, len(columns)), make([]int, len(columns))
		err := s.each(func(raw []float64) {
			for j, x := range raw {
				if !isMissing(x) {
					sums[j] += x
					present[j]++
				}
			}
		})
		return func(j int) float64 { return sums[j] / float64(present[j]) }, err
	}
}

// moments are the columns' sums, means, sums of squared deviations and ranges.
type moments struct {
	sum, squares, low, high []float64
}

func newMoments(width int) *moments {
	m := &moments{
		sum: make([]float64, width), squares: make([]float64, width),
		low: make([]float64, width), high: make([]float64, width),
	}
	for j := range width {
		m.low[j], m.high[j] = math.Inf(1), math.Inf(-1)
	}
	return m
}

func (m *moments) add(raw []float64) {
	for j, x := range raw {
		m.sum[j] += x
		m.low[j], m.high[j] = min(m.low[j], x), max(m.high[j], x)
	}
}

// mean turns the sums of n rows into means.
func (m *moments) mean(n int) {
	for j := range m.sum {
		m.sum[j] /= float64(n)
	}
}

// addSquares is the second pass, once sum holds the means.
func (m *moments) addSquares(raw []float64) {
	for j, x := range raw {
		d := x - m.sum[j]
		m.squares[j] += float64(d * d)
	}
}

// scale returns a column's shift and scale: mean and population standard
// deviation, or minimum and range; a constant column keeps scale 1.
func (m *moments) scale(j, n int, standard bool) (shift, scale float64) {
	switch {
	case m.low[j] == m.high[j]:
		return m.low[j], 1
	case standard:
		std := math.Sqrt(m.squares[j] / float64(n))
		if std == 0 { // squares below the smallest float
			std = 1
		}
		return m.sum[j], std
	default:
		return m.low[j], m.high[j] - m.low[j]
	}
}
