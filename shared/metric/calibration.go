package metric

import (
	"fmt"
	"math"

	"tributary/shared/job"
)

// calibrationBins is the number of bins of equal width of the expected calibration error.
const calibrationBins = 15

// bin counts the rows whose predicted class has a probability within a range.
type bin struct {
	rows, right int64
	confidence  float64 // sum of the probabilities of the predicted classes
}

// binOf returns the bin of a probability: bin b has those above b/15 up to (b+1)/15. The
// product is exact in float64. A probability that is not a number is in the first bin.
func binOf(p float32) int {
	x := float64(float64(p) * calibrationBins)
	if !(x > 0) {
		return 0
	}
	b := int(min(x, calibrationBins))
	if float64(b) == x || b == calibrationBins {
		b-- // the upper edge of the bin
	}
	return b
}

// calibrate adds rows to the bins: outputs [rows, Outputs] and classes y [rows]. A row that
// is predicted as no class, because an output is not a number, makes the error undefined.
func (c Config) calibrate(e *extra, outputs, y []float32) {
	if e.bins == nil {
		e.bins = make([]bin, calibrationBins)
	}
	classes := c.Objective.Classes(c.Outputs)
	p := make([]float32, classes*len(y))
	c.Objective.Probabilities(p, outputs, c.Outputs)
	for r, label := range y {
		class, confidence := c.Objective.Class(outputs[r*c.Outputs:(r+1)*c.Outputs]), float32(math.NaN())
		if class >= 0 {
			confidence = p[r*classes+class]
		}
		b := &e.bins[binOf(confidence)]
		b.rows++
		b.confidence += float64(confidence)
		if float32(class) == label {
			b.right++
		}
	}
}

// addBins adds the bins of another unit.
func addBins(a, b []bin) []bin {
	if a == nil {
		a = make([]bin, len(b))
	}
	for i := range b {
		a[i].rows += b[i].rows
		a[i].right += b[i].right
		a[i].confidence += b[i].confidence
	}
	return a
}

// calibrationError returns the expected calibration error of rows: the mean over the bins,
// weighted by their rows, of the difference between the fraction of right rows and the mean
// probability (Guo et al., On Calibration of Modern Neural Networks, 2017).
func calibrationError(bins []bin, rows int64) float64 {
	sum := 0.0
	for _, b := range bins {
		sum += math.Abs(float64(b.right) - b.confidence)
	}
	return sum / float64(rows)
}

// checkBins fails with job.ErrCorrupt if the bins contradict each other or the number of
// rows.
func (e *extra) checkBins(rows int64) error {
	if e.bins == nil {
		return nil
	}
	for _, b := range e.bins {
		if b.rows < 0 || b.rows > rows || b.right < 0 || b.right > b.rows {
			return fmt.Errorf("metric sums: bin of %d rows, %d of them right, %d rows are left: %w", b.rows, b.right, rows, job.ErrCorrupt)
		}
		rows -= b.rows
	}
	if rows != 0 {
		return fmt.Errorf("metric sums: %d rows in no bin: %w", rows, job.ErrCorrupt)
	}
	return nil
}
