package metric

import (
	"cmp"
	"math"

	"tributary/shared/dataset"
)

// spread holds the count, the mean and the sum of squared deviations of some numbers.
type spread struct {
	n        int64
	mean, m2 float64
}

// add adds one number (Welford, "Note on a method for calculating corrected sums of squares
// and products", 1962).
func (p *spread) add(x float64) {
	p.n++
	delta := x - p.mean
	p.mean += delta / float64(p.n)
	p.m2 += float64(delta * (x - p.mean))
}

// merge adds the numbers of q (Chan, Golub & LeVeque, "Algorithms for computing the sample
// variance", 1983).
func (p *spread) merge(q spread) {
	n := p.n + q.n
	if q.n == 0 || n <= 0 {
		return
	}
	if p.n == 0 { // the square of a large mean may be infinite, and 0 times infinity is NaN
		*p = q
		return
	}
	delta := q.mean - p.mean
	share := float64(q.n) / float64(n)
	p.mean += float64(delta * share)
	p.m2 += q.m2 + float64(delta*delta*share*float64(p.n))
	p.n = n
}

// regress adds the errors of outputs and the spread of y, both [rows, Outputs], to s.
func (c Config) regress(s *Sums, outputs, y []float32) {
	units := dataset.Preprocessing{Label: c.Label, Labels: c.Labels}
	if s.spread == nil {
		s.spread = make([]spread, c.Outputs)
	}
	for i, v := range outputs {
		label := units.LabelOf(i % c.Outputs)
		scale, shift := cmp.Or(label.Scale, 1), label.Shift
		target := float64(float64(y[i])*scale) + shift
		e := float64(float64(v)*scale) + shift - target
		s.squared += float64(e * e)
		s.abs += math.Abs(e)
		s.spread[i%c.Outputs].add(target)
		if s.extra != nil {
			s.extra.compare(e, target, shift)
		}
	}
}
