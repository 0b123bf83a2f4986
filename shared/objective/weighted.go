package objective

import (
	"fmt"
	"math"
	"math/bits"
	"slices"
	"sync"

	"tributary/shared/job"
	"tributary/shared/numeric"
)

// Weights says how much the terms of a loss count. The loss of a batch is Σ w·l / Σ w.
type Weights struct {
	Classes []float64 // of each class; nil: each has 1
	Samples bool      // the last target of a term is the weight of its sample
	// Greatest is the greatest weight of a sample. A greater one is no weight.
	Greatest float64
}

// leastWeight bounds the greatest weight of a dataset, so that every divisor is a normal
// float32.
const leastWeight = 1e-9

// sumBits is the number of bits that the weights of all terms of a batch may have as a sum.
// A batch has at most 2²⁰ samples.
const sumBits = 62 - 20

// weighted is an objective whose terms have weights. It multiplies each term and its
// gradient by the weight, and divides by the sum of the weights.
//
// A weight is rounded to a multiple of a unit, a power of two. Sums of weights are then
// integers: exact, and the same in any order. A batch of 2²⁰ samples with the greatest weight
// has a sum below 2⁶². A weight of 0 makes the term +0, whatever its outputs are.
type weighted struct {
	Objective
	of      Weights
	targets int // of a term, with its weight
	unit    float64
}

// Weigh returns the objective o with weights of its terms. A sample has at most so many
// terms. targets is the number of targets that o has for a term. It fails with
// job.ErrInvalid if no weight is large enough, or one is out of range.
func Weigh(o Objective, w Weights, terms, targets int) (Objective, error) {
	greatest := 1.0
	if w.Classes != nil {
		for i, c := range w.Classes {
			if !(c >= 0 && c <= job.MaxWeight) {
				return nil, fmt.Errorf("weight %v of class %d: want 0 to %v: %w", c, i, job.MaxWeight, job.ErrInvalid)
			}
		}
		greatest = slices.Max(append([]float64{0}, w.Classes...))
	}
	if w.Samples {
		if !(w.Greatest >= 0 && w.Greatest <= job.MaxWeight) {
			return nil, fmt.Errorf("greatest weight %v: want 0 to %v: %w", w.Greatest, job.MaxWeight, job.ErrInvalid)
		}
		greatest = float64(greatest * w.Greatest)
		targets++
	}
	if !(greatest >= leastWeight) {
		return nil, fmt.Errorf("the greatest weight is %v: want at least %v: %w", greatest, leastWeight, job.ErrInvalid)
	}
	exponent := int(math.Float64bits(greatest)>>52) - 1022 // greatest < 2^exponent
	exponent -= sumBits - bits.Len(uint(max(1, terms)-1))
	unit := math.Float64frombits(uint64(exponent+1023) << 52)
	return weighted{o, w, targets, unit}, nil
}

func (weighted) HasTerms() bool    { return true }
func (o weighted) Targets(int) int { return o.targets }

func (o weighted) Fit(path string, outputs int, label Label) error {
	if o.of.Samples {
		label.Columns--
	}
	return o.Objective.Fit(path, outputs, label)
}

// weight returns the weight of a term with the targets y, in units; −1 if it has none.
func (o *weighted) weight(y []float32) int64 {
	w := 1.0
	if o.of.Classes != nil {
		if y[0] == job.Ignored {
			return 0
		}
		if !(y[0] >= 0 && y[0] < float32(len(o.of.Classes))) {
			return -1
		}
		w = o.of.Classes[int(y[0])]
	}
	if o.of.Samples {
		s := float64(y[len(y)-1])
		if !(s >= 0 && s <= o.of.Greatest) {
			return -1
		}
		w = float64(w * s)
	}
	return int64(math.RoundToEven(w / o.unit))
}

