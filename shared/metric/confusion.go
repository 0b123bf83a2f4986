package metric

import (
	"cmp"

	"tributary/shared/job"
)

// pairCount counts rows of one class that were predicted as another, or as the same.
type pairCount struct {
	actual, predicted uint32
	rows              int64
}

// compare orders pairs by the class of the rows, then by the predicted class.
func (p pairCount) compare(q pairCount) int {
	return cmp.Or(cmp.Compare(p.actual, q.actual), cmp.Compare(p.predicted, q.predicted))
}

// pair counts a row of class y that was predicted as class; −1 is no class.
func (k *Counter) pair(class int, y float32) {
	if class < 0 || !(y >= 0 && y < float32(k.c.Objective.Classes(k.c.Outputs))) {
		return
	}
	if k.pairs == nil {
		k.pairs = map[[2]uint32]int64{}
	}
	k.pairs[[2]uint32{uint32(y), uint32(class)}]++
}

// mergePairs returns the sums of two ascending lists.
func mergePairs(a, b []pairCount) []pairCount {
	if len(a) == 0 {
		return b
	}
	out := make([]pairCount, 0, max(len(a), len(b)))
	for len(a) > 0 && len(b) > 0 {
		switch a[0].compare(b[0]) {
		case -1:
			out, a = append(out, a[0]), a[1:]
		case 1:
			out, b = append(out, b[0]), b[1:]
		default:
			out = append(out, pairCount{a[0].actual, a[0].predicted, a[0].rows + b[0].rows})
			a, b = a[1:], b[1:]
		}
	}
	return append(append(out, a...), b...)
}

// confusion returns the confusion matrix of the totals t, and the figures of each class. It
// returns nil, with the reason, if it cannot be computed.
//
// The figures are scikit-learn's precision_recall_fscore_support with zero_division=0, if
// the class has rows.
func (c Config) confusion(t *Sums) (m *job.Confusion, why string) {
	classes := c.Objective.Classes(c.Outputs)
	if n := len(t.extra.pairs); n > 0 && int(t.extra.pairs[n-1].actual) >= classes {
		return nil, "there are rows of other classes"
	}
	m = &job.Confusion{Matrix: make([][]int64, classes), Classes: make([]job.ClassFigures, classes)}
	predicted := make([]int64, classes)
	for i := range m.Matrix {
		m.Matrix[i] = make([]int64, classes)
	}
	for _, p := range t.extra.pairs {
		if int(p.predicted) >= classes {
			return nil, "there are predictions of other classes"
		}
		m.Matrix[p.actual][p.predicted] = p.rows
		predicted[p.predicted] += p.rows
	}
	for _, n := range t.extra.classes {
		if int(n.class) >= classes {
			return nil, "there are rows of other classes"
		}
		m.Classes[n.class].Rows = n.actual
	}
	for i := range m.Classes {
		f, right := &m.Classes[i], float64(m.Matrix[i][i])
		if i < len(c.Classes) {
			f.Class = c.Classes[i]
		}
		f.Precision = right / float64(max(1, predicted[i]))
		if f.Rows > 0 {
			recall, f1 := right/float64(f.Rows), float64(2*right)/float64(predicted[i]+f.Rows)
			f.Recall, f.F1 = &recall, &f1
		}
	}
	return m, ""
}
