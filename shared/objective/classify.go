package objective

import (
	"fmt"

	"tributary/shared/job"
	"tributary/shared/numeric"
)

// softmaxCrossEntropy is the loss −log softmax(z)[y], with one output per class. Its
// gradient is softmax(z) − onehot(y).
//
// With smoothing ε, (1−ε)·onehot(y) + ε/C stands for onehot(y) (PyTorch's label_smoothing;
// Szegedy et al., "Rethinking the Inception architecture for computer vision", 2016).
// With gamma, it is the focal loss; smoothing is then 0.
type softmaxCrossEntropy struct {
	mean
	classification
	smoothing, gamma float64
}

func (softmaxCrossEntropy) Loss() job.Loss         { return job.SoftmaxCrossEntropy }
func (o softmaxCrossEntropy) Title(string) string  { return crossEntropyTitle(o.gamma) }
func (softmaxCrossEntropy) Targets(int) int        { return 1 }
func (softmaxCrossEntropy) Classes(o int) int      { return o }
func (softmaxCrossEntropy) HasTerms() bool         { return true }
func (softmaxCrossEntropy) CheckClasses(int) error { return nil }

func (softmaxCrossEntropy) Check(outputs int) error {
	if outputs < 2 {
		return fmt.Errorf("%d: %s wants an output per class, at least 2: %w", outputs, job.SoftmaxCrossEntropy, job.ErrInvalid)
	}
	return nil
}

func (softmaxCrossEntropy) Fit(path string, outputs int, label Label) error {
	if outputs != label.Classes {
		return fmt.Errorf("%s: %d: the label has %d classes, want as many units: %w", path, outputs, label.Classes, job.ErrInvalid)
	}
	return nil
}

func (o softmaxCrossEntropy) Gradient(d []float32, terms []float64, z, y []float32, outputs int) {
	if o.smoothing != 0 {
		numeric.SmoothedCrossEntropyRows(terms, d, z, y, outputs, o.smoothing)
		return
	}
	numeric.SoftmaxCrossEntropyRows(terms, d, z, y, outputs)
	if o.gamma != 0 {
		numeric.FocalRows(terms, d, o.gamma, outputs)
	}
}

func (o softmaxCrossEntropy) Add(s *Sum, terms []float64, z, y []float32, outputs int) {
	switch {
	case terms != nil:
		s.rows.AddTerms(terms)
	case o.gamma != 0:
		s.rows.AddFocalSoftmax(z, y, outputs, o.gamma)
	case o.smoothing != 0:
		s.rows.AddSmoothedCrossEntropy(z, y, outputs, o.smoothing)
	default:
		s.rows.AddSoftmaxCrossEntropy(z, y, outputs)
	}
}

func (o softmaxCrossEntropy) LogLoss() (Objective, bool) {
	return softmaxCrossEntropy{}, o.smoothing != 0 || o.gamma != 0
}

func (softmaxCrossEntropy) Value(s *Sum, _ int) float64 { return s.rows.Value() }

func (softmaxCrossEntropy) Class(z []float32) int { return greatest(z) }

func (softmaxCrossEntropy) Probabilities(p, z []float32, outputs int) {
	numeric.Softmax(p[:len(z)], z, outputs)
}

// sigmoidCrossEntropy is the loss for two classes with one output: −log σ(z) for the second
// class, −log σ(−z) for the first. Its gradient is σ(z) − y. With gamma, it is the focal loss.
type sigmoidCrossEntropy struct {
	mean
	classification
	gamma float64
}

func (sigmoidCrossEntropy) Loss() job.Loss        { return job.SigmoidCrossEntropy }
func (o sigmoidCrossEntropy) Title(string) string { return crossEntropyTitle(o.gamma) }
func (sigmoidCrossEntropy) Targets(int) int       { return 1 }
func (sigmoidCrossEntropy) Classes(int) int       { return 2 }
func (o sigmoidCrossEntropy) HasTerms() bool      { return o.gamma != 0 }

func (sigmoidCrossEntropy) Check(outputs int) error {
	if outputs != 1 {
		return fmt.Errorf("%d: %s wants exactly 1: %w", outputs, job.SigmoidCrossEntropy, job.ErrInvalid)
	}
	return nil
}

func (sigmoidCrossEntropy) CheckClasses(classes int) error {
	if classes != 2 {
		return fmt.Errorf("%d classes: %s takes two (use %s): %w", classes, job.SigmoidCrossEntropy, job.SoftmaxCrossEntropy, job.ErrInvalid)
	}
	return nil
}

func (o sigmoidCrossEntropy) Fit(path string, outputs int, label Label) error {
	if err := o.CheckClasses(label.Classes); err != nil {
		return fmt.Errorf("loss: the label has %w", err)
	}
	if outputs != 1 {
		return fmt.Errorf("%s: %d: %s wants 1: %w", path, outputs, o.Loss(), job.ErrInvalid)
	}
	return nil
}

func (o sigmoidCrossEntropy) Gradient(d []float32, terms []float64, z, y []float32, _ int) {
	if o.gamma == 0 {
		numeric.SigmoidCrossEntropyGradient(d, z, y)
		return
	}
	numeric.SigmoidCrossEntropyRows(terms, d, z, y)
	numeric.FocalRows(terms, d, o.gamma, 1)
}

func (o sigmoidCrossEntropy) Add(s *Sum, terms []float64, z, y []float32, _ int) {
	switch {
	case o.gamma == 0:
		s.elements.AddSigmoidCrossEntropy(z, y)
	case terms != nil:
		s.rows.AddTerms(terms)
	default:
		s.rows.AddFocalSigmoid(z, y, o.gamma)
	}
}

func (o sigmoidCrossEntropy) Value(s *Sum, _ int) float64 {
	if o.gamma != 0 {
		return s.rows.Value()
	}
	return s.elements.Value()
}

func (o sigmoidCrossEntropy) LogLoss() (Objective, bool) { return sigmoidCrossEntropy{}, o.gamma != 0 }

func (sigmoidCrossEntropy) Class(z []float32) int {
	switch v := z[0]; {
	case v != v:
		return -1
	case v > 0:
		return 1
	default:
		return 0
	}
}

// Probabilities writes σ(−z) for the first class, not 1 − σ(z): 1 − σ(z) is 0 where σ(−z)
// is only small.
func (sigmoidCrossEntropy) Probabilities(p, z []float32, _ int) {
	for i, v := range z {
		p[2*i], p[2*i+1] = -v, v
	}
	numeric.Sigmoid(p[:2*len(z)])
}

// classification holds the methods that all objectives over classes share.
type classification struct{}

// CheckNumber is not called for a classification; it returns nil.
func (classification) CheckNumber(float64) error { return nil }

// Numbers is not called for a classification; it returns z.
func (classification) Numbers(z []float32) []float32 { return z }

// Units reports that every term counts the same.
func (classification) Units([]float32) (int64, bool) { return 0, false }

// Labels returns y.
func (classification) Labels(y []float32) []float32 { return y }

// crossEntropyTitle returns the title of a cross-entropy, or of the focal loss of it.
func crossEntropyTitle(gamma float64) string {
	if gamma != 0 {
		return fmt.Sprintf("focal loss (nats per row, γ = %v)", gamma)
	}
	return "cross-entropy (nats per row)"
}

// greatest returns the index of the greatest element, the first if several are equal; −1 if
// an element is NaN.
func greatest(z []float32) int {
	best := 0
	for i, v := range z {
		if v != v {
			return -1
		}
		if v > z[best] {
			best = i
		}
	}
	return best
}
