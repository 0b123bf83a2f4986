package ingest

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/cespare/xxhash/v2"

	"tributary/shared/job"
)

// clean returns the rows to use, in file order. Rows without a label go
// always, duplicates and rows with missing values as the spec says; missing
// values are filled in later, because a fill is fitted on the training split.
func (in *Ingest) clean(ctx context.Context, field string, t *table, c job.Clean) ([]int32, error) {
	rows := make([]int32, 0, t.rows)
	for i := range int32(t.rows) {
		if !t.label.missing(i) {
			rows = append(rows, i)
		}
	}
	unlabelled := t.rows - len(rows)
	if unlabelled > 0 {
		in.say("%s: rows dropped for a missing label: %d", field, unlabelled)
	}
	duplicates, incomplete := 0, 0
	if c.Duplicates == job.DropDuplicates {
		n := len(rows)
		rows = t.distinct(rows)
		if duplicates = n - len(rows); duplicates > 0 {
			in.say("%s: rows dropped as duplicates: %d", field, duplicates)
		}
	}
	switch c.Missing.Method {
	case "", "drop":
		n := len(rows)
		rows = t.complete(rows)
		if incomplete = n - len(rows); incomplete > 0 {
			in.say("%s: rows dropped for missing values: %d", field, incomplete)
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

// complete keeps the rows without a missing value.
func (t *table) complete(rows []int32) []int32 {
	if _, images := t.cells.(*dense[float64]); !images { // only CSV and inline data can miss values
		return rows
	}
	values := make([]float64, len(t.columns))
	return slices.DeleteFunc(rows, func(r int32) bool {
		t.cells.row(values, r)
		return slices.ContainsFunc(values, isMissing)
	})
}

// distinct keeps the first of rows that are equal in every column and the label.
func (t *table) distinct(rows []int32) []int32 {
	first := make(map[uint64]int32, len(rows)) // hash → row; equal hashes of unequal rows take the next number
	a, b := make([]byte, 0, 8*(len(t.columns)+t.label.outputs)), []byte(nil)
	values := make([]float64, len(t.columns))
	return slices.DeleteFunc(rows, func(r int32) bool {
		a = t.key(a[:0], values, r)
		for h := xxhash.Sum64(a); ; h++ {
			other, ok := first[h]
			if !ok {
				first[h] = r
				return false
			}
			if b = t.key(b[:0], values, other); string(a) == string(b) {
				return true
			}
		}
	})
}

// key appends bytes that are equal for equal rows.
func (t *table) key(dst []byte, values []float64, r int32) []byte {
	t.cells.row(values, r)
	for _, x := range values {
		dst = appendNumber(dst, x)
	}
	if t.label.classes {
		return binary.LittleEndian.AppendUint32(dst, uint32(t.label.codes[r]))
	}
	for _, y := range t.label.of(r) {
		dst = appendNumber(dst, y)
	}
	return dst
}

func appendNumber(dst []byte, x float64) []byte {
	if x == 0 { // -0 is 0
		x = 0
	}
	return binary.LittleEndian.AppendUint64(dst, math.Float64bits(x))
}