// weights appends the weights of terms with the targets y to dst. A term without one has NaN.
func (o *weighted) weights(dst []float64, y []float32) []float64 {
	for row := range slices.Chunk(y, o.targets) {
		w := math.NaN()
		if units := o.weight(row); units >= 0 {
			w = float64(float64(units) * o.unit)
		}
		dst = append(dst, w)
	}
	return dst
}

// Units returns the sum of the weights in units. A term without a weight counts as 0: its
// loss is NaN.
func (o weighted) Units(y []float32) (sum int64, _ bool) {
	for row := range slices.Chunk(y, o.targets) {
		sum += max(0, o.weight(row))
	}
	return sum, true
}

// Labels returns the targets without weights.
func (o weighted) Labels(y []float32) []float32 { return o.labels(nil, y) }

// labels appends the targets without weights to dst, or returns y if it has none.
func (o *weighted) labels(dst, y []float32) []float32 {
	if !o.of.Samples {
		return y
	}
	for row := range slices.Chunk(y, o.targets) {
		dst = append(dst, row[:o.targets-1]...)
	}
	return dst
}

// rows holds what a weighted objective needs for a chunk of terms.
type rows struct {
	labels  []float32
	weights []float64
	terms   []float64
	sum     Sum
}

var spare = sync.Pool{New: func() any { return new(rows) }}

func (o weighted) Gradient(d []float32, terms []float64, z, y []float32, outputs int) {
	r := spare.Get().(*rows)
	defer spare.Put(r)
	r.labels, r.weights = r.labels[:0], o.weights(r.weights[:0], y)
	labels := o.labels(r.labels, y)
	o.Objective.Gradient(d, terms, z, labels, outputs)
	if !o.Objective.HasTerms() {
		o.each(terms, r, z, labels, outputs)
	}
	numeric.WeighRows(terms, d, r.weights, outputs)
	if o.of.Samples {
		r.labels = labels
	}
}

// each writes the loss of each term to terms, without its weight.
func (o *weighted) each(terms []float64, r *rows, z, labels []float32, outputs int) {
	targets := o.Objective.Targets(outputs)
	for i := range r.weights {
		r.sum = Sum{}
		o.Objective.Add(&r.sum, nil, z[i*outputs:(i+1)*outputs], labels[i*targets:(i+1)*targets], outputs)
		terms[i] = o.Objective.Value(&r.sum, outputs)
	}
}

func (o weighted) Add(s *Sum, terms []float64, z, y []float32, outputs int) {
	if terms != nil {
		s.rows.AddTerms(terms)
		return
	}
	r := spare.Get().(*rows)
	defer spare.Put(r)
	r.labels, r.weights = r.labels[:0], o.weights(r.weights[:0], y)
	labels := o.labels(r.labels, y)
	r.terms = slices.Grow(r.terms[:0], len(r.weights))[:len(r.weights)]
	o.each(r.terms, r, z, labels, outputs)
	for i, w := range r.weights {
		r.terms[i] = numeric.Weigh(r.terms[i], w)
	}
	s.rows.AddTerms(r.terms)
	if o.of.Samples {
		r.labels = labels
	}
}

func (weighted) Value(s *Sum, _ int) float64 { return s.rows.Value() }

// Divisor returns the sum of the weights; 1 if it is 0, where the gradient is 0. A loss that
// is a sum stays one.
func (o weighted) Divisor(sum int64) float32 {
	if _, total := o.Objective.(halfSquaredError); total || sum == 0 {
		return 1
	}
	return float32(float64(sum) * o.unit)
}

func (o weighted) Mean(loss float64, sum int64) float64 {
	if _, total := o.Objective.(halfSquaredError); total || sum == 0 {
		return loss
	}
	return loss / float64(float64(sum)*o.unit)
}

// LogLoss returns the objective of every row with the weight 1.
func (o weighted) LogLoss() (Objective, bool) {
	plain, _ := o.Objective.LogLoss()
	return plain, plain != nil
}
