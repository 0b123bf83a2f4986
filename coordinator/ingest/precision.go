package ingest

import (
	"fmt"
	"math"

	"tributary/shared/dataset"
	"tributary/shared/job"
)

// coarse is the spread of a column's features, relative to their size, below which
// rounding to 32-bit floats matters: fewer than 1,024 different floats lie in between.
const coarse = 0x1p-13

// extent is the range of a column's features before they are rounded to 32-bit floats.
type extent struct {
	low, high float64
	rounded   bool // at least one feature is not a 32-bit float
}

// extents returns the extents of the columns, empty for columns of text.
func (s *scan) extents(columns []dataset.Column) ([]extent, error) {
	out := make([]extent, len(columns))
	for j := range out {
		out[j].low, out[j].high = math.Inf(1), math.Inf(-1)
	}
	return out, s.each(func(raw []float64) {
		for j, x := range filled(raw, columns) {
			c, e := &columns[j], &out[j]
			if c.Kind != dataset.Numeric {
				continue
			}
			f := (x - c.Shift) / c.Scale
			e.low, e.high = min(e.low, f), max(e.high, f)
			e.rounded = e.rounded || float64(float32(f)) != f
		}
	})
}

// coarse reports whether rounding to 32-bit floats loses much of the difference between
// the column's features.
func (e *extent) coarse() bool {
	return e.rounded && e.low < e.high && e.high-e.low < float64(coarse*max(math.Abs(e.low), math.Abs(e.high)))
}

// scaled reports whether a scaling method moves features near 0, where 32-bit floats are
// dense.
func scaled(method string) bool { return method == "standard" || method == "minmax" }

// noteCoarse notes the columns that lose precision as features. Only numbers from CSV and
// inline data can lose precision.
func (w *work) noteCoarse(s *scan, method string, columns []dataset.Column) error {
	if scaled(method) || s.cells.kind != floats64 {
		return nil
	}
	extents, err := s.extents(columns)
	if err != nil {
		return err
	}
	var found notes
	for j := range extents {
		if e := &extents[j]; e.coarse() {
			found.add("column %q: its values lie so close together, from %v to %v, that 32-bit floats hardly keep them apart: use data.transform.scale: standard",
				columns[j].Name, float64(e.low*columns[j].Scale), float64(e.high*columns[j].Scale))
		}
	}
	w.sayAll(&found, "have values that 32-bit floats hardly keep apart: use data.transform.scale: standard")
	return nil
}

// checkCoarse refuses a label of numbers that is constant as 32-bit floats, the type of
// targets. It notes a label that loses precision.
func (w *work) checkCoarse(s *scan, l *label, c dataset.Column) error {
	if s.cells.kind != floats64 {
		return nil
	}
	columns := make([]dataset.Column, l.outputs)
	for k := range columns {
		columns[k] = c
	}
	extents, err := s.extents(columns)
	if err != nil {
		return err
	}
	remedy := "use data.transform.label: standard"
	if l.outputs > max(1, len(l.columns)) {
		remedy = "subtract a constant from the values before you write the file"
	}
	var found notes
	for k := range extents {
		e := &extents[k]
		if !e.coarse() {
			continue
		}
		if float32(e.low) == float32(e.high) {
			return fmt.Errorf("label %q: its values, from %v to %v, are all one 32-bit float: %s: %w", l.column(k), e.low, e.high, remedy, job.ErrInvalid)
		}
		found.add("label %q: its values lie so close together, from %v to %v, that 32-bit floats hardly keep them apart, and neither do metrics: %s",
			l.column(k), e.low, e.high, remedy)
	}
	w.sayAll(&found, "of the label also have values that 32-bit floats hardly keep apart")
	return nil
}
