package ingest

import (
	"context"
	"fmt"
	"slices"

	"tributary/shared/job"
)

// clean returns the rows to use, in file order. It always drops rows without a label. It
// drops duplicates and rows with missing values as the spec says. Missing values are
// filled later, because a fill is fitted on the training split.
func (w *work) clean(ctx context.Context, field string, t *table, c job.Clean) ([]int32, error) {
	rows := make([]int32, 0, t.rows)
	err := t.label.cells.each(ctx, all(t.rows), func(i int, label []float64) {
		if !slices.ContainsFunc(label, isMissing) {
			rows = append(rows, int32(i))
		}
	})
	if err != nil {
		return nil, err
	}
	unlabelled := t.rows - len(rows)
	if unlabelled > 0 {
		w.say("%s: rows dropped for a missing label: %d", field, unlabelled)
	}
	duplicates, incomplete := 0, 0
	if c.Duplicates == job.DropDuplicates {
		n := len(rows)
		if rows, err = w.distinct(ctx, t, rows); err != nil {
			return nil, err
		}
		if duplicates = n - len(rows); duplicates > 0 {
			w.say("%s: rows dropped as duplicates: %d", field, duplicates)
		}
	}
	switch c.Missing.Method {
	case "", "drop":
		n := len(rows)
		if rows, err = t.complete(ctx, rows); err != nil {
			return nil, err
		}
		if incomplete = n - len(rows); incomplete > 0 {
			w.say("%s: rows dropped for missing values: %d", field, incomplete)
		}
	case "mean", "median", "constant":
	default:
		return nil, fmt.Errorf("data.clean.missing: %q: want drop, mean, median or {constant: v}: %w", c.Missing.Method, job.ErrInvalid)
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("%s: no rows are left of %d: %d have no label, %d are duplicates, %d have missing values: %w",
			field, t.rows, unlabelled, duplicates, incomplete, job.ErrInvalid)
	}
	return rows, ctx.Err()
}

// complete keeps the rows without a missing value, in place.
func (t *table) complete(ctx context.Context, rows []int32) ([]int32, error) {
	if t.cells.kind != floats64 { // only CSV and inline data can miss values
		return rows, nil
	}
	kept := rows[:0]
	err := t.cells.each(ctx, these(rows), func(i int, row []float64) {
		if !slices.ContainsFunc(row, isMissing) {
			kept = append(kept, rows[i])
		}
	})
	return kept, err
}
