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
	"math"
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
	// CheckNumber fails with job.ErrInvalid if a regression does not allow this label.
	CheckNumber(y float64) error
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

	// Units returns the sum of the weights of terms with the targets y, in units of the
	// objective, and true. It returns false if every term counts the same.
	Units(y []float32) (sum int64, weighted bool)
	// Labels returns the targets y [B, Targets] without weights: y itself if it has none.
	Labels(y []float32) []float32
	// Divisor returns the number that the sum of the gradients of terms is divided by,
	// once. sum is the number of terms, or the sum of their weights as Units returns it.
	Divisor(sum int64) float32
	// Mean returns the loss as people read it. loss is over terms whose number, or whose
	// weights in units, have this sum.
	Mean(loss float64, sum int64) float64

	// Class returns the class that one row of outputs [O] predicts. If several classes are
	// equally likely, it returns the first. It returns −1 when an output is NaN.
	Class(z []float32) int
	// Probabilities writes the probability of each class to p [B, C], for outputs z [B, O].
	Probabilities(p, z []float32, outputs int)
	// Numbers returns the numbers that the outputs z [B, O] of a regression predict. The
	// result is z itself if these are the outputs.
	Numbers(z []float32) []float32
	// LogLoss returns the objective whose loss is the log loss of a classification, and
	// whether its loss differs from this one's. It returns nil for a regression.
	LogLoss() (of Objective, differs bool)
}

// Terms returns how many terms one sample has, and how many outputs a term has, for a
// network with that many positions and units. A classification has a term at each position.
// A regression has one term for all.
func Terms(o Objective, positions, units int) (terms, outputs int) {
	if o.Classes(units) > 0 {
		return positions, units
	}
	return 1, positions * units
}

// Mask sets the gradient and the loss of terms with the class [job.Ignored] to +0. d is [B, O],
// terms [B], and y [B].
func Mask(d []float32, terms []float64, y []float32, outputs int) {
	for i, class := range y {
		if class == job.Ignored {
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

// of lists the objectives, with the parameters of the spec s, in the order in which messages
// name them.
func of(s *job.Spec) []Objective {
	return []Objective{
		softmaxCrossEntropy{smoothing: s.LabelSmoothing, gamma: s.FocalGamma},
		sigmoidCrossEntropy{gamma: s.FocalGamma},
		meanSquaredError{},
		halfSquaredError{},
		absoluteError{},
		huber{delta: s.LossDelta},
		quantile{q: s.LossQuantile},
		poisson{},
	}
}

// For returns the objective of a job. It fails with job.ErrInvalid if there is none, or if a
// parameter of the loss is out of range.
func For(s *job.Spec) (Objective, error) {
	var names []string
	for _, o := range of(s) {
		if o.Loss() == s.Loss {
			if err := checkParameters(s); err != nil {
				return nil, err
			}
			return o, nil
		}
		names = append(names, string(o.Loss()))
	}
	return nil, fmt.Errorf("loss: %.40q: want %s: %w", string(s.Loss), strings.Join(names, ", "), job.ErrInvalid)
}

// Of returns the objective of a loss with its default parameters. It fails with
// job.ErrInvalid if there is none.
func Of(loss job.Loss) (Objective, error) {
	return For(&job.Spec{Loss: loss, LossDelta: job.DefaultLossDelta, LossQuantile: job.DefaultLossQuantile})
}

// checkParameters checks the parameters that the loss of the spec has.
func checkParameters(s *job.Spec) error {
	switch q, delta, smoothing, gamma := s.LossQuantile, s.LossDelta, s.LabelSmoothing, s.FocalGamma; {
	case s.Loss == job.Huber && !(delta > 0 && delta <= math.MaxFloat32):
		return fmt.Errorf("loss_delta: %v: want a finite number above 0: %w", delta, job.ErrInvalid)
	case s.Loss == job.Quantile && !(q > 0 && q < 1):
		return fmt.Errorf("loss_quantile: %v: want a number above 0 and below 1: %w", q, job.ErrInvalid)
	case s.Loss == job.SoftmaxCrossEntropy && !(smoothing >= 0 && smoothing <= 1):
		return fmt.Errorf("label_smoothing: %v: want a number from 0 to 1: %w", smoothing, job.ErrInvalid)
	case s.Loss.Classifies() && !(gamma >= 0 && gamma <= job.MaxFocalGamma):
		return fmt.Errorf("focal_gamma: %v: want a number from 0 to %v: %w", gamma, job.MaxFocalGamma, job.ErrInvalid)
	case s.Loss == job.SoftmaxCrossEntropy && gamma != 0 && smoothing != 0:
		return fmt.Errorf("focal_gamma: %v: label_smoothing is given as well, want one of them: %w", gamma, job.ErrInvalid)
	default:
		return nil
	}
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
