package ingest

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"tributary/shared/job"
)

// units is an order of rows, cut into units that are not divided between splits: groups,
// moments, or single rows.
type units struct {
	rows []int32
	ends []int32 // index after the last row of each unit; nil: each row is a unit
}

// unitsOf returns the order by which a spec splits rows, which are in file order: of time,
// of the hashes of the groups, or of the file.
func unitsOf(ctx context.Context, k *keyColumn, rows []int32) (*units, error) {
	if k == nil {
		return &units{rows: rows}, nil
	}
	keys, err := k.of(ctx, rows)
	if err != nil {
		return nil, err
	}
	at := make([]int32, len(rows))
	for i := range at {
		at[i] = int32(i)
	}
	slices.SortStableFunc(at, func(a, b int32) int { return cmp.Compare(keys[a], keys[b]) })
	u := &units{rows: make([]int32, len(rows))}
	for i, j := range at {
		u.rows[i] = rows[j]
		if i > 0 && keys[j] != keys[at[i-1]] {
			u.ends = append(u.ends, int32(i))
		}
	}
	u.ends = append(u.ends, int32(len(rows)))
	return u, ctx.Err()
}

// count returns the number of units.
func (u *units) count() int {
	if u.ends == nil {
		return len(u.rows)
	}
	return len(u.ends)
}

// end returns the index after the last row of the first n units.
func (u *units) end(n int) int {
	switch {
	case u.ends == nil:
		return n
	case n == 0:
		return 0
	default:
		return int(u.ends[n-1])
	}
}

// cut cuts the units, in order, into parts whose sizes are as close to the given ones as
// whole units allow: each cut is at the nearest end of a unit, of two the earlier. A size of
// 0 is an empty part; every other part has at least a unit. It returns where the parts end.
func (u *units) cut(sizes []int) ([]int, error) {
	left, total := 0, 0
	for _, n := range sizes {
		if total += n; n > 0 {
			left++
		}
	}
	if n := u.count(); n < left {
		return nil, fmt.Errorf("%d to divide: want at least one for each of %d parts: %w", n, left, job.ErrInvalid)
	}
	ends := make([]int, len(sizes))
	done, target := 0, 0 // units, and rows
	for i, n := range sizes {
		if target += n; n > 0 {
			left--
			done = u.nearest(target, done+1, u.count()-left)
			if left == 0 && target == total {
				done = u.count()
			}
		}
		ends[i] = u.end(done)
	}
	return ends, nil
}

// nearest returns the number of units, within the bounds, that end nearest to a row.
func (u *units) nearest(row, least, most int) int {
	n := row
	if u.ends != nil {
		n, _ = slices.BinarySearch(u.ends, int32(row))
		n++ // the first unit that ends at row or after it
		if n = min(n, len(u.ends)); n > 1 && row-u.end(n-1) <= u.end(n)-row {
			n--
		}
	}
	return max(least, min(n, most))
}
