package ingest

import (
	"context"
	"fmt"
	"slices"

	"tributary/shared/job"
	"tributary/shared/numeric"
)

// divide assigns the rows to splits, each in file order, as the spec says.
func (w *work) divide(ctx context.Context, spec *job.Spec, t *table, rows []int32) (map[job.Split][]int32, error) {
	s := spec.Data.Split
	if err := s.CheckFold(); err != nil {
		return nil, err
	}
	if s.KFolds == 0 {
		return w.parts(ctx, spec, t, rows)
	}
	held := *spec
	held.Data.Split.KFolds, held.Data.Split.Fold, held.Data.Split.Train = 0, 0, 1-s.Test
	splits, err := w.parts(ctx, &held, t, rows)
	if err != nil {
		return nil, err
	}
	rest := splits[job.Train]
	train, validation, err := w.fold(ctx, spec, t, rest)
	if err != nil {
		return nil, fmt.Errorf("data.split.k_folds: %d: %w", s.KFolds, err)
	}
	slices.Sort(train)
	slices.Sort(validation)
	splits[job.Train], splits[job.Validation] = train, validation
	w.say("fold %d of %d: %d rows to train, %d to validate", s.Fold, s.KFolds, len(train), len(validation))
	return splits, nil
}

// parts splits rows by fractions.
func (w *work) parts(ctx context.Context, spec *job.Spec, t *table, rows []int32) (map[job.Split][]int32, error) {
	s := spec.Data.Split
	if t.key == nil && !s.InOrder() {
		return split(ctx, spec, &t.label, rows)
	}
	fractions := [...]float64{s.Train, s.Validation, s.Test}
	if err := checkFractions(fractions, spec.Data.Test != ""); err != nil {
		return nil, err
	}
	u, err := unitsOf(ctx, t.key, rows)
	if err != nil {
		return nil, err
	}
	sizes := apportion(len(rows), fractions)
	for k, f := range fractions { // a small split has a unit at least
		if f > 0 {
			sizes[k] = max(sizes[k], 1)
		}
	}
	ends, err := u.cut(sizes[:])
	if err != nil {
		return nil, t.named(err)
	}
	splits, lo := map[job.Split][]int32{}, 0
	for k, name := range job.Splits {
		if sizes[k] > 0 {
			splits[name] = slices.Clone(u.rows[lo:ends[k]])
			slices.Sort(splits[name])
		}
		lo = ends[k]
	}
	if t.key != nil {
		w.say("%s: column %q has %d different values in %d rows: no value is in two splits", t.key.field, t.key.name, u.count(), len(rows))
	}
	return splits, nil
}

// named says what a number of units counts.
func (t *table) named(err error) error {
	switch {
	case t.key == nil:
		return fmt.Errorf("data.split: rows: %w", err)
	case t.key.group:
		return fmt.Errorf("%s: groups of column %q: %w", t.key.field, t.key.name, err)
	default:
		return fmt.Errorf("%s: different times of column %q: %w", t.key.field, t.key.name, err)
	}
}

// fold returns the rows that train and those that validate in the spec's fold.
func (w *work) fold(ctx context.Context, spec *job.Spec, t *table, rows []int32) (train, validation []int32, err error) {
	s := spec.Data.Split
	if s.Stratify {
		return t.label.stratifiedFold(ctx, spec, rows)
	}
	if t.key == nil && !s.InOrder() {
		if err := shuffle(ctx, numeric.NewRand(spec.Seed, numeric.ForSplit, 0, 1), rows); err != nil {
			return nil, nil, err
		}
	}
	u, err := unitsOf(ctx, t.key, rows)
	if err != nil {
		return nil, nil, err
	}
	sizes := foldSizes(len(rows), s.KFolds)
	if s.Time != "" {
		sizes = timeSizes(len(rows), s.KFolds)
	}
	ends, err := u.cut(sizes)
	if err != nil {
		return nil, nil, t.named(err)
	}
	if s.Time != "" {
		return slices.Clone(u.rows[:ends[s.Fold-1]]), slices.Clone(u.rows[ends[s.Fold-1]:ends[s.Fold]]), nil
	}
	lo := 0
	if s.Fold > 1 {
		lo = ends[s.Fold-2]
	}
	hi := ends[s.Fold-1]
	return slices.Concat(u.rows[:lo], u.rows[hi:]), slices.Clone(u.rows[lo:hi]), nil
}

// foldSizes returns the rows of each fold: as equal as possible, the first ones one more, as
// scikit-learn's KFold has them. A fold of no rows is left to cut, which refuses it.
func foldSizes(n, folds int) []int {
	sizes := make([]int, folds)
	for i := range sizes {
		sizes[i] = max(1, n/folds)
		if i < n%folds && n >= folds {
			sizes[i]++
		}
	}
	return sizes
}

// timeSizes returns the rows before the first fold that validates, and of each fold, as
// scikit-learn's TimeSeriesSplit has them.
func timeSizes(n, folds int) []int {
	sizes := slices.Repeat([]int{max(1, n/(folds+1))}, folds+1)
	sizes[0] = max(1, n-folds*sizes[1])
	return sizes
}

// stratifiedFold deals the rows of each class over the folds in turn, so that the folds have
// the same size and the same part of each class, to a row, as scikit-learn's StratifiedKFold
// has them.
func (l *label) stratifiedFold(ctx context.Context, spec *job.Spec, rows []int32) (train, validation []int32, err error) {
	if !l.classes {
		return nil, nil, fmt.Errorf("data.split.stratify: want a loss on classes, not %s: %w", spec.Loss, job.ErrInvalid)
	}
	folds := spec.Data.Split.KFolds
	if len(rows) < folds {
		return nil, nil, fmt.Errorf("%d rows: want at least one for each fold: %w", len(rows), job.ErrInvalid)
	}
	strata, err := l.strata(ctx, rows)
	if err != nil {
		return nil, nil, err
	}
	at := 0
	for c, stratum := range strata {
		if err := shuffle(ctx, numeric.NewRand(spec.Seed, numeric.ForSplit, uint64(c), 1), stratum); err != nil {
			return nil, nil, err
		}
		for _, r := range stratum {
			if at++; (at-1)%folds == spec.Data.Split.Fold-1 {
				validation = append(validation, r)
			} else {
				train = append(train, r)
			}
		}
	}
	return train, validation, nil
}
