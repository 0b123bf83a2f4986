// Package objective defines the losses that training minimizes: one type per loss.
//
// It owns everything that depends on the loss of a job: the gradient, the shape of the
// targets, the divisor of a batch's gradient, and the number of classes that the outputs
// stand for. It also owns how to read a class or probabilities from outputs, and how people
// read the loss. Other packages call an Objective; they never compare the name of the loss.
// Package plan checks a spec with it, package executor computes with it, package metric
// computes figures with it, and package registry answers requests with it.
//
// A term is what the loss is a mean over: one row of a table, or one token of a sequence.
//
// Shapes in comments: B terms, O outputs, C classes. Matrices are row-major.
//
// Invariant: adding rows piece by piece gives the same loss, bit for bit, as adding all
// rows at once.
package objective

import (
	"fmt"
	"strings"

	"tributary/shared/job"
)

// Objective is a loss. It is immutable and safe for concurrent use.
type Objective interface {
	// Loss returns the name of the loss in a spec.
	Loss() job.Loss
	// Title returns the name and the unit of the loss for people. label is the unit of the
	// label.
	Title(label string) string

	// Check fails with job.ErrInvalid if the objective does not allow this number of
	// outputs.
	Check(outputs int) error
	// CheckClasses fails with job.ErrInvalid if the objective does not allow this number of
	// classes.
	CheckClasses(classes int) error
	// Fit fails with job.ErrInvalid if the outputs do not fit the label. path is the place
	// in the spec that sets the number of outputs.
	Fit(path string, outputs int, label Label) error
	// Classes returns the number of classes that this number of outputs stands for; 0 for a
	// regression.
	Classes(outputs int) int
	// Targets returns the number of floats of y per term.
	Targets(outputs int) int

	// Gradient writes d loss / d z to d [B, O], for outputs z [B, O] and targets y [B,
	// Targets]. Each element is rounded once. If HasTerms is true, it also writes the terms
	// of the loss to terms [B].
	Gradient(d []float32, terms []float64, z, y []float32, outputs int)
	// HasTerms reports whether the loss is a sum over terms, added one after the other. If
	// not, it is one reduction over all elements.
	HasTerms() bool
	// Add adds the loss of more rows to s. The outputs of every piece except the last have
	// a multiple of 16 elements. terms [B] are the terms that Gradient wrote; if nil, Add
	// computes them.
	Add(s *Sum, terms []float64, z, y []float32, outputs int)
	// Value returns the loss of the rows in s.
	Value(s *Sum, outputs int) float64

	// Divisor returns the number that the sum of the gradients of this many terms is
	// divided by, once.
	Divisor(terms int64) float32
	// Mean returns the loss as people read it. loss is the sum over this many terms.
	Mean(loss float64, terms int64) float64

	// Class returns the class that one row of outputs [O] predicts. If several classes are
	// equally likely, it returns the first. It returns −1 when an output is NaN.
	Class(z []float32) int
	// Probabilities writes the probability of each class to p [B, C], for outputs z [B, O].
	Probabilities(p, z []float32, outputs int)
}

// Ignored is the class of a masked term: it has no loss and no gradient. The value is
// PyTorch's ignore_index.
const Ignored = -100

// Terms returns how many terms one sample has, and how many outputs a term has, for a
// network with that many positions and units. A classification has a term at each position.
// A regression has one term for all.
func Terms(o Objective, positions, units int) (terms, outputs int) {
	if o.Classes(units) > 0 {
		return positions, units
	}
	return 1, positions * units
}

// Mask sets the gradient and the loss of terms with the class [Ignored] to +0. d is [B, O],
// terms [B], and y [B].
func Mask(d []float32, terms []float64, y []float32, outputs int) {
	for i, class := range y {
		if class == Ignored {
			clear(d[i*outputs : (i+1)*outputs])
			terms[i] = 0
		}
	}
}

// Label describes the labels of a dataset.
type Label struct {
	Classes int // number of classes; 0 if the labels are numbers
	Columns int
}

// all lists the objectives in the order in which messages name them.
var all = []Objective{softmaxCrossEntropy{}, sigmoidCrossEntropy{}, meanSquaredError{}, halfSquaredError{}}

// Of returns the objective of a loss. It fails with job.ErrInvalid if there is none.
func Of(loss job.Loss) (Objective, error) {
	names := make([]string, len(all))
	for i, o := range all {
		if o.Loss() == loss {
			return o, nil
		}
		names[i] = string(o.Loss())
	}
	return nil, fmt.Errorf("loss: %.40q: want %s: %w", string(loss), strings.Join(names, ", "), job.ErrInvalid)
}

// mean is embedded in objectives that are a mean over their terms: it divides by the number
// of terms.
type mean struct{}

// A batch without terms has the gradient 0, which stays 0.
func (mean) Divisor(terms int64) float32 { return float32(max(1, terms)) }

func (mean) Mean(loss float64, terms int64) float64 {
	if terms == 0 {
		return loss
	}
	return loss / float64(terms)
}
