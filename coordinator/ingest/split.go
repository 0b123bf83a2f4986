package ingest

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"tributary/shared/job"
	"tributary/shared/numeric"
)

// split parts the rows among the splits in use, each in file order: a seeded
// permutation is cut into parts whose sizes are as near to the fractions as
// can be, of all rows, or of each class's if stratified.
func split(spec *job.Spec, l *label, rows []int32) (map[job.Split][]int32, error) {
	s := spec.Data.Split
	fractions := [...]float64{s.Train, s.Validation, s.Test}
	if fractions == [3]float64{} {
		fractions[0] = 1
	}
	if err := checkFractions(fractions, spec.Data.Test != ""); err != nil {
		return nil, err
	}
	strata := [][]int32{rows}
	if s.Stratify {
		if !l.classes {
			return nil, fmt.Errorf("data.split.stratify: want a loss on classes, not %s: %w", spec.Loss, job.ErrInvalid)
		}
		strata = l.strata(rows)
	}
	var parts [3][]int32
	for i, stratum := range strata {
		order := make([]int32, len(stratum))
		numeric.NewRand(spec.Seed, numeric.ForSplit, uint64(i), 0).Perm(order)
		lo := 0
		for k, n := range apportion(len(stratum), fractions) {
			for _, o := range order[lo : lo+n] {
				parts[k] = append(parts[k], stratum[o])
			}
			lo += n
		}
	}
	splits := map[job.Split][]int32{}
	for k, name := range job.Splits {
		if fractions[k] == 0 {
			continue
		}
		if len(parts[k]) == 0 {
			return nil, fmt.Errorf("data.split.%s: %v of %d rows are none: give it more: %w", name, fractions[k], len(rows), job.ErrInvalid)
		}
		slices.Sort(parts[k])
		splits[name] = parts[k]
	}
	return splits, nil
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

// strata parts rows by class, in class order.
func (l *label) strata(rows []int32) [][]int32 {
	classes := slices.Max(l.class) + 1
	strata := make([][]int32, classes)
	for _, r := range rows {
		c := l.class[l.codes[r]]
		strata[c] = append(strata[c], r)
	}
	return strata
}

// apportion parts n by the largest-remainder method; equal remainders go to
// the earlier split.
func apportion(n int, fractions [3]float64) [3]int {
	var parts [3]int
	var remainders [3]float64
	left := n
	for k, f := range fractions {
		share := float64(f * float64(n))
		parts[k] = min(left, int(math.Floor(share+1e-9))) // 0.29 · 100 is a little less than 29
		remainders[k] = share - float64(parts[k])
		left -= parts[k]
	}
	order := []int{0, 1, 2}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(remainders[b], remainders[a]) })
	for i := 0; left > 0; i++ {
		if k := order[i%3]; fractions[k] > 0 {
			parts[k]++
			left--
		}
	}
	return parts
}

// shuffle puts rows in the seeded order in which they are stored.
func shuffle(rows []int32, seed uint64) {
	order := make([]int32, len(rows))
	numeric.NewRand(seed, numeric.ForIngest, 0, 0).Perm(order)
	for i, o := range order {
		order[i] = rows[o]
	}
	copy(rows, order)
}
