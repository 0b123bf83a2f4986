package job

// Loss names the training objective. Package objective computes it; this file has only
// what the rules of a spec need.
type Loss string

// The losses. All but HalfSquaredError are means over the batch.
const (
	SoftmaxCrossEntropy Loss = "softmax_cross_entropy" // classes; −log softmax(z)[y]
	SigmoidCrossEntropy Loss = "sigmoid_cross_entropy" // two classes, one output; −log σ(±z)
	MSE                 Loss = "mse"                   // mean over the outputs of (ŷ−y)²
	HalfSquaredError    Loss = "half_squared_error"    // ½ Σ (y−ŷ)², summed over outputs and batch
	AbsoluteError       Loss = "mae"                   // mean over the outputs of |ŷ−y|
	Huber               Loss = "huber"                 // mean over the outputs; a square up to loss_delta, linear beyond
	Quantile            Loss = "quantile"              // mean over the outputs of the pinball loss of loss_quantile
	Poisson             Loss = "poisson"               // mean over the outputs of e^z − y·z; the model predicts e^z
)

// The default parameters of losses.
const (
	DefaultLossDelta    = 1.0
	DefaultLossQuantile = 0.5
)

// MaxFocalGamma bounds the exponent of the focal loss. MaxWeight bounds the weight of a class
// or a row.
const (
	MaxFocalGamma = 10
	MaxWeight     = 1e9
)

// Ignored is the class of a masked term, which has no loss and no gradient. The value is
// PyTorch's ignore_index.
const Ignored = -100

// Classifies reports whether the loss needs class labels instead of numbers.
func (l Loss) Classifies() bool { return l == SoftmaxCrossEntropy || l == SigmoidCrossEntropy }

// outputs returns why the loss does not accept so many outputs; it returns "" if it does.
func (l Loss) outputs(units int) string {
	switch {
	case l == SigmoidCrossEntropy && units != 1:
		return "want 1"
	case l == SoftmaxCrossEntropy && units < 2:
		return "want as many as classes, at least 2"
	default:
		return ""
	}
}

// fillLoss sets the parameters of the loss that are left out.
func (s *Spec) fillLoss() {
	if s.Loss == Huber && s.LossDelta == 0 {
		s.LossDelta = DefaultLossDelta
	}
	if s.Loss == Quantile && s.LossQuantile == 0 {
		s.LossQuantile = DefaultLossQuantile
	}
}

// validateLoss checks that each parameter belongs to the loss, and that the label fits it.
func (s *Spec) validateLoss(fs *faults) {
	for _, p := range []struct {
		name  string
		value float64
		of    Loss
	}{
		{"loss_delta", s.LossDelta, Huber},
		{"loss_quantile", s.LossQuantile, Quantile},
		{"label_smoothing", s.LabelSmoothing, SoftmaxCrossEntropy},
	} {
		if p.value != 0 && s.Loss != p.of {
			fs.at(p.name, "%v: want it with loss %s alone", p.value, p.of)
		}
	}
	if s.FocalGamma != 0 {
		switch {
		case !s.Loss.Classifies():
			fs.at("focal_gamma", "%v: want it with a loss of classes, not with %s", s.FocalGamma, s.Loss)
		case s.LabelSmoothing != 0:
			fs.at("focal_gamma", "%v: label_smoothing is given as well, want one of them", s.FocalGamma)
		}
	}
	if !s.ClassWeights.IsZero() {
		switch {
		case !s.Loss.Classifies():
			fs.at("class_weights", "want it with a loss of classes, not with %s", s.Loss)
		case s.LabelSmoothing != 0:
			fs.at("class_weights", "label_smoothing is given as well, want one of them")
		}
	}
	if s.Loss == Poisson && s.Data.Transform.Label.Method == "standard" {
		fs.at("data.transform.label", "standard: with loss %s the label is a count or a rate, want none", s.Loss)
	}
}
