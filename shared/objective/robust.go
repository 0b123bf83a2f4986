package objective

import (
	"fmt"
	"slices"

	"tributary/shared/job"
	"tributary/shared/numeric"
)

// elementwise is embedded in objectives that are a mean over outputs and batch of a loss of
// each output.
type elementwise struct {
	mean
	regression
}

func (elementwise) Value(s *Sum, outputs int) float64 {
	return s.elements.Scaled(1 / float64(outputs))
}

// absoluteError is the mean over the outputs of |ŷ − y| (PyTorch's L1Loss). Its gradient is
// sign(ŷ − y)/O, and 0 where ŷ = y.
type absoluteError struct{ elementwise }

func (absoluteError) Loss() job.Loss            { return job.AbsoluteError }
func (absoluteError) Title(label string) string { return "mean absolute error (" + label + ")" }

func (absoluteError) Gradient(d []float32, _ []float64, z, y []float32, outputs int) {
	numeric.AbsoluteErrorGradient(d, z, y, 1/float64(outputs))
}

func (absoluteError) Add(s *Sum, _ []float64, z, y []float32, _ int) {
	s.elements.AddAbsoluteError(z, y)
}

// huber is the mean over the outputs of ½r² where |r| ≤ δ, and of δ(|r| − ½δ) elsewhere, r =
// ŷ − y (PyTorch's HuberLoss; Huber, "Robust estimation of a location parameter", 1964). Its
// gradient is r/O, with r limited to ±δ.
type huber struct {
	elementwise
	delta float64
}

func (huber) Loss() job.Loss { return job.Huber }

func (o huber) Title(label string) string {
	return fmt.Sprintf("Huber loss (%s², δ = %v)", label, o.delta)
}

func (o huber) Gradient(d []float32, _ []float64, z, y []float32, outputs int) {
	numeric.HuberGradient(d, z, y, o.delta, 1/float64(outputs))
}

func (o huber) Add(s *Sum, _ []float64, z, y []float32, _ int) {
	s.elements.AddHuber(z, y, o.delta)
}

// quantile is the mean over the outputs of max(q(y − ŷ), (q−1)(y − ŷ)), the pinball loss,
// which is least at the quantile q of the label (Koenker & Bassett, "Regression quantiles",
// 1978). Its gradient is −q/O below the label, (1−q)/O above it, and 0 where ŷ = y.
type quantile struct {
	elementwise
	q float64
}

func (quantile) Loss() job.Loss { return job.Quantile }

func (o quantile) Title(label string) string {
	return fmt.Sprintf("quantile loss (%s, q = %v)", label, o.q)
}

func (o quantile) Gradient(d []float32, _ []float64, z, y []float32, outputs int) {
	numeric.QuantileGradient(d, z, y, o.q, 1/float64(outputs))
}

func (o quantile) Add(s *Sum, _ []float64, z, y []float32, _ int) {
	s.elements.AddQuantile(z, y, o.q)
}

// poisson is the mean over the outputs of e^z − y·z (PyTorch's PoissonNLLLoss with its
// defaults): the negative log-likelihood of counts y with the rate e^z, without the term ln
// y!, which does not depend on z. Its gradient is (e^z − y)/O.
type poisson struct{ elementwise }

func (poisson) Loss() job.Loss      { return job.Poisson }
func (poisson) Title(string) string { return "Poisson loss (nats per output, without ln y!)" }

func (poisson) CheckNumber(y float64) error {
	if y < 0 {
		return fmt.Errorf("%v: with loss %s want a number of at least 0: %w", y, job.Poisson, job.ErrInvalid)
	}
	return nil
}

func (poisson) Gradient(d []float32, _ []float64, z, y []float32, outputs int) {
	numeric.PoissonGradient(d, z, y, 1/float64(outputs))
}

func (poisson) Add(s *Sum, _ []float64, z, y []float32, _ int) {
	s.elements.AddPoisson(z, y)
}

// Numbers returns the rates e^z.
func (poisson) Numbers(z []float32) []float32 {
	rates := slices.Clone(z)
	numeric.Exp(rates)
	return rates
}

// multilabel is the mean over the outputs of −log σ(z) where the label is 1, and −log σ(−z)
// where it is 0: one sigmoid for each label (PyTorch's BCEWithLogitsLoss). Its gradient is
// (σ(z) − y)/O. The model predicts σ(z).
type multilabel struct{ elementwise }

func (multilabel) Loss() job.Loss      { return job.MultilabelCrossEntropy }
func (multilabel) Title(string) string { return "binary cross-entropy (nats per label)" }

func (multilabel) CheckNumber(y float64) error {
	if y != 0 && y != 1 {
		return fmt.Errorf("%v: with loss %s want 0 or 1: %w", y, job.MultilabelCrossEntropy, job.ErrInvalid)
	}
	return nil
}

func (multilabel) Gradient(d []float32, _ []float64, z, y []float32, outputs int) {
	numeric.MultilabelGradient(d, z, y, 1/float64(outputs))
}

func (multilabel) Add(s *Sum, _ []float64, z, y []float32, _ int) {
	s.elements.AddSigmoidCrossEntropy(z, y)
}

// Numbers returns the probabilities σ(z).
func (multilabel) Numbers(z []float32) []float32 {
	p := slices.Clone(z)
	numeric.Sigmoid(p)
	return p
}
