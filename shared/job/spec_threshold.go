package job

// ThresholdSpec asks for a decision threshold: the score from which on a row is of the second
// class. It is chosen at the end of training from the scores of the validation split (as
// scikit-learn's TunedThresholdClassifierCV does), kept in the model's card, and used by
// predictions.
type ThresholdSpec struct {
	Maximize Maximize `json:"maximize" jsonschema:"required" jsonschema_description:"the figure of the validation split that the threshold makes greatest: f1 of the second class, or balanced_accuracy (the mean of the parts of both classes that are right, whose maximum is also that of Youden's J); of equal thresholds the greatest"`
}

// Maximize is a figure that depends on the decision threshold.
type Maximize string

// The figures.
const (
	MaximizeF1       Maximize = "f1"
	MaximizeBalanced Maximize = "balanced_accuracy"
)

// Allowed lists the figures.
func (Maximize) Allowed() []string { return []string{string(MaximizeF1), string(MaximizeBalanced)} }

// Threshold is a chosen decision threshold.
type Threshold struct {
	Maximize Maximize `json:"maximize"`
	// Logit is the threshold: a row is of the second class if its logit, or the difference of
	// its two logits, is at least this. Probability is the second class's at this logit.
	Logit       float32                    `json:"logit"`
	Probability float32                    `json:"probability"`
	Splits      map[Split]ThresholdFigures `json:"splits,omitempty"` // what it gives on each split
}

// ThresholdFigures counts what a threshold does to rows, and has the figures that follow. A
// figure that would divide by 0 is 0. Precision, recall and F1 are those of the second class.
type ThresholdFigures struct {
	TrueNegatives    int64   `json:"true_negatives"`
	FalsePositives   int64   `json:"false_positives"`
	FalseNegatives   int64   `json:"false_negatives"`
	TruePositives    int64   `json:"true_positives"`
	Accuracy         float64 `json:"accuracy"`
	BalancedAccuracy float64 `json:"balanced_accuracy"`
	Precision        float64 `json:"precision"`
	Recall           float64 `json:"recall"`
	F1               float64 `json:"f1"`
}

// ThresholdOf returns the figures of counts.
func ThresholdOf(tn, fp, fn, tp int64) ThresholdFigures {
	over := func(a, b int64) float64 {
		if b == 0 {
			return 0
		}
		return float64(a) / float64(b)
	}
	f := ThresholdFigures{TrueNegatives: tn, FalsePositives: fp, FalseNegatives: fn, TruePositives: tp}
	f.Accuracy = over(tn+tp, tn+fp+fn+tp)
	f.Recall, f.Precision = over(tp, tp+fn), over(tp, tp+fp)
	f.BalancedAccuracy = (f.Recall + over(tn, tn+fp)) / 2
	f.F1 = over(2*tp, 2*tp+fp+fn)
	return f
}

// validateThreshold checks that there are two classes and a validation split.
func (s *Spec) validateThreshold(fs *faults) {
	if s.Threshold == nil {
		return
	}
	switch s.Loss {
	case SigmoidCrossEntropy:
	case SoftmaxCrossEntropy:
		if units := s.outputs(); units != 2 {
			fs.at("threshold", "it needs two classes, the last layer has %d units", units)
		}
	default:
		fs.at("threshold", "it needs two classes: want loss %s or %s, not %s", SigmoidCrossEntropy, SoftmaxCrossEntropy, s.Loss)
	}
	if !s.Data.Validates() {
		fs.at("threshold", "it is chosen by the validation split: want data.split.validation above 0, or data.validation")
	}
}
