package metric

import (
	"math"

	"tributary/shared/job"
)

// extra holds the sums of a unit that only later metrics need. Sums without it have the
// encoding of version 1.
type extra struct {
	top      int64        // classification: rows whose class is among the job.Top most likely
	zeros    int64        // regression: labels that are 0
	brier    float64      // two classes: Σ (p−y)², p the probability of the second class
	relative float64      // regression: Σ |ŷ−y|/|y| over the labels that are not 0
	logLoss  float64      // classification: the log loss, if it is not the loss
	classes  []classCount // classes that rows have or were predicted, in ascending order
	units    int64        // sum of the weights of the rows, in units of the objective
	pairs    []pairCount  // classes of rows with their predictions, in ascending order
	bins     []bin        // of the expected calibration error, or nil
}

// classCount counts rows of one class.
type classCount struct {
	class                    uint32
	right, predicted, actual int64 // rows that are both, rows predicted as it, rows of it
}

// extended reports whether units of the config have extra sums.
func (c Config) extended() bool {
	for _, m := range c.Metrics {
		if m.Later() {
			return true
		}
	}
	return c.smoothed() || c.weighted()
}

// weighted reports whether rows have weights in the loss.
func (c Config) weighted() bool {
	_, weighted := c.Objective.Units(nil)
	return weighted
}

// smoothed reports whether the metric log loss is asked for and is not the loss.
func (c Config) smoothed() bool {
	_, differs := c.Objective.LogLoss()
	return differs && c.wants(job.LogLoss)
}

// perClass reports whether the config lists a metric that needs the counts of each class.
func (c Config) perClass() bool {
	return c.wants(job.Precision) || c.wants(job.Recall) || c.wants(job.F1) || c.wants(job.ConfusionMatrix)
}

// classify adds rows of a classification: outputs [rows, Outputs] and classes y [rows].
func (k *Counter) classify(outputs, y []float32) {
	c, e := k.c, k.sums.extra
	if e == nil {
		return
	}
	if c.wants(job.Top5) {
		for r, class := range y {
			if within(outputs[r*c.Outputs:(r+1)*c.Outputs], class, job.Top) {
				e.top++
			}
		}
	}
	if c.wants(job.Brier) && c.binary() {
		p := make([]float32, 2*len(y))
		c.Objective.Probabilities(p, outputs, c.Outputs)
		for r, class := range y {
			d := float64(p[2*r+1]) - float64(class)
			e.brier += float64(d * d)
		}
	}
	if c.wants(job.CalibrationError) {
		c.calibrate(e, outputs, y)
	}
	if of, differs := c.Objective.LogLoss(); differs {
		of.Add(&k.logLoss, nil, outputs, y, c.Outputs)
	}
}

// within reports whether fewer than n classes are more likely than class. Of equally likely
// classes, the first is more likely, as in objective.Objective.Class. It reports false if an
// output is NaN.
func within(z []float32, class float32, n int) bool {
	own := int(class)
	if own < 0 || own >= len(z) {
		return false
	}
	above := 0
	for i, v := range z {
		if v != v {
			return false
		}
		if v > z[own] || v == z[own] && i < own {
			above++
		}
	}
	return above < n
}

// tally counts a row of class y that was predicted as class; −1 is no class.
func (k *Counter) tally(class int, y float32) {
	if !(y >= 0 && y < float32(k.c.Objective.Classes(k.c.Outputs))) {
		return
	}
	if k.counts == nil {
		k.counts = map[uint32]*classCount{}
	}
	of := func(class uint32) *classCount {
		n := k.counts[class]
		if n == nil {
			n = &classCount{class: class}
			k.counts[class] = n
		}
		return n
	}
	n := of(uint32(y))
	n.actual++
	switch {
	case class < 0:
	case class == int(y):
		n.predicted++
		n.right++
	default:
		of(uint32(class)).predicted++
	}
}

// mergeCounts returns the sums of two ascending lists.
func mergeCounts(a, b []classCount) []classCount {
	if len(a) == 0 {
		return b
	}
	out := make([]classCount, 0, max(len(a), len(b)))
	for len(a) > 0 && len(b) > 0 {
		switch x, y := a[0], b[0]; {
		case x.class < y.class:
			out, a = append(out, x), a[1:]
		case y.class < x.class:
			out, b = append(out, y), b[1:]
		default:
			out = append(out, classCount{x.class, x.right + y.right, x.predicted + y.predicted, x.actual + y.actual})
			a, b = a[1:], b[1:]
		}
	}
	return append(append(out, a...), b...)
}

// add adds the sums of another unit.
func (e *extra) add(u *extra) {
	e.top += u.top
	e.zeros += u.zeros
	e.brier += u.brier
	e.relative += u.relative
	e.logLoss += u.logLoss
	e.units += u.units
	e.pairs = mergePairs(e.pairs, u.pairs)
	if u.bins != nil {
		e.bins = addBins(e.bins, u.bins)
	}
	e.classes = mergeCounts(e.classes, u.classes)
}

// compare adds the relative error |miss|/|target| to the sums. In the label's unit, a target
// that was scaled is exact only up to the rounding of float32 around shift. A target within
// this rounding is 0.
func (e *extra) compare(miss, target, shift float64) {
	if math.Abs(target) <= float64(0x1p-23*math.Abs(shift)) {
		e.zeros++
		return
	}
	e.relative += math.Abs(miss) / math.Abs(target)
}
