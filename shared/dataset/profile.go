package dataset

import (
	"encoding/json"
	"fmt"
	"slices"

	"tributary/shared/job"
)

// ProfileVersion is the version of the profile that this program writes and reads.
const ProfileVersion = 1

// Limits of a profile.
const (
	MaxProfiled  = 4096    // raw columns; a wider table has no profile
	maxProfile   = 8 << 20 // bytes of its JSON
	maxQuantiles = 100     // edges of a column
)

// Profile describes the training rows of a model, so that rows to predict on can be compared
// with them. It has no influence on parameters or answers.
type Profile struct {
	Version int             `json:"version"` // ProfileVersion
	Rows    int64           `json:"rows"`    // of the training split
	Columns []ColumnProfile `json:"columns"` // those of the preprocessing, in order
}

// ColumnProfile describes a raw column of the training rows.
type ColumnProfile struct {
	Name    string `json:"name"`
	Missing int64  `json:"missing,omitempty"` // rows
	// A column of numbers: the range, and edges of bins of about as many rows each. A value
	// is in bin i if i edges are at most as large. All are nil if each value is missing.
	Min   *float64  `json:"min,omitempty"`
	Max   *float64  `json:"max,omitempty"`
	Edges []float64 `json:"edges,omitempty"`
	// Counts has the values in each bin (one more than there are edges), of a sample of the
	// rows; or the rows of each category, in the order of the preprocessing's categories. Those
	// of a hashed column are the buckets, modulo 1024.
	Counts []int64 `json:"counts"`
}

// Bin returns the bin of a number.
func (p *ColumnProfile) Bin(x float64) int {
	at, found := slices.BinarySearch(p.Edges, x)
	if found {
		at++
	}
	return at
}

// Encode returns the JSON of a profile.
func (p *Profile) Encode() ([]byte, error) {
	data, err := json.Marshal(p)
	if err == nil && len(data) > maxProfile {
		err = fmt.Errorf("profile of %d bytes: want at most %d: %w", len(data), maxProfile, job.ErrInvalid)
	}
	return data, err
}

// DecodeProfile reads a profile from an untrusted source, and checks that it describes the
// columns of a preprocessing. It fails with job.ErrInvalid.
func DecodeProfile(data []byte, of *Preprocessing) (*Profile, error) {
	if len(data) > maxProfile {
		return nil, fmt.Errorf("profile of %d bytes: want at most %d: %w", len(data), maxProfile, job.ErrInvalid)
	}
	p := new(Profile)
	if err := json.Unmarshal(data, p); err != nil {
		return nil, fmt.Errorf("profile: %w: %w", err, job.ErrInvalid)
	}
	switch {
	case p.Version != ProfileVersion:
		return nil, fmt.Errorf("profile: version %d: this program reads version %d: %w", p.Version, ProfileVersion, job.ErrInvalid)
	case len(p.Columns) != len(of.Columns) || p.Rows < 1:
		return nil, fmt.Errorf("profile: %d columns of %d rows: want the %d columns of the preprocessing: %w", len(p.Columns), p.Rows, len(of.Columns), job.ErrInvalid)
	}
	for i := range p.Columns {
		if err := p.Columns[i].check(&of.Columns[i], p.Rows); err != nil {
			return nil, fmt.Errorf("profile: columns[%d]: %w: %w", i, err, job.ErrInvalid)
		}
	}
	return p, nil
}

// check checks that the profile of a column fits the column.
func (p *ColumnProfile) check(c *Column, rows int64) error {
	want := c.Bins()
	if c.Kind == Numeric {
		want = len(p.Edges) + 1
	}
	switch {
	case p.Name != c.Name:
		return fmt.Errorf("name %.80q: want %.80q", p.Name, c.Name)
	case p.Missing < 0 || p.Missing > rows:
		return fmt.Errorf("missing: %d: want 0 to %d", p.Missing, rows)
	case len(p.Counts) != want:
		return fmt.Errorf("%d counts: want %d", len(p.Counts), want)
	case slices.ContainsFunc(p.Counts, func(n int64) bool { return n < 0 || n > rows }):
		return fmt.Errorf("counts: want 0 to %d", rows)
	case len(p.Edges) > maxQuantiles || !slices.IsSorted(p.Edges) || slices.ContainsFunc(p.Edges, func(x float64) bool { return !finite(x) }):
		return fmt.Errorf("edges: want at most %d finite numbers that rise", maxQuantiles)
	case (p.Min == nil) != (p.Max == nil), p.Min != nil && (!finite(*p.Min) || !finite(*p.Max) || *p.Min > *p.Max):
		return fmt.Errorf("min and max: want two finite numbers, or none")
	}
	return nil
}

// Standing is how a value stands to the training rows.
type Standing uint8

// The standings.
const (
	Known      Standing = iota // in a bin
	Absent                     // missing
	Unseen                     // a category that no training row has
	OutOfRange                 // a number outside the range of the training rows; it has a bin too
)

// Stand returns how a value of a column stands to the training rows, and its bin (for
// Known and OutOfRange). A value that the model refuses is Absent.
func (p *ColumnProfile) Stand(c *Column, v Value) (bin int, s Standing) {
	if v.kind == isMissing {
		return 0, Absent
	}
	if c.Kind == Categorical {
		i, ok, err := c.category(v)
		switch {
		case err != nil:
			return 0, Absent
		case !ok:
			return 0, Unseen
		}
		return c.ProfileBin(i), Known
	}
	x, err := c.asNumber(v)
	if err != nil {
		return 0, Absent
	}
	if p.Min == nil || x < *p.Min || x > *p.Max {
		return p.Bin(x), OutOfRange
	}
	return p.Bin(x), Known
}
