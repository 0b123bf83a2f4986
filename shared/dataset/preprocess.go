package dataset

import (
	"fmt"
	"math"
	"slices"

	"tributary/shared/dataset/tabular"
	"tributary/shared/job"
)

// Limits of a preprocessing, which is read back from model files.
const (
	// MaxColumns limits the raw columns of a row, because every plan contains them.
	MaxColumns = tabular.MaxColumns
	// MaxCategories limits the categories of a text column and the classes of a label.
	MaxCategories = 10_000
	// MaxCategoryBytes limits the text of one category or class.
	MaxCategoryBytes = 1024
	// MaxFeatures limits the features of a row, so that a block of one row stays well below
	// 64 MiB.
	MaxFeatures = 1 << 23
)

// Features returns the number of features that a raw row becomes.
func (p *Preprocessing) Features() int {
	n := 0
	for _, c := range p.Columns {
		n += c.Width()
	}
	return n
}

// Apply turns one raw row into features. len(row) is the number of columns, and len(dst) is
// Features(). It records in notes, which may be nil, the values that the training split did
// not have. It fails with job.ErrInvalid; the error names the column, the value and what is
// allowed. After an error, the contents of dst are undefined.
func (p *Preprocessing) Apply(dst []float32, row []Value, notes *Notes) error {
	if len(row) != len(p.Columns) {
		return fmt.Errorf("row of %d values: the model takes %d: %w", len(row), len(p.Columns), job.ErrInvalid)
	}
	if n := p.Features(); len(dst) != n {
		return fmt.Errorf("room for %d features: the row has %d: %w", len(dst), n, job.ErrInvalid)
	}
	for i, o := range p.Offsets() {
		c := &p.Columns[i]
		if err := c.apply(dst[o.At:o.At+c.Width()], o.First, row[i], notes); err != nil {
			return fmt.Errorf("column %q: %w: %w", c.Name, err, job.ErrInvalid)
		}
	}
	return nil
}

// apply writes the features of a value. first is the number of the column's first category,
// if they are embedded.
func (c *Column) apply(dst []float32, first int, v Value, notes *Notes) error {
	if c.Kind == Categorical {
		return c.applyCategory(dst, first, v, notes)
	}
	if v.kind == isMissing {
		if c.Fill == nil {
			return fmt.Errorf("missing: want a number; the model was trained with rows of missing values dropped")
		}
		v = Number(*c.Fill)
		notes.add(c, filledIn, v)
	}
	x, err := c.asNumber(v)
	if err != nil {
		return err
	}
	dst[0], err = c.Scaled(x)
	return err
}

// Scaled maps a numeric value to its feature. It fails if the value or the feature is not
// finite.
func (c *Column) Scaled(x float64) (float32, error) {
	f := float32((x - c.Shift) / c.Scale)
	if !(math.Abs(x) <= math.MaxFloat64) || !(math.Abs(float64(f)) <= math.MaxFloat32) {
		return 0, fmt.Errorf("%v: want a finite number that is still finite as a 32-bit float after scaling", x)
	}
	return f, nil
}

func (c *Column) applyCategory(dst []float32, first int, v Value, notes *Notes) error {
	if v.kind == isMissing {
		if c.FillCategory == nil {
			return fmt.Errorf("missing: want text; the model was trained with rows of missing values dropped")
		}
		v = Value{kind: isText, text: *c.FillCategory}
		notes.add(c, filledIn, v)
	}
	clear(dst)
	i, ok, err := c.category(v)
	switch {
	case c.Embed > 0 && ok:
		dst[0] = float32(first + i)
	case c.Embed > 0:
		dst[0] = -1
	case ok:
		dst[i] = 1
	}
	if !ok && err == nil {
		notes.add(c, neverSeen, v)
	}
	return err
}

// Category returns the index of a category. A hashed column has one for each text.
func (c *Column) Category(text string) (int, bool) {
	if c.Hash > 0 {
		return Bucket(HashText(c.Name, text), c.Hash), true
	}
	return slices.BinarySearch(c.Categories, text)
}

