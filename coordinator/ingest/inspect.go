package ingest

import (
	"context"
	"fmt"
	"slices"

	"tributary/shared/access"
	"tributary/shared/dataset"
	"tributary/shared/dataset/tabular"
	"tributary/shared/job"
)

// Observer sees every row of a source while ingest surveys it.
type Observer interface {
	// Begin receives the names of the columns before the first row, how data.csv says that
	// numbers are written (nil: plainly), and the options themselves (nil: none).
	Begin(names []string, form *dataset.Form, options *job.CSVOptions) error
	// Row receives the cells of a row. at maps a column to its cell. Both are valid until
	// Row returns.
	Row(cells []string, at []int)
	// Numbers receives a row [columns] of a source without texts; NaN is missing.
	Numbers(row []float64)
}

// Inspection is what ingest decides about a source.
type Inspection struct {
	Rows     int
	Files    int
	Detected []string // what was detected in the files, in words
	Columns  []Inspected
}

// Inspected is a column of a source, as training reads it.
type Inspected struct {
	Name string
	// Becomes has the columns of the table: one, or one for each part of a date. It is empty
	// if training leaves the column out or refuses it.
	Becomes []dataset.Column
	LeftOut string // why training leaves the column out, or ""
	Refused error  // why training refuses the column as a feature, or nil
	Nested  bool   // its cells are lists or objects
	// Of the cells that are not missing in every column.
	Numbers, Texts, NonFinites int
	Words                      int // that are missing values in columns of numbers alone
	Odd                        []Sighting
}

// Sighting is a cell that was noticed.
type Sighting struct {
	What  string `json:"what"`
	Place string `json:"place"` // like "line 3"
	Value string `json:"value"` // quoted, at most 80 characters
}

// Inspect surveys the source of d once, with the reader and the decisions of training, and
// passes each row to o. It stores nothing. Faults of the source wrap job.ErrInvalid.
func (in *Ingest) Inspect(ctx context.Context, d *job.Data, o Observer) (seen *Inspection, err error) {
	err = in.apart(d, func(w *work) error {
		w.observer = o
		seen, err = w.inspect(ctx, d)
		return err
	})
	if err != nil {
		return nil, err
	}
	return seen, nil
}

func (w *work) inspect(ctx context.Context, d *job.Data) (*Inspection, error) {
	switch {
	case d.Inline != nil:
		t, err := w.readInline(d.Inline, false)
		if err != nil { // the label may be texts
			t, err = w.readInline(d.Inline, true)
		}
		if err != nil {
			return nil, err
		}
		return w.inspectTable(ctx, t)
	case d.Format == job.IDX:
		var t *table
		err := w.with(ctx, "data.source", d.Source, func(content *tabular.Source) (err error) {
			t, err = w.idxFeatures(content)
			return err
		})
		if err != nil {
			return nil, err
		}
		return w.inspectTable(ctx, t)
	case d.Format == job.NumPy:
		names, _ := arrays(d.Arrays, "data.source")
		rows, c, err := w.array(ctx, "data.source", d.Source, names, 4)
		if err != nil {
			return nil, err
		}
		return w.inspectTable(ctx, &table{rows: rows, columns: numbered(c.width), cells: c})
	case d.Format == "":
		return nil, fmt.Errorf("data.format: missing: the file name %.80q does not show the format: want one of %q: %w", access.Show(d.Source), d.Format.Allowed(), job.ErrInvalid)
	}
	s, err := w.survey(ctx, &job.Spec{Data: *d}, files{field: "data.source", source: d.Source, queryField: "data.query", query: d.Query})
	if err != nil {
		return nil, err
	}
	return w.inspected(ctx, d, s)
}

// inspected describes the columns of a survey.
func (w *work) inspected(ctx context.Context, d *job.Data, s *survey) (*Inspection, error) {
	out := &Inspection{Rows: s.rows, Files: len(s.sources), Detected: s.detected, Columns: make([]Inspected, len(s.tallies))}
	var p pace
	for i := range s.tallies {
		if err := p.check(ctx, columnCost); err != nil {
			return nil, err
		}
		t := &s.tallies[i]
		c := &out.Columns[i]
		*c = Inspected{
			Name: t.name, Nested: t.kind == tabular.Nested, Numbers: t.numbers, Texts: t.texts, NonFinites: t.nonFinites,
			Words: t.naTexts + t.naNonFinites, Odd: t.sightings(),
		}
		if slices.Contains(d.Drop, t.name) || d.Columns[t.name].Type == job.DropColumn {
			c.LeftOut = "the spec leaves it out"
			continue
		}
		if why, ok := t.index(); ok {
			c.LeftOut = why
			continue
		}
		columns, err := t.columns()
		if err != nil {
			c.Refused = err
			continue
		}
		for _, of := range columns {
			c.Becomes = append(c.Becomes, dataset.Column{Name: of.name, Kind: of.kind, Thousands: of.thousands, Form: of.form})
		}
	}
	return out, nil
}

// sightings returns the first cell of each kind that a user may not expect.
func (t *tally) sightings() (found []Sighting) {
	for _, s := range []struct {
		what string
		cell sighting
		n    int
	}{
		{"text among numbers", preferred(t.stranger, t.text), min(t.texts-t.naTexts, t.numbers)},
		{"a word for a missing value", t.na, t.naTexts + t.naNonFinites},
		{"not a finite number", t.infinite, t.infinites},
		{"an integer that loses digits as a number", t.identifier, t.identifiers},
		{"a decimal comma", t.comma, t.sure},
	} {
		if s.n > 0 && s.cell.seen != nil {
			found = append(found, Sighting{s.what, s.cell.at, s.cell.text})
		}
	}
	return found
}

// inspectTable passes the rows of a table of numbers to the observer.
func (w *work) inspectTable(ctx context.Context, t *table) (*Inspection, error) {
	out := &Inspection{Rows: t.rows, Files: 1, Columns: make([]Inspected, len(t.columns))}
	names := make([]string, len(t.columns))
	for j, c := range t.columns {
		names[j] = c.name
		out.Columns[j] = Inspected{Name: c.name, Becomes: []dataset.Column{{Name: c.name, Kind: dataset.Numeric}}, Numbers: t.rows}
	}
	if err := w.observer.Begin(names, nil, nil); err != nil {
		return nil, err
	}
	return out, t.cells.each(ctx, all(t.rows), func(_ int, row []float64) { w.observer.Numbers(row) })
}

// FormatIn returns the format of a source that is a folder or has wildcards: that of its
// first file whose name shows one. It returns "" if there is none.
func (in *Ingest) FormatIn(ctx context.Context, source string) job.Format {
	if f := job.FormatOf(source); f != "" {
		return f
	}
	lister, ok := in.Sources.(Lister)
	if !ok {
		return ""
	}
	found, err := lister.List(ctx, source)
	if err != nil {
		return "" // opening the source explains it
	}
	for _, name := range found {
		if f := job.FormatOf(name); f != "" && f != job.IDX {
			return f
		}
	}
	return ""
}
