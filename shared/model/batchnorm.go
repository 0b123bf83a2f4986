package model

import (
	"fmt"

	"tributary/shared/job"
	"tributary/shared/numeric"
)

// standardize is the layer y = (x − mean)/√(variance + ε) with the running statistics of each
// unit: batch normalisation outside of training, and in training if it is frozen.
type standardize struct {
	plain
	mean, variance *Tensor // [U]
	epsilon        float64
}

// Prepare makes a panel whose rows are the means and then the factors, each in every column.
func (l *standardize) Prepare(f *Frame) {
	units := l.shape.Units
	v := f.scratch(2 * units)
	copy(v, f.Weights.Of(*l.mean))
	numeric.RunningScale(v[units:], f.Weights.Of(*l.variance), l.epsilon)
	f.Ready.ResetLike(f.Y, 2*units)
	f.Ready.Spread(v)
}

// Forward subtracts the means, then scales.
func (l *standardize) Forward(f *Frame) {
	units := l.shape.Units
	for i := range f.Y.Len() {
		numeric.Standardize(l.panel(f.Y, i), l.panel(f.X[0], i), f.Ready.Panel(0, 0, units), f.Ready.Panel(0, units, 2*units))
	}
}

// Backward computes dx = dy times the factors.
func (l *standardize) Backward(f *Frame) {
	dx, units := f.DX[0], l.shape.Units
	if dx == nil {
		return
	}
	for i := range dx.Len() {
		numeric.Multiply(l.panel(dx, i), l.panel(f.D, i), f.Ready.Panel(0, units, 2*units))
	}
	l.done(f, 0)
}

// batchNorm scales each unit to mean 0 and variance 1 over all positions of a micro-batch.
// It keeps running averages of the means and the variances for the time after training.
// [numeric.NormalizeBatch] has the arithmetic. affine follows it.
type batchNorm struct {
	standardize
	momentum float64
}

// ForwardBatch normalises some units of a micro-batch.
func (l *batchNorm) ForwardBatch(x, kept []float32) {
	c := len(kept) / Kept
	numeric.NormalizeBatch(x, kept[:c], kept[c:2*c], kept[2*c:], x, l.epsilon)
}

// BackwardBatch computes dx from dy, y and the factors.
func (l *batchNorm) BackwardBatch(d, y, kept []float32) {
	numeric.NormalizeBackward(d, d, y, kept[:len(kept)/Kept], true)
}

func (l *batchNorm) Running() [2]Tensor { return [2]Tensor{*l.mean, *l.variance} }
func (l *batchNorm) Momentum() float64  { return l.momentum }

// addBatchNorm appends a batch normalisation to the graph: batchNorm, then affine. The names
// of its tensors are those of PyTorch's BatchNorm. A frozen one uses its running statistics
// in training as well, as in Keras. It fails with job.ErrInvalid.
func addBatchNorm(g *Graph, path, name string, n *job.BatchNorm, value int) (int, error) {
	if e := n.Epsilon; !(e >= 1e-30 && e <= 1) {
		return 0, fmt.Errorf("%s.epsilon: %v: want 1e-30 to 1: %w", path, e, job.ErrInvalid)
	}
	if m := n.Momentum; !(m > 0 && m <= 1) {
		return 0, fmt.Errorf("%s.momentum: %v: want above 0, up to 1: %w", path, m, job.ErrInvalid)
	}
	p, r := plain{g.Shape(value)}, g.Registry()
	scale := newAffine(g, p, name, n.Frozen(), true)
	of := standardize{
		plain: p, epsilon: n.Epsilon,
		mean:     r.AddStatistic(name+".running_mean", n.Frozen(), 0, p.shape.Units),
		variance: r.AddStatistic(name+".running_var", n.Frozen(), 1, p.shape.Units),
	}
	var norm Layer = &of
	if !n.Frozen() {
		norm = &batchNorm{of, n.Momentum}
	}
	return g.Add(scale, g.Add(norm, value)), r.check(path)
}
