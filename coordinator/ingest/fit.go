package ingest

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"tributary/shared/dataset"
	"tributary/shared/job"
)

// fit computes the statistics of the training rows, in file order. It first computes the
// fills for missing values, and then shift and scale of the filled values. All sums are
// sequential and in float64.
func (w *work) fit(ctx context.Context, spec *job.Spec, t *table, rows []int32) (*dataset.Preprocessing, error) {
	d := &spec.Data
	s := &scan{ctx: ctx, cells: t.cells, rows: rows}
	p := &dataset.Preprocessing{Columns: make([]dataset.Column, len(t.columns))}
	for j, c := range t.columns {
		p.Columns[j] = dataset.Column{Name: c.name, Kind: c.kind, Thousands: c.thousands, Form: c.form, Scale: 1}
	}
	counts, err := s.count(t.columns)
	if err != nil {
		return nil, err
	}
	if err := fitFills(d.Clean.Missing, t, s, counts, p.Columns); err != nil {
		return nil, err
	}
	var pace pace
	var blanks notes
	for j := range p.Columns {
		if err := pace.check(ctx, columnCost+len(counts[j].codes)); err != nil {
			return nil, err
		}
		if c := &p.Columns[j]; c.Kind == dataset.Categorical {
			c.Embed = d.Transform.Categorical.Embed
			if c.Hash = t.columns[j].hash; c.Hash > 0 {
				continue
			}
			c.Categories = counts[j].categories(t.columns[j].dict, c.FillCategory)
			if text, ok := blank(c.Categories); ok {
				blanks.add("column %q: %.80q and %.80q are two categories, although they differ only in blanks", c.Name, text, strings.TrimSpace(text))
			}
		}
	}
	w.sayAll(&blanks, "have categories that differ only in blanks")
	if err := s.fitScales("data.transform.scale", d.Transform.Scale, p.Columns); err != nil {
		return nil, err
	}
	w.sayAll(&s.constant, thoseConstant)
	if err := w.noteCoarse(s, d.Transform.Scale.Method, p.Columns); err != nil {
		return nil, err
	}
	if n := p.Features(); n > dataset.MaxFeatures {
		return nil, fmt.Errorf("%d features: at most %d: %w", n, dataset.MaxFeatures, job.ErrInvalid)
	}
	label, err := w.fitLabel(ctx, spec, &t.label, rows)
	if err != nil {
		return nil, err
	}
	p.Label = label[0]
	if len(label) > 1 {
		p.Labels = label[1:]
	}
	return p, nil
}

// scan visits the training rows in order.
type scan struct {
	ctx   context.Context //nolint:containedctx // lives as long as one fit
	cells *cells
	rows  []int32

	constant notes // columns that fitScales found constant except for rounding
}

const thoseConstant = "vary by no more than rounding and are not scaled"

func (s *scan) each(visit func(raw []float64)) error {
	return s.cells.each(s.ctx, these(s.rows), func(_ int, raw []float64) { visit(raw) })
}

// window returns a scan of the columns from lo up to hi.
func (s *scan) window(lo, hi int) *scan {
	return &scan{ctx: s.ctx, cells: s.cells.window(lo, hi), rows: s.rows}
}

// count counts the values of a column: the missing ones and, for a categorical column,
// each code.
type count struct {
	missing int
	codes   []int
}

func (s *scan) count(columns []column) ([]count, error) {
	counts := make([]count, len(columns))
	var p pace
	for j, c := range columns {
		if err := p.check(s.ctx, columnCost); err != nil {
			return nil, err
		}
		if c.dict != nil {
			counts[j].codes = make([]int, len(c.dict.texts))
		}
	}
	return counts, s.each(func(raw []float64) {
		for j, x := range raw {
			if isMissing(x) {
				counts[j].missing++
			} else if codes := counts[j].codes; codes != nil {
				codes[int(x)]++
			}
		}
	})
}

// categories returns the texts that occur after missing values are filled, sorted.
func (c *count) categories(dict *dictionary, fill *string) []string {
	texts := []string{}
	for code, n := range c.codes {
		if n > 0 {
			texts = append(texts, dict.texts[code])
		}
	}
	if c.missing > 0 && fill != nil {
		texts = append(texts, *fill)
	}
	slices.Sort(texts)
	return slices.Compact(texts)
}

