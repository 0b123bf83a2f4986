package ingest

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"tributary/shared/access"
	"tributary/shared/job"
)

// givenSplit is a split with a source of its own.
type givenSplit struct {
	split job.Split
	field string // of the spec
	table *table
}

// readGiven reads the sources of the splits that have one. Their columns, kinds and texts are
// those of the training source.
func (w *work) readGiven(ctx context.Context, spec *job.Spec, train *table, read reader) ([]givenSplit, error) {
	d := &spec.Data
	var out []givenSplit
	for _, g := range []struct {
		split job.Split
		files files
	}{
		{job.Validation, files{"data.validation", d.Validation, "data.validation_labels", d.ValidationLabels, "data.validation_query", d.ValidationQuery}},
		{job.Test, files{"data.test", d.Test, "data.test_labels", d.TestLabels, "data.test_query", d.TestQuery}},
	} {
		if g.files.source == "" {
			continue
		}
		t, err := read(ctx, spec, g.files, train)
		if err != nil {
			return nil, err
		}
		out = append(out, givenSplit{g.split, g.files.field, t})
	}
	return out, nil
}

// reader reads the table of a source; like is the training table, or nil.
type reader func(ctx context.Context, spec *job.Spec, f files, like *table) (*table, error)

// apart cleans the rows of the given sources. It refuses a source that is the same as
// another one, or that shares a group with another one.
func (w *work) apart(ctx context.Context, spec *job.Spec, train *table, rows []int32, given []givenSplit) ([]splitRows, error) {
	var sets []splitRows
	earlier := []givenSplit{{job.Train, "data.source", train}}
	kept := [][]int32{rows}
	for _, g := range given {
		own, err := w.clean(ctx, g.field, g.table, spec.Data.Clean)
		if err != nil {
			return nil, err
		}
		if err := g.table.label.follow(ctx, &train.label, own); err != nil {
			return nil, fmt.Errorf("%s: %w", g.field, err)
		}
		if err := g.table.label.allow(ctx, own, spec.Loss); err != nil {
			return nil, fmt.Errorf("%s: %w", g.field, err)
		}
		for i, e := range earlier {
			if err := w.differ(ctx, g, e); err != nil {
				return nil, err
			}
			if err := g.shares(ctx, own, e, kept[i]); err != nil {
				return nil, err
			}
		}
		earlier, kept = append(earlier, g), append(kept, own)
		sets = append(sets, splitRows{g.split, g.table, own, these(own)})
	}
	return sets, nil
}

// differ refuses a validation source that has a file or all rows of another source, or the
// reverse. A test source that is the training source only gets a note, as specs may have
// that on purpose.
func (w *work) differ(ctx context.Context, g, e givenSplit) error {
	const why = "a figure of rows that were trained on, or chosen by, says nothing about others"
	what := ""
	for _, source := range g.table.sources {
		if slices.ContainsFunc(e.table.sources, func(other string) bool { return sameFile(source, other) }) {
			what = fmt.Sprintf("the file %q is one of %s as well", access.Show(source), e.field)
		}
	}
	if what == "" {
		same, err := g.table.equals(ctx, e.table)
		if err != nil || !same {
			return err
		}
		what = fmt.Sprintf("it has the same %d rows as %s", g.table.rows, e.field)
	}
	if g.split == job.Test && e.split == job.Train {
		w.say("%s: %s: %s", g.field, what, why)
		return nil
	}
	return fmt.Errorf("%s: %s: %s: want other rows: %w", g.field, what, why, job.ErrInvalid)
}

// sameFile reports whether two sources are the same path.
// One database, or one archive of arrays, may have the rows of several splits.
func sameFile(a, b string) bool {
	if job.IsDatabase(a) || job.FormatOf(a) == job.NumPy {
		return false
	}
	if a == b {
		return true
	}
	of := func(source string) string {
		path, isFile := strings.CutPrefix(source, "file:")
		if isFile {
			path, _ = fileURL(path)
		}
		path, err := filepath.Abs(path)
		if err != nil || !isFile && strings.HasPrefix(source, "nats:") {
			return source
		}
		return path
	}
	return of(a) == of(b)
}

// equals reports whether both tables have the same rows in the same order.
func (t *table) equals(ctx context.Context, other *table) (bool, error) {
	if t.rows != other.rows {
		return false, nil
	}
	for _, pair := range [][2]*cells{{t.cells, other.cells}, {t.label.cells, other.label.cells}} {
		a, b := pair[0].cursor(all(t.rows)), pair[1].cursor(all(t.rows))
		if a.cells.size() != b.cells.size() {
			return false, nil
		}
		var p pace
		for range t.rows {
			if err := p.check(ctx, a.cells.width); err != nil {
				return false, err
			}
			x, err := a.raw()
			if err != nil {
				return false, err
			}
			y, err := b.raw()
			if err != nil || !bytes.Equal(x, y) {
				return false, err
			}
		}
	}
	return true, nil
}

// shares fails if a group of the rows is also in the rows of an earlier source.
func (g givenSplit) shares(ctx context.Context, own []int32, e givenSplit, theirs []int32) error {
	k := g.table.key
	if k == nil || !k.group {
		return nil
	}
	keys, err := k.of(ctx, own)
	if err != nil {
		return err
	}
	others, err := e.table.key.of(ctx, theirs)
	if err != nil {
		return err
	}
	slices.Sort(others)
	for i, x := range keys {
		if _, found := slices.BinarySearch(others, x); found {
			return fmt.Errorf("%s: row %d: %s: the group of column %q in this row is in %s too: want each group in one split: %w",
				g.field, own[i]+1, k.field, k.name, e.field, job.ErrInvalid)
		}
	}
	return ctx.Err()
}
