// Package inspect describes a source of data before anybody trains on it: what each column
// is and why, its values, what is suspicious, and a spec that trains on it.
//
// It owns the report and how people see it: as text, JSON and an HTML page. It leaves the
// reading of files, and the decision how training reads a column, to package ingest. The
// inspect command and the request tributary.data.inspect call it.
//
// Invariant: a report is a pure function of the source's bytes and the request. It takes one
// pass over the rows and a bounded memory, for any number of rows and columns.
package inspect

import (
	"context"
	"fmt"
	"slices"

	"tributary/coordinator/ingest"
	"tributary/shared/access"
	"tributary/shared/hint"
	"tributary/shared/job"
	"tributary/shared/spec"
)

// Report describes a source.
type Report struct {
	Source   string   `json:"source"`
	Format   string   `json:"format"`
	Files    int      `json:"files"`
	Rows     int64    `json:"rows"`
	Width    int      `json:"width"`              // number of columns
	Detected []string `json:"detected,omitempty"` // how the files are written
	// Repeated is the number of rows that are equal to an earlier one; nil if there are too
	// many rows to tell.
	Repeated *int64 `json:"repeated_rows,omitempty"`
	Label    *Label `json:"label,omitempty"`
	// Columns are in the order of the file: the first 4096, or fewer if Omitted is not 0.
	Columns    []Column    `json:"columns"`
	Omitted    int         `json:"omitted_columns,omitempty"`
	Suspicions []Suspicion `json:"suspicions,omitempty"`
	// Spec is a spec in YAML that trains on the source, or "": NoSpec then says why.
	Spec   string `json:"suggested_spec,omitempty"`
	NoSpec string `json:"no_spec,omitempty"`
}

// Label is the column to learn.
type Label struct {
	Column string   `json:"column"`
	Why    string   `json:"why"` // it is the label
	Loss   job.Loss `json:"loss"`
	// Classes is the number of classes; 0 for a label of numbers.
	Classes int64 `json:"classes,omitempty"`
}

// Suspicion is something that a person should look at.
type Suspicion struct {
	Column string `json:"column,omitempty"`
	What   string `json:"what"`
}

// Request says what to inspect.
type Request struct {
	Data  job.Data // the source, its format and how it is read
	Name  string   // of the suggested spec; "" takes the source's
	Label string   // the column to learn; "" guesses it
	// Memory is about the largest number of bytes for all columns; 0 means Memory.
	Memory int
}

// Inspect describes a source. Faults of the source or of the request wrap job.ErrInvalid.
func Inspect(ctx context.Context, in *ingest.Ingest, q Request) (*Report, error) {
	o := &observer{memory: q.Memory}
	d := q.Data
	if d.Inline == nil && d.Format == "" {
		d.Format = in.FormatIn(ctx, d.Source)
	}
	seen, err := in.Inspect(ctx, &d, o)
	if err != nil {
		return nil, err
	}
	r := &Report{
		Source: access.Show(d.Source), Format: string(d.Format), Files: seen.Files, Rows: int64(seen.Rows),
		Width: len(seen.Columns), Detected: seen.Detected, Omitted: len(seen.Columns) - len(o.columns),
	}
	if d.Inline != nil {
		r.Source, r.Format = "the rows in the spec", "inline"
	}
	if !o.lost {
		r.Repeated = &o.again
	}
	for i, c := range o.columns {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		r.Columns = append(r.Columns, describe(c, &seen.Columns[i], r.Rows))
	}
	if err := r.label(&d, q.Label); err != nil {
		return nil, err
	}
	r.suspect()
	r.suggest(&d, q.Name)
	return r, nil
}

// column returns the column of a name, or nil.
func (r *Report) column(name string) *Column {
	i := slices.IndexFunc(r.Columns, func(c Column) bool { return c.Name == name })
	if i < 0 {
		return nil
	}
	return &r.Columns[i]
}

// label finds the column to learn: the given one, or the likeliest.
func (r *Report) label(d *job.Data, given string) error {
	if d.Inline != nil || d.Format == job.IDX {
		if given != "" {
			return fmt.Errorf("label: %.80q: the source has no named columns: want none: %w", given, job.ErrInvalid)
		}
		return nil
	}
	why := "it was named"
	if given == "" && len(d.Label) > 0 {
		given, why = d.Label[0], "the spec names it"
	}
	if given == "" {
		if given, why = r.guess(); given == "" {
			return nil
		}
	}
	c := r.column(given)
	if c == nil {
		names := make([]string, len(r.Columns))
		for i := range names {
			names[i] = r.Columns[i].Name
		}
		const shown = 12
		return fmt.Errorf("label: no column %.80q in the source, whose %d columns begin with %.80q%s: %w",
			given, r.Width, names[:min(shown, len(names))], hint.For(given, names), job.ErrInvalid)
	}
	r.Label = &Label{Column: given, Why: why}
	r.Label.Loss, r.Label.Classes = c.objective()
	return nil
}

// maxClasses is the largest number of different integers that are taken as classes.
const maxClasses = 20

// objective returns the loss that fits a column as the label, and its number of classes. It
// returns "" for a column that cannot be one.
func (o *Column) objective() (job.Loss, int64) {
	classes := o.Distinct
	switch {
	case o.Distinct < 2, o.Training == refused && o.Kind != Identifier, o.Training == leftOut:
		return "", 0
	case o.Training == asNumber && !(o.Numbers != nil && o.Numbers.whole && !o.Estimated && o.Distinct <= maxClasses && o.Distinct*2 <= o.seen.filled):
		return job.MSE, 0
	case o.Estimated, o.Kind == Text, o.Distinct*2 > o.seen.filled:
		return "", 0
	case classes == 2:
		return job.SigmoidCrossEntropy, 2
	default:
		return job.SoftmaxCrossEntropy, classes
	}
}

// check reports a spec that Decode refuses, which is a fault of this package.
func check(text string) error {
	_, err := spec.Decode([]byte(text))
	return err
}