// Unscale maps a prediction of a regression label back to the label's unit.
func (c *Column) Unscale(y float32) float64 {
	return float64(float64(y)*c.Scale) + c.Shift
}

// Validate checks a preprocessing that comes from outside. It fails with job.ErrInvalid.
func (p *Preprocessing) Validate() error {
	n := 0
	if len(p.Columns) > MaxColumns {
		return fmt.Errorf("%d columns: want at most %d: %w", len(p.Columns), MaxColumns, job.ErrInvalid)
	}
	names := make(map[string]bool, len(p.Columns))
	for i := range p.Columns {
		c := &p.Columns[i]
		if err := c.validate(MaxCategories); err != nil {
			return fmt.Errorf("columns[%d]: %w: %w", i, err, job.ErrInvalid)
		}
		if names[c.Name] {
			return fmt.Errorf("columns[%d]: second column of the name %.80q: %w", i, c.Name, job.ErrInvalid)
		}
		names[c.Name] = true
		n += c.Width()
		if n > MaxFeatures {
			return fmt.Errorf("columns[%d]: over %d features: %w", i, MaxFeatures, job.ErrInvalid)
		}
	}
	if n == 0 {
		return fmt.Errorf("columns: no features: %w", job.ErrInvalid)
	}
	if err := p.checkEmbedding(); err != nil {
		return err
	}
	return p.validateLabels()
}

// validateLabels checks the columns that are no features.
func (p *Preprocessing) validateLabels() error {
	if n, m := len(p.Others), len(p.Labels); n > job.MaxLabels || m >= job.MaxLabels {
		return fmt.Errorf("%d others, %d further labels: want at most %d and %d: %w", n, m, job.MaxLabels, job.MaxLabels-1, job.ErrInvalid)
	}
	for i := range p.Labels {
		if c := &p.Labels[i]; c.Kind != Numeric || p.Label.Kind != Numeric {
			return fmt.Errorf("labels[%d]: kind %.40q: want several columns only of numbers: %w", i, string(c.Kind), job.ErrInvalid)
		} else if err := c.validate(0); err != nil {
			return fmt.Errorf("labels[%d]: %w: %w", i, err, job.ErrInvalid)
		}
	}
	if p.Label.Kind != Numeric {
		return nil
	}
	if err := p.Label.validate(0); err != nil {
		return fmt.Errorf("label: %w: %w", err, job.ErrInvalid)
	}
	return nil
}

func (c *Column) validate(maxCategories int) error {
	if err := c.Form.validate(); err != nil {
		return err
	}
	if c.Hash != 0 && (c.Kind != Categorical || len(c.Categories) > 0 || maxCategories == 0 || c.Hash < job.MinHash || c.Hash > job.MaxHash) {
		return fmt.Errorf("hash %d: want %d to %d, and only for a column of kind %s without categories", c.Hash, job.MinHash, job.MaxHash, Categorical)
	}
	switch c.Kind {
	case Categorical:
		if len(c.Categories) > maxCategories {
			return fmt.Errorf("%d categories: at most %d", len(c.Categories), maxCategories)
		}
		if !slices.IsSorted(c.Categories) || len(slices.Compact(slices.Clone(c.Categories))) != len(c.Categories) {
			return fmt.Errorf("categories: want them sorted and each once")
		}
		for _, text := range c.Categories {
			if len(text) > MaxCategoryBytes {
				return fmt.Errorf("category %.40q of %d bytes: want at most %d", text, len(text), MaxCategoryBytes)
			}
		}
	case Numeric:
		if !finite(c.Shift) || !finite(c.Scale) || c.Scale == 0 || c.Fill != nil && !finite(*c.Fill) {
			return fmt.Errorf("shift %v, scale %v: want finite numbers, scale not 0", c.Shift, c.Scale)
		}
	default:
		return fmt.Errorf("kind %.40q: want %s or %s", string(c.Kind), Numeric, Categorical)
	}
	return nil
}
