package ingest

import (
	"cmp"
	"fmt"
	"slices"

	"tributary/shared/dataset"
	"tributary/shared/job"
)

// dates finds the layout of a column of dates: the one in which every cell can be read.
type dates struct {
	layouts []string // those that all cells so far agree with
}

// start begins with all layouts, or with the format that data.columns gives.
func (d *dates) start(c *job.ColumnSpec) {
	if c == nil || c.Type != job.DateColumn {
		return
	}
	if c.Format == "" {
		d.layouts = append(d.layouts, dataset.DateLayouts[:]...)
		return
	}
	if layout, err := job.DateLayout(c.Format); err == nil { // the spec was checked
		d.layouts = []string{layout}
	}
}

// addDate counts a cell of a column of dates.
func (t *tally) addDate(cell string, at func() string) {
	d := &t.dates
	if t.isNA(cell) {
		t.addOther(cell, at)
		return
	}
	var left []string
	for i, layout := range d.layouts {
		if _, ok := dataset.ParseDate(cell, layout); ok {
			if left != nil {
				left = append(left, layout)
			}
			continue
		}
		if left == nil {
			left = append(make([]string, 0, len(d.layouts)), d.layouts[:i]...)
		}
	}
	switch {
	case left == nil && len(d.layouts) > 0:
		t.numbers++
	case len(left) == 0:
		t.addOther(cell, at) // no layout fits this cell and those before it
	default:
		d.layouts = left
		t.numbers++
	}
}

// parts returns the columns of the parts of a date.
func (t *tally) parts() ([]column, error) {
	layouts := t.dates.layouts
	switch {
	case t.strange > 0:
		return nil, fmt.Errorf("%s: column %q: %s is not a date written like those before it: correct it, leave the cell empty (a missing value), or set data.columns.%s.format, as %%d.%%m.%%Y: %w",
			t.stranger.at, t.name, t.stranger.text, t.name, job.ErrInvalid)
	case ambiguous(layouts):
		return nil, fmt.Errorf("column %q: its dates can be read with the day or the month first: set data.columns.%s.format, as %%d/%%m/%%Y or %%m/%%d/%%Y: %w",
			t.name, t.name, job.ErrInvalid)
	}
	kind := dataset.Numeric
	if cmp.Or(t.given.As, job.PartNumber) == job.PartCategory {
		kind = dataset.Categorical
	}
	columns := make([]column, len(t.given.Parts))
	for i, p := range t.given.Parts {
		columns[i] = column{
			name: t.name + "." + string(p), kind: kind,
			form: &dataset.Form{Of: t.name, Part: p, Layout: layouts[0], NA: t.naTexts > 0},
		}
	}
	return columns, nil
}

// ambiguous reports whether the day or the month may come first.
func ambiguous(layouts []string) bool {
	for _, pair := range [][2]string{{"1/2/2006", "2/1/2006"}, {"1-2-2006", "2-1-2006"}} {
		if slices.Contains(layouts, pair[0]) && slices.Contains(layouts, pair[1]) {
			return true
		}
	}
	return false
}
