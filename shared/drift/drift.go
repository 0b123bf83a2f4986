// Package drift compares rows to predict on with the training rows of a model.
//
// It owns the comparison: unseen categories, numbers outside the range of training, and the
// population stability index (PSI) of each column. It leaves the description of the training
// rows to package dataset (Profile). Package registry calls it while it predicts.
//
// Invariant: it changes no answer. Counting the same rows in any order, in one counter or in
// several that are merged, gives the same report, except for the examples.
package drift

import (
	"cmp"
	"math"
	"slices"
	"sync"

	"tributary/shared/dataset"
)

// Bounds of a comparison.
const (
	// MinRows is the number of rows from which a PSI is computed: fewer rows differ from
	// the training rows by chance.
	MinRows = 100
	// The most frequent categories have a bin each, the others share one.
	ownBins = 20
	// maxReported is the largest number of columns of a report.
	maxReported = 50
)

// Baseline is a model's training rows, prepared for comparisons. It is immutable.
type Baseline struct {
	prep    *dataset.Preprocessing
	profile *dataset.Profile
	columns []baseline
}

// baseline is a column: its bins and how many training values are in each. The last two bins
// are other (rare or unseen categories) and missing.
type baseline struct {
	group []uint8 // category → bin; nil: the bins are the profile's
	bins  []float64
}

// Profile returns the description of the training rows.
func (b *Baseline) Profile() *dataset.Profile { return b.profile }

// NewBaseline prepares a profile that fits the preprocessing.
func NewBaseline(prep *dataset.Preprocessing, profile *dataset.Profile) *Baseline {
	b := &Baseline{prep, profile, make([]baseline, len(profile.Columns))}
	for j := range profile.Columns {
		p := &profile.Columns[j]
		if prep.Columns[j].Kind == dataset.Categorical {
			b.columns[j] = grouped(p)
			continue
		}
		// The bins are counted in a sample, the missing values in all rows.
		sampled := int64(0)
		for _, n := range p.Counts {
			sampled += n
		}
		scale := 0.0
		if sampled > 0 {
			scale = float64(profile.Rows-p.Missing) / float64(sampled)
		}
		bins := make([]float64, len(p.Counts)+2)
		for i, n := range p.Counts {
			bins[i] = float64(n) * scale
		}
		bins[len(bins)-1] = float64(p.Missing)
		b.columns[j].bins = bins
	}
	return b
}

// grouped gives the most frequent categories a bin each.
func grouped(p *dataset.ColumnProfile) baseline {
	order := make([]int, len(p.Counts))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(p.Counts[b], p.Counts[a]) })
	own := min(ownBins, len(order))
	out := baseline{group: make([]uint8, len(order)), bins: make([]float64, own+2)}
	for rank, i := range order {
		bin := min(rank, own)
		out.group[i] = uint8(bin)
		out.bins[bin] += float64(p.Counts[i])
	}
	out.bins[own+1] = float64(p.Missing)
	return out
}

// Counter counts rows. It is safe for concurrent use.
type Counter struct {
	base *Baseline

	mu      sync.Mutex
	rows    int64
	columns []counted
	taken   tally // what Take has returned
	total   tally
}

// tally is what Take counts.
type tally struct{ rows, unseen, outside int64 }

// counted is what is counted of a column.
type counted struct {
	bins                     []int64
	missing, unseen, outside int64
	example                  string // of an unseen or outside value
}

// NewCounter returns a counter without rows.
func (b *Baseline) NewCounter() *Counter {
	c := &Counter{base: b, columns: make([]counted, len(b.columns))}
	n := 0
	for j := range b.columns {
		n += len(b.columns[j].bins)
	}
	all := make([]int64, n)
	for j := range b.columns {
		n := len(b.columns[j].bins)
		c.columns[j].bins, all = all[:n:n], all[n:]
	}
	return c
}

// Add counts a row of raw values, which the model has accepted. It returns how many of them
// are unseen categories, and how many are numbers outside the range of training.
func (c *Counter) Add(values []dataset.Value) (unseen, outside int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rows++
	for j := range c.columns {
		k, b := &c.columns[j], &c.base.columns[j]
		bin, standing := c.base.profile.Columns[j].Stand(&c.base.prep.Columns[j], values[j])
		if b.group != nil && standing == dataset.Known {
			bin = int(b.group[bin])
		}
		switch standing {
		case dataset.Absent:
			k.missing++
			bin = len(b.bins) - 1
		case dataset.Unseen:
			k.unseen++
			unseen++
			bin = len(b.bins) - 2
		case dataset.OutOfRange:
			k.outside++
			outside++
		case dataset.Known:
		}
		if k.example == "" && (standing == dataset.Unseen || standing == dataset.OutOfRange) {
			k.example = values[j].String()
		}
		k.bins[bin]++
	}
	c.total.rows, c.total.unseen, c.total.outside = c.rows, c.total.unseen+int64(unseen), c.total.outside+int64(outside)
	return unseen, outside
}

