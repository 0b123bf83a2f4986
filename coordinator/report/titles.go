package report

import (
	"fmt"
	"maps"
	"slices"

	"tributary/shared/job"
	"tributary/shared/objective"
)

// lossTitle returns the name of the loss and its unit.
func (c Curves) lossTitle() string {
	unit := "label units"
	if m := c.Spec.Data.Transform.Label.Method; m != "" && m != "none" {
		unit = "scaled label units"
	}
	of, err := objective.For(&c.Spec)
	if err != nil {
		return "loss"
	}
	title := of.Title(unit)
	if !c.Spec.ClassWeights.IsZero() || c.Spec.Data.Weight != "" {
		title += ", weighted"
	}
	return title
}

// metricTitle returns the name of a metric and its unit.
func metricTitle(metric string) string {
	switch job.Metric(metric) {
	case job.Accuracy:
		return "accuracy (fraction of rows)"
	case job.RMSE:
		return "RMSE (label units)"
	case job.MAE:
		return "mean absolute error (label units)"
	case job.R2:
		return "R² (1 is perfect)"
	case job.AUC:
		return "AUC (0.5 is chance, 1 perfect)"
	case job.LogLoss:
		return "log loss (nats per row)"
	case job.Precision:
		return "precision (mean over classes)"
	case job.Recall:
		return "recall (mean over classes)"
	case job.F1:
		return "F1 (mean over classes)"
	case job.AveragePrecision:
		return "average precision (1 is perfect)"
	case job.Brier:
		return "Brier score (0 is perfect)"
	case job.CalibrationError:
		return "expected calibration error (0 is perfect)"
	case job.Top5:
		return "accuracy of the top 5 (fraction of rows)"
	case job.MAPE:
		return "mean absolute percentage error (as a fraction)"
	default:
		return metric
	}
}

// stepTitle returns the name of the horizontal axis.
func (c Curves) stepTitle() string {
	if c.Spec.Batch == 0 {
		return "steps"
	}
	return fmt.Sprintf("steps (batches of %s rows)", grouped(int64(c.Spec.Batch)))
}

// metric returns the metric drawn below the loss: the first one in the spec that the
// validation split has over time; empty if there is none.
func (c Curves) metric() string {
	wanted := make([]string, 0, len(c.Spec.Metrics))
	for _, m := range c.Spec.Metrics {
		wanted = append(wanted, string(m))
	}
	if len(wanted) == 0 && len(c.Evaluations) > 0 {
		wanted = slices.Sorted(maps.Keys(c.Evaluations[0].Metrics))
	}
	for _, m := range wanted {
		if m != "loss" && len(c.evaluations(job.Validation, m)) > 1 {
			return m
		}
	}
	return ""
}
