package ingest

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strings"

	"tributary/shared/job"
	"tributary/shared/numeric"
)

// split assigns the rows to the splits in use, each in file order. It cuts a seeded
// permutation into parts whose sizes are as close to the fractions as possible. If
// stratified, the sizes are the same, and it permutes and cuts each class's rows
// separately, as stratify describes. The splits reuse the memory of rows, or need four
// more bytes per row if stratified.
func split(ctx context.Context, spec *job.Spec, l *label, rows []int32) (map[job.Split][]int32, error) {
	s := spec.Data.Split
	fractions := [...]float64{s.Train, s.Validation, s.Test}
	if fractions == [3]float64{} {
		fractions[0] = 1
	}
	if err := checkFractions(fractions, spec.Data.Test != ""); err != nil {
		return nil, err
	}
	sizes := apportion(len(rows), fractions)
	for k, n := range sizes {
		if n == 0 && fractions[k] > 0 {
			return nil, fmt.Errorf("data.split.%s: %v of %d rows is no row: raise the fraction: %w", job.Splits[k], fractions[k], len(rows), job.ErrInvalid)
		}
	}
	strata, cuts := [][]int32{rows}, [][3]int{sizes}
	if s.Stratify {
		var err error
		if strata, cuts, err = l.stratify(ctx, spec, rows, sizes); err != nil {
			return nil, err
		}
	}
	marks := make([]uint64, rows[len(rows)-1]/64+1) // rows are in file order, so this is the last one
	for i, stratum := range strata {
		if err := shuffle(ctx, numeric.NewRand(spec.Seed, numeric.ForSplit, uint64(i), 0), stratum); err != nil {
			return nil, err
		}
	}
	splits, lo := map[job.Split][]int32{}, 0
	for k, name := range job.Splits {
		part := rows[lo : lo+sizes[k] : lo+sizes[k]]
		lo += sizes[k]
		if s.Stratify { // the strata are a copy
			part = part[:0]
			for i := range strata {
				part = append(part, strata[i][:cuts[i][k]]...)
				strata[i] = strata[i][cuts[i][k]:]
			}
		}
		if fractions[k] == 0 {
			continue
		}
		if err := inFileOrder(ctx, part, marks); err != nil {
			return nil, err
		}
		splits[name] = part
	}
	return splits, nil
}

// stratify returns a copy of rows, grouped by class in class order. It also returns how
// many rows of each class go to each split.
func (l *label) stratify(ctx context.Context, spec *job.Spec, rows []int32, sizes [3]int) (strata [][]int32, cuts [][3]int, err error) {
	if !l.classes {
		return nil, nil, fmt.Errorf("data.split.stratify: want a loss on classes, not %s: %w", spec.Loss, job.ErrInvalid)
	}
	if strata, err = l.strata(ctx, rows); err != nil {
		return nil, nil, err
	}
	if sizes[0] < len(strata) {
		return nil, nil, fmt.Errorf("data.split.train: %v of %d rows are %d, fewer than the %d classes; each class needs a training row: "+
			"raise the fraction, or leave out the smallest classes (%s): %w",
			spec.Data.Split.Train, len(rows), sizes[0], len(strata), l.smallest(strata), job.ErrInvalid)
	}
	counts := make([]int, len(strata))
	for c := range strata {
		counts[c] = len(strata[c])
	}
	cuts, err = stratify(ctx, counts, sizes)
	return strata, cuts, err
}

// smallest returns the names of a few classes with the fewest rows.
func (l *label) smallest(strata [][]int32) string {
	const shown = 5
	order := make([]int, len(strata))
	for c := range order {
		order[c] = c
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(len(strata[a]), len(strata[b])) })
	var names []string
	for _, c := range order[:min(shown, len(order))] {
		code := slices.Index(l.class, int32(c))
		names = append(names, fmt.Sprintf("%.80q: %d", l.dict.texts[code], len(strata[c])))
	}
	return strings.Join(names, ", ")
}

// shuffle is r.Shuffle with a check of ctx.
func shuffle(ctx context.Context, r *numeric.Rand, rows []int32) error {
	var p pace
	for i := len(rows) - 1; i > 0; i-- {
		if err := p.check(ctx, 1); err != nil {
			return err
		}
		j := r.Below(uint64(i) + 1)
		rows[i], rows[j] = rows[j], rows[i]
	}
	return nil
}

// inFileOrder sorts rows, which have no repetition, with one bit for each possible row.
// The bits are 0 before and after.
func inFileOrder(ctx context.Context, rows []int32, marks []uint64) error {
	var p pace
	for _, r := range rows {
		if err := p.check(ctx, 1); err != nil {
			return err
		}
		marks[r/64] |= 1 << (r % 64)
	}
	sorted := rows[:0]
	for i, word := range marks {
		if err := p.check(ctx, 64); err != nil {
			return err
		}
		for ; word != 0; word &= word - 1 {
			sorted = append(sorted, int32(64*i+bits.TrailingZeros64(word)))
		}
		marks[i] = 0
	}
	return nil
}

func checkFractions(fractions [3]float64, givenTest bool) error {
	sum := 0.0
	for k, f := range fractions {
		if !(f >= 0 && f <= 1) {
			return fmt.Errorf("data.split.%s: %v: want 0 to 1: %w", job.Splits[k], f, job.ErrInvalid)
		}
		sum += f
	}
	switch {
	case math.Abs(sum-1) > 1e-9:
		return fmt.Errorf("data.split: fractions sum to %v: want 1: %w", sum, job.ErrInvalid)
	case fractions[0] == 0:
		return fmt.Errorf("data.split.train: 0: want more: %w", job.ErrInvalid)
	case givenTest && fractions[2] > 0:
		return fmt.Errorf("data.split.test: %v: want 0, because data.test gives the test rows: %w", fractions[2], job.ErrInvalid)
	}
	return nil
}

// strata returns a copy of rows, grouped by class in class order.
func (l *label) strata(ctx context.Context, rows []int32) ([][]int32, error) {
	sizes := make([]int, slices.Max(l.class)+1)
	err := l.cells.each(ctx, these(rows), func(_ int, y []float64) { sizes[l.class[int(y[0])]]++ })
	if err != nil {
		return nil, err
	}
	strata := make([][]int32, len(sizes))
	for c, n := range sizes {
		strata[c] = make([]int32, 0, n)
	}
	err = l.cells.each(ctx, these(rows), func(i int, y []float64) {
		c := l.class[int(y[0])]
		strata[c] = append(strata[c], rows[i])
	})
	return strata, err
}

// apportion splits n by the largest-remainder method; of equal remainders the earlier
// split gets the row.
func apportion(n int, fractions [3]float64) [3]int {
	var counts [3]int
	var remainders [3]float64
	left := n
	for k, f := range fractions {
		exact := float64(f * float64(n))
		counts[k] = min(left, int(math.Floor(exact+1e-9))) // 0.29 · 100 is a little less than 29
		remainders[k] = exact - float64(counts[k])
		left -= counts[k]
	}
	order := []int{0, 1, 2}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(remainders[b], remainders[a]) })
	for i := 0; left > 0; i++ {
		if k := order[i%3]; fractions[k] > 0 {
			counts[k]++
			left--
		}
	}
	return counts
}
