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
)

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
