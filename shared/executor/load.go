package executor

import (
	"tributary/shared/numeric"
	"tributary/shared/numeric/blas"
)

// add computes a ← a + b for matrices of the same shape.
func add(a, b *blas.Panels) {
	for i := range a.Len() {
		v := a.Panel(i, 0, a.Rows)
		numeric.Add(v, v, b.Panel(i, 0, b.Rows))
	}
}

// loader holds one thread's buffers for reading samples.
type loader struct {
	panels    blas.Panels // [R, I], if the rows are not held for the whole batch
	positions [][]float32 // R rows [I]
	numbers   []float32   // [R, I] of uint8
}

// field makes value k the samples lo to hi of the batch. With hold, the rows also go to the
// inputs of the second phase, if a product reads them there.
func (s *space) field(k, lo, hi int, hold bool) {
	e, l := s.e, &s.load
	in, x := &e.m.Network.Inputs()[k], &e.batch.X[k]
	lo, hi = e.batch.First+lo, e.batch.First+hi
	if in.Integers {
		s.integers[k] = s.integers[k][:0]
		for _, v := range x.Int32[lo:hi] {
			s.integers[k] = append(s.integers[k], v...)
		}
		return
	}
	units, y := in.Shape.Units, &s.y[k]
	columns := (hi - lo) * in.Shape.Positions
	rows := l.rows(x, lo, hi, units, in.Shape.Positions)
	s.reset(y, units, columns)
	if hold && e.m.Network.Holder(k) >= 0 {
		at := (lo - e.batch.First) * in.Shape.Positions
		e.inputs[k].SetRows(at, rows)
		y.SetTransposed(&e.inputs[k], at)
		return
	}
	y.SetColumns(&l.panels, rows)
}

// rows returns the positions of the samples lo to hi, each [units].
func (l *loader) rows(x *Field, lo, hi, units, positions int) [][]float32 {
	switch {
	case x.Uint8 != nil:
		size := units * positions
		l.numbers, l.positions = grow(l.numbers, (hi-lo)*size), l.positions[:0]
		for i, sample := range x.Uint8[lo:hi] {
			for j, v := range sample {
				l.numbers[i*size+j] = float32(v)
			}
		}
		l.split(l.numbers, units)
	case positions == 1:
		return x.Float32[lo:hi]
	default:
		l.positions = l.positions[:0]
		for _, sample := range x.Float32[lo:hi] {
			l.split(sample, units)
		}
	}
	return l.positions
}

// split appends the positions of v to l.positions.
func (l *loader) split(v []float32, units int) {
	for ; len(v) > 0; v = v[units:] {
		l.positions = append(l.positions, v[:units:units])
	}
}