// blank returns a text that equals another one of the sorted texts except for the blanks
// around it.
func blank(texts []string) (text string, ok bool) {
	for _, text := range texts {
		trimmed := strings.TrimSpace(text)
		if trimmed == text {
			continue
		}
		if _, ok := slices.BinarySearch(texts, trimmed); ok {
			return text, true
		}
	}
	return "", false
}

// mostFrequent returns the most frequent text, the first in order if several are equal.
// ok is false if no text occurs.
func (c *count) mostFrequent(dict *dictionary) (text string, ok bool) {
	best := 0
	for code, n := range c.codes {
		if t := dict.texts[code]; n > best || n == best && n > 0 && t < text {
			text, best = t, n
		}
	}
	return text, best > 0
}

// fitScales sets Shift and Scale of the numeric columns.
func (s *scan) fitScales(field string, scale job.Scale, columns []dataset.Column) error {
	switch scale.Method {
	case "", "none":
		return nil
	case "divide":
		if !(math.Abs(scale.Divide) <= math.MaxFloat64) || scale.Divide == 0 {
			return fmt.Errorf("%s.divide: %v: want a finite number other than 0: %w", field, scale.Divide, job.ErrInvalid)
		}
		for j := range columns {
			if columns[j].Kind == dataset.Numeric {
				columns[j].Scale = scale.Divide
			}
		}
		return nil
	case "standard", "minmax":
	default:
		return fmt.Errorf("%s: %q: want none, standard, minmax or {divide: v}: %w", field, scale.Method, job.ErrInvalid)
	}
	m := newMoments(len(columns))
	if err := s.each(func(raw []float64) { m.add(filled(raw, columns)) }); err != nil {
		return err
	}
	m.mean()
	of := m.minmax
	if scale.Method == "standard" {
		of = m.standard
		if err := s.each(func(raw []float64) { m.addSquares(filled(raw, columns)) }); err != nil {
			return err
		}
	}
	for j := range columns {
		c := &columns[j]
		if c.Kind != dataset.Numeric {
			continue
		}
		var constant bool
		if c.Shift, c.Scale, constant = of(j); !(math.Abs(c.Scale) <= math.MaxFloat64 && math.Abs(c.Shift) <= math.MaxFloat64) {
			return fmt.Errorf("column %q: values up to ±%g are too large to scale: %w", c.Name, max(-m.low[j], m.high[j]), job.ErrInvalid)
		}
		if constant && m.low[j] < m.high[j] {
			s.constant.add("column %q varies by no more than rounding, from %v to %v, and is not scaled", c.Name, m.low[j], m.high[j])
		}
	}
	return nil
}

// filled fills missing numbers, in place.
func filled(raw []float64, columns []dataset.Column) []float64 {
	for j, x := range raw {
		if isMissing(x) && columns[j].Fill != nil {
			raw[j] = *columns[j].Fill
		}
	}
	return raw
}

// fitLabel describes the columns of the label, or all of them at once. Columns of numbers may
// be standardized, each by itself.
func (w *work) fitLabel(ctx context.Context, spec *job.Spec, l *label, rows []int32) ([]dataset.Column, error) {
	const field = "data.transform.label"
	scale := spec.Data.Transform.Label
	plain := scale.Method == "" || scale.Method == "none"
	switch {
	case plain:
	case l.classes:
		return nil, fmt.Errorf("%s: %q: want none with %s, which takes classes: %w", field, scale.Method, spec.Loss, job.ErrInvalid)
	case scale.Method != "standard":
		return nil, fmt.Errorf("%s: %q: want none or standard: %w", field, scale.Method, job.ErrInvalid)
	case l.outputs > max(1, len(l.columns)):
		return nil, fmt.Errorf("%s: the label has %d outputs; standard takes one: %w", field, l.outputs, job.ErrInvalid)
	}
	c := dataset.Column{Name: l.name, Kind: dataset.Numeric, Scale: 1}
	if l.classes {
		c.Kind = dataset.Categorical
	}
	columns := slices.Repeat([]dataset.Column{c}, max(1, len(l.columns)))
	for k, form := range l.forms {
		columns[k].Form = form
	}
	s := &scan{ctx: ctx, cells: l.labels(), rows: rows}
	switch {
	case l.classes:
		return columns, nil
	case plain:
		return columns, w.checkCoarse(s, l, c)
	}
	for k := range columns {
		columns[k].Name = l.column(k)
	}
	err := s.fitScales(field, scale, columns)
	w.sayAll(&s.constant, thoseConstant)
	return columns, err
}
