// Package objective is what training makes small: a loss, one type for each.
//
// It owns everything that depends on which loss a job has: its gradient, the shape of
// the targets, what a batch's gradient is divided by, how many classes the outputs
// speak of, which class or probabilities they say, and how people read the figure.
// Other packages ask an Objective and never look at the loss's name. Package model
// computes with it, package metric counts with it, package registry answers with it.
//
// A term is what the loss is a mean over: a row of a table.
//
// Shapes in comments: B terms, O outputs, C classes. Matrices are row-major.
//
// Invariant: the loss of rows that are added piece after piece is, bit for bit, that
// of all of them at once.
package objective

import (
	"fmt"
	"strings"

	"tributary/shared/job"
)

// Objective is a loss. It is immutable and safe for concurrent use.
type Objective interface {
	// Loss is its name in a spec.
	Loss() job.Loss
	// Title names the figure and its unit for people; label is the label's unit.
	Title(label string) string

	// Check reports, as job.ErrInvalid, a number of outputs that it does not take.
	Check(outputs int) error
	// CheckClasses reports, as job.ErrInvalid, a number of classes that it does not take.
	CheckClasses(classes int) error
	// Fit reports, as job.ErrInvalid, that outputs do not fit the label; path is where
	// the spec says how many there are.
	Fit(path string, outputs int, label Label) error
	// Classes is the number of classes that so many outputs speak of; 0 for a
	// regression.
	Classes(outputs int) int
	// Targets is the number of floats of y that a term has.
	Targets(outputs int) int

	// Gradient writes d loss / d z to d [B, O], each element rounded once, for outputs z
	// [B, O] and targets y [B, Targets]. A loss that has terms also writes them to
	// terms [B].
	Gradient(d []float32, terms []float64, z, y []float32, outputs int)
	// HasTerms reports whether the loss is a sum over terms, one after the other, and not
	// one reduction over all elements.
	HasTerms() bool
	// Add adds the loss of more rows to s. The outputs of every piece but the last have
	// a multiple of 16 elements. terms [B] are those that Gradient wrote; nil: they are
	// computed.
	Add(s *Sum, terms []float64, z, y []float32, outputs int)
	// Value is the loss of the rows that s has.
	Value(s *Sum, outputs int) float64

	// Divisor is what the sum of the gradients of so many terms is divided by, once.
	Divisor(terms int64) float32
	// Mean is the loss of so many terms as people read it, of their sum.
	Mean(loss float64, terms int64) float64

	// Class is the class that one row of outputs [O] says: the first of the greatest. It
	// is −1 when an output is NaN.
	Class(z []float32) int
	// Probabilities writes the probability of each class to p [B, C], for outputs z [B, O].
	Probabilities(p, z []float32, outputs int)
}

// Label is what the rows of a dataset are labelled with.
type Label struct {
	Classes int // 0: numbers
	Columns int
}

// all lists the objectives in the order in which people are told of them.
var all = []Objective{softmaxCrossEntropy{}, sigmoidCrossEntropy{}, meanSquaredError{}, halfSquaredError{}}

// Of returns the objective of a loss; job.ErrInvalid when there is none.
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

// mean is the division of an objective that is a mean over its terms.
type mean struct{}

func (mean) Divisor(terms int64) float32 { return float32(terms) }

func (mean) Mean(loss float64, terms int64) float64 {
	if terms == 0 {
		return loss
	}
	return loss / float64(terms)
}
