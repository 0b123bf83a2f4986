package ingest

import (
	"context"
	"fmt"

	"tributary/shared/dataset"
	"tributary/shared/job"
)

// weigh appends a row's weight, which was read as text.
func (l *label) weigh(cell string) error {
	x, kind := dataset.ParseNumber(cell)
	if kind != dataset.Finite || !(x >= 0 && x <= job.MaxWeight) {
		return fmt.Errorf("weight %q: %.80q: want a number from 0 to %v: %w", l.weight, cell, float64(job.MaxWeight), job.ErrInvalid)
	}
	return l.write(x)
}

// weightOf describes the weights of all rows, as 32-bit floats; nil if they have none. It
// refuses a training split in which every weight is 0.
func weightOf(ctx context.Context, sets []splitRows) (*dataset.Weight, error) {
	if sets[0].table.label.weight == "" {
		return nil, nil
	}
	w := &dataset.Weight{Name: sets[0].table.label.weight}
	for _, p := range sets {
		l := &p.table.label
		err := l.cells.window(l.outputs, l.outputs+1).each(ctx, p.cells, func(_ int, x []float64) {
			w.Greatest = max(w.Greatest, float64(float32(x[0])))
		})
		if err != nil {
			return nil, err
		}
		if w.Greatest == 0 {
			return nil, fmt.Errorf("weight %q: it is 0 in every row of the %s split: there is nothing to learn: %w", w.Name, p.split, job.ErrInvalid)
		}
	}
	return w, nil
}

// count returns the rows of each class in a split.
func (l *label) count(ctx context.Context, p splitRows, classes int) ([]int64, error) {
	rows := make([]int64, classes)
	err := p.table.label.cells.each(ctx, p.cells, func(_ int, y []float64) { rows[l.class[int(y[0])]]++ })
	return rows, err
}
