package inspect

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"tributary/shared/dataset"
)

// mostSuspicions bounds the suspicions of one sort that are named one by one.
const mostSuspicions = 50

// suspect collects what a person should look at.
func (r *Report) suspect() {
	add := func(column, format string, args ...any) {
		r.Suspicions = append(r.Suspicions, Suspicion{column, fmt.Sprintf(format, args...)})
	}
	if r.Label != nil {
		r.suspectLabel(add)
	}
	for i := range r.Columns {
		c := &r.Columns[i]
		if len(r.Suspicions) > 4*mostSuspicions {
			add("", "more columns are suspicious; these are the first")
			break
		}
		c.suspect(r.Rows, add)
	}
	r.equal(add)
	if r.Repeated != nil && *r.Repeated > 0 {
		add("", "%d of %d rows are equal to an earlier one: data.clean.duplicates: drop leaves them out", *r.Repeated, r.Rows)
	}
}

// suspectLabel looks at the label, and for columns that give it away.
func (r *Report) suspectLabel(add func(column, format string, args ...any)) {
	label := r.column(r.Label.Column)
	if label.Missing > 0 {
		add(label.Name, "%d rows have no label: training leaves them out", label.Missing)
	}
	if r.Label.Classes > 1 {
		if rare := label.rarest(); rare != nil && rare.Count*20 < label.seen.filled {
			add(label.Name, "the class %.40q has only %d of %d rows: see class_weights: balanced", rare.Value, rare.Count, label.seen.filled)
		}
	}
	for i := range r.Columns {
		c := &r.Columns[i]
		if why, ok := c.givesAway(label); ok {
			add(c.Name, "%s: it gives the answer away and is left out of the suggested spec", why)
		}
	}
}

// rarest returns the class with the fewest rows, the first in order of several.
func (o *Column) rarest() *Value {
	if !o.seen.texts.exact {
		return nil
	}
	all := o.seen.texts.top(math.MaxInt)
	for len(all) > 1 && all[len(all)-2].Count == all[len(all)-1].Count {
		all = all[:len(all)-1]
	}
	return &all[len(all)-1]
}

// givesAway reports whether the column has the same information as the label.
func (o *Column) givesAway(label *Column) (why string, ok bool) {
	a, b := o.seen, label.seen
	switch {
	case o.Name == label.Name || o.Distinct < 2:
		return "", false
	case a.content == b.content:
		return "it equals the label in every row", true
	case a.texts.exact && b.texts.exact && a.pattern == b.pattern && 2*o.Distinct <= a.filled: // values that all differ say nothing
		return "it is the label in other words: each of its values goes with one value of the label", true
	}
	return "", false
}

// suspect looks at one column.
func (o *Column) suspect(rows int64, add func(column, format string, args ...any)) {
	filled := rows - o.Missing
	switch {
	case o.Training == leftOut:
	case filled == 0:
		add(o.Name, "every cell is missing: leave it out with data.drop")
	case o.Training == refused:
		add(o.Name, "training refuses it: %s", o.Reason)
	case o.Kind == Constant:
		add(o.Name, "it is constant: %s", o.Why)
	case o.Kind == Identifier:
		add(o.Name, "it seems to be an identifier (%s): a model learns rows by heart from it", o.Why)
	}
	if o.Missing > 0 && filled > 0 && 2*o.Missing > rows {
		add(o.Name, "%s of its cells are missing", percent(o.Missing, rows))
	}
	if o.Training == asCategory && o.Kind == Category {
		o.suspectTexts(add)
	}
	if o.Training == asNumber && o.Kind == Number {
		o.suspectNumbers(add)
	}
}

// suspectTexts looks for texts that stand for the same, and for numbers that a few words keep
// from being numbers.
func (o *Column) suspectTexts(add func(column, format string, args ...any)) {
	c := o.seen
	if !c.texts.exact {
		return
	}
	var words []Value
	folded := map[string]string{}
	for _, v := range c.texts.top(math.MaxInt) {
		if _, kind := dataset.ParseNumber(v.Value); kind != dataset.Finite {
			words = append(words, v)
		}
		fold := strings.ToLower(strings.Join(strings.Fields(v.Value), " "))
		if other, ok := folded[fold]; ok {
			add(o.Name, "%.40q and %.40q are two categories, although they differ only in blanks or capitals", other, v.Value)
			break
		}
		folded[fold] = v.Value
	}
	if numbers := int64(o.in.Numbers); numbers > 4*(c.filled-numbers) && len(words) > 0 && len(words) <= 3 {
		add(o.Name, "%s of its cells are numbers, and the others are %.40q (%d times): if that means a missing value, add it to data.csv.na",
			percent(numbers, c.filled), words[0].Value, words[0].Count)
	}
}

// sentinels are numbers that stand for a missing value in many files.
var sentinels = []float64{-1, -9, -99, -999, -9999, -99999, 99, 999, 9999, 99999, 999999}

// suspectNumbers looks for numbers that may stand for missing values, and for numbers far away.
func (o *Column) suspectNumbers(add func(column, format string, args ...any)) {
	n := o.Numbers
	middle, spread := n.Quantiles[3], n.Quantiles[5]-n.Quantiles[1]
	for _, v := range o.Top {
		x, kind := dataset.ParseNumber(v.Value)
		outside := x == n.Min && n.Quantiles[2]-x > spread/2 || x == n.Max && x-n.Quantiles[4] > spread/2
		if kind == dataset.Finite && slices.Contains(sentinels, x) && v.Count > 1 && outside && o.Distinct > 3 {
			add(o.Name, "%s stands in %d cells and lies apart from the others: if it means a missing value, add it to data.csv.na", v.Value, v.Count)
			return
		}
	}
	if spread <= 0 {
		return
	}
	for _, far := range []struct {
		x   float64
		row int64
	}{{n.Min, n.MinRow}, {n.Max, n.MaxRow}} {
		if d := math.Abs(far.x/2-middle/2) * 2; d > 20*spread {
			add(o.Name, "%s in row %d is far from the others, of which 90 %% are from %s to %s", short(far.x), far.row, short(n.Quantiles[1]), short(n.Quantiles[5]))
		}
	}
}

// equal looks for columns with equal cells.
func (r *Report) equal(add func(column, format string, args ...any)) {
	first := map[uint64]string{}
	found := 0
	for i := range r.Columns {
		c := &r.Columns[i]
		if c.Distinct < 2 || r.Label != nil && c.Name == r.Label.Column {
			continue
		}
		if other, ok := first[c.seen.content]; ok {
			if found++; found <= mostSuspicions {
				add(c.Name, "it equals the column %.60q in every row", other)
			}
			continue
		}
		first[c.seen.content] = c.Name
	}
}