// Take returns the number of rows, and what was counted since the last call of Take: rows,
// and in them unseen categories and numbers outside the range of training.
func (c *Counter) Take() (total, rows, unseen, outside int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.taken
	c.taken = c.total
	return c.total.rows, c.total.rows - before.rows, c.total.unseen - before.unseen, c.total.outside - before.outside
}

// Report says how rows differ from the training rows.
type Report struct {
	Rows         int64 `json:"rows"`
	TrainingRows int64 `json:"training_rows"`
	// Columns that differ most come first, at most 50; Omitted counts the others.
	Columns []Column `json:"columns"`
	Omitted int      `json:"omitted_columns,omitempty"`
	// Note says why there is no PSI.
	Note string `json:"note,omitempty"`
}

// Column says how a column differs.
type Column struct {
	Column string `json:"column"`
	// PSI is the population stability index: Σ (q − p)·ln(q/p) over bins, with the fractions p
	// of the training rows and q of these rows, both with half a row more in each bin. By
	// custom, below 0.1 is stable, and above 0.25 the population has changed.
	PSI *float64 `json:"psi,omitempty"`
	// Unseen is the number of rows with a category that no training row has, OutOfRange of
	// those with a number outside their range. Example is the first such value.
	Unseen     int64  `json:"unseen,omitempty"`
	OutOfRange int64  `json:"out_of_range,omitempty"`
	Example    string `json:"example,omitempty"`
	// Min and Max are the range of the training rows, if numbers are outside.
	Min *float64 `json:"min,omitempty"`
	Max *float64 `json:"max,omitempty"`
	// Missing and TrainingMissing are fractions of the rows.
	Missing         float64 `json:"missing,omitempty"`
	TrainingMissing float64 `json:"training_missing,omitempty"`
}

// Report compares the rows so far with the training rows.
func (c *Counter) Report() *Report {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := &Report{Rows: c.rows, TrainingRows: c.base.profile.Rows}
	if c.rows < MinRows {
		r.Note = "the population stability index wants at least 100 rows"
	}
	for j := range c.columns {
		k, p := &c.columns[j], &c.base.profile.Columns[j]
		out := Column{Column: p.Name, Unseen: k.unseen, OutOfRange: k.outside, Example: k.example}
		if c.rows > 0 {
			out.Missing = float64(k.missing) / float64(c.rows)
		}
		out.TrainingMissing = float64(p.Missing) / float64(c.base.profile.Rows)
		if k.outside > 0 {
			out.Min, out.Max = p.Min, p.Max
		}
		if c.rows >= MinRows {
			psi := index(c.base.columns[j].bins, k.bins)
			out.PSI = &psi
		}
		r.Columns = append(r.Columns, out)
	}
	slices.SortStableFunc(r.Columns, func(a, b Column) int {
		return cmp.Or(cmp.Compare(value(b.PSI), value(a.PSI)), cmp.Compare(b.Unseen+b.OutOfRange, a.Unseen+a.OutOfRange))
	})
	if n := len(r.Columns) - maxReported; n > 0 {
		r.Columns, r.Omitted = r.Columns[:maxReported], n
	}
	return r
}

// Largest returns the largest PSI of a column; ok is false if there are too few rows.
func (r *Report) Largest() (psi float64, ok bool) {
	if len(r.Columns) == 0 || r.Columns[0].PSI == nil {
		return 0, false
	}
	return *r.Columns[0].PSI, true
}

func value(x *float64) float64 {
	if x == nil {
		return 0
	}
	return *x
}

// index returns the PSI of counts against the training rows. Bins that are empty in both do
// not count.
func index(training []float64, counts []int64) float64 {
	const half = 0.5
	var trained, counted float64
	for i, n := range counts {
		if training[i] > 0 || n > 0 {
			trained += training[i] + half
			counted += float64(n) + half
		}
	}
	sum := 0.0
	for i, n := range counts {
		if training[i] > 0 || n > 0 {
			p, q := (training[i]+half)/trained, (float64(n)+half)/counted
			sum += float64((q - p) * math.Log(q/p))
		}
	}
	return max(sum, 0)
}
