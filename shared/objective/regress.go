package objective

import (
	"fmt"

	"tributary/shared/job"
	"tributary/shared/numeric"
)

// meanSquaredError is the mean over the outputs of (ŷ − y)². Its gradient is 2(ŷ − y)/O.
type meanSquaredError struct{ elementwise }

func (meanSquaredError) Loss() job.Loss            { return job.MSE }
func (meanSquaredError) Title(label string) string { return "mean squared error (" + label + "²)" }

func (meanSquaredError) Gradient(d []float32, _ []float64, z, y []float32, outputs int) {
	numeric.SquaredErrorGradient(d, z, y, 1/float64(outputs))
}

func (meanSquaredError) Add(s *Sum, _ []float64, z, y []float32, _ int) {
	s.elements.AddSquaredError(z, y)
}

// halfSquaredError is ½ Σ (ŷ − y)² over outputs and batch: a sum, not a mean. Its gradient
// is ŷ − y.
type halfSquaredError struct{ regression }

func (halfSquaredError) Loss() job.Loss { return job.HalfSquaredError }

func (halfSquaredError) Title(label string) string {
	return "½ Σ squared error (" + label + "², per batch)"
}

func (halfSquaredError) Gradient(d []float32, _ []float64, z, y []float32, _ int) {
	numeric.SquaredErrorGradient(d, z, y, 0.5)
}

func (halfSquaredError) Add(s *Sum, _ []float64, z, y []float32, _ int) {
	s.elements.AddSquaredError(z, y)
}

func (halfSquaredError) Value(s *Sum, _ int) float64 { return s.elements.Scaled(0.5) }

func (halfSquaredError) Divisor(int64) float32              { return 1 }
func (halfSquaredError) Mean(loss float64, _ int64) float64 { return loss }

// regression holds the methods that all objectives over numbers share.
type regression struct{}

func (regression) Targets(outputs int) int       { return outputs }
func (regression) Classes(int) int               { return 0 }
func (regression) Check(int) error               { return nil }
func (regression) HasTerms() bool                { return false }
func (regression) CheckClasses(int) error        { return nil }
func (regression) CheckNumber(float64) error     { return nil }
func (regression) Numbers(z []float32) []float32 { return z }
func (regression) LogLoss() (Objective, bool)    { return nil, false }
func (regression) Units([]float32) (int64, bool) { return 0, false }
func (regression) Labels(y []float32) []float32  { return y }

func (regression) Fit(path string, outputs int, label Label) error {
	if outputs != label.Columns {
		return fmt.Errorf("%s: %d: the label has %d columns, want as many units: %w", path, outputs, label.Columns, job.ErrInvalid)
	}
	return nil
}

// Class is not called for a regression; it returns −1.
func (regression) Class([]float32) int { return -1 }

// Probabilities is not called for a regression; it does nothing.
func (regression) Probabilities([]float32, []float32, int) {}
