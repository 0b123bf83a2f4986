package metric

import (
	"fmt"

	"tributary/shared/job"
)

// overClasses returns the mean over the classes of precision, recall or F1. A class that is
// never predicted has precision 0 (zero_division=0 of scikit-learn). A class without rows has
// no recall, and the mean is undefined: why names the first such class.
//
// These are scikit-learn's precision_score, recall_score and f1_score with average="macro",
// if every class has rows.
func (c Config) overClasses(m job.Metric, t *Sums) (mean float64, why string) {
	classes := c.Objective.Classes(c.Outputs)
	counts := t.extra.classes
	if len(counts) > 0 && int(counts[len(counts)-1].class) >= classes {
		return 0, fmt.Sprintf("there are rows of class %d, the classes are 0 to %d", counts[len(counts)-1].class, classes-1)
	}
	sum := 0.0
	for class := range classes {
		var n classCount
		if len(counts) > 0 && int(counts[0].class) == class {
			n, counts = counts[0], counts[1:]
		}
		if n.actual == 0 {
			return 0, fmt.Sprintf("it divides by the rows of class %s, and none of the %d rows is of it", c.nameOf(class), t.rows)
		}
		switch right := float64(n.right); m {
		case job.Precision:
			sum += right / float64(max(1, n.predicted))
		case job.Recall:
			sum += right / float64(n.actual)
		default: // 2PR/(P+R)
			sum += float64(2*right) / float64(n.predicted+n.actual)
		}
	}
	return sum / float64(classes), ""
}

// nameOf returns the name of a class for a reason.
func (c Config) nameOf(class int) string {
	if class < len(c.Classes) {
		return fmt.Sprintf("%.80q", c.Classes[class])
	}
	return fmt.Sprintf("%d of 0 to %d", class, c.Objective.Classes(c.Outputs)-1)
}
