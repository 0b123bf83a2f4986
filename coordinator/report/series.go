package report

import (
	"math"

	"gonum.org/v1/plot/plotter"

	"tributary/shared/job"
)

const (
	// maxPoints bounds the points of a drawn line. More points than the plot's width in
	// pixels add bytes but nothing visible.
	maxPoints = 1200
	// smoothFrom is the number of steps above which the mean is drawn over the single
	// steps.
	smoothFrom = 120
	// smoothParts sets the running mean's window: all steps divided by smoothParts.
	smoothParts = 40
)

// drawnUpTo bounds the drawn values, so that the arithmetic of an axis stays finite.
const drawnUpTo = 1e100

// finite reports whether x can be drawn.
func finite(x float64) bool { return math.Abs(x) <= drawnUpTo }

// losses returns the training loss by step, without values that are not finite.
func (c Curves) losses() plotter.XYs {
	out := make(plotter.XYs, 0, len(c.Losses))
	for _, p := range c.Losses {
		if finite(p.Loss) {
			out = append(out, plotter.XY{X: float64(p.Step), Y: p.Loss})
		}
	}
	return out
}

// evaluations returns a metric of a split by step.
func (c Curves) evaluations(split job.Split, metric string) plotter.XYs {
	var out plotter.XYs
	for _, e := range c.Evaluations {
		if y, ok := e.Metrics[metric]; ok && e.Split == split && finite(y) {
			out = append(out, plotter.XY{X: float64(e.Step), Y: y})
		}
	}
	return out
}

// at returns the point of a line at a step, if it has one.
func at(line plotter.XYs, step int64) plotter.XYs {
	for i, p := range line {
		if p.X == float64(step) {
			return line[i : i+1]
		}
	}
	return nil
}

// drawable reports whether there is a loss to draw.
func (c Curves) drawable() bool { return len(c.losses()) > 0 }

// smooth returns the running mean of xys over about a fortieth of them, centred. Near the
// beginning, where losses fall fast, the window shrinks to a quarter on both sides, so
// that it stays centred longer. Near the end, where losses are mostly noise, it shrinks
// only on the later side.
//
// A mean of positive values is positive, for any number of decades.
func smooth(xys plotter.XYs) plotter.XYs {
	half := max(4, len(xys)/(2*smoothParts))
	out := make(plotter.XYs, len(xys))
	var w window
	for i, p := range xys {
		h := max(min(half, i), half/4)
		lo, hi := max(0, i-h), min(len(xys), i+h+1)
		out[i] = plotter.XY{X: p.X, Y: w.sum(xys, lo, hi) / float64(hi-lo)}
	}
	return out
}

// window sums the values of a range whose two ends only grow. It adds and never
// subtracts: a difference of prefix sums loses small values behind large ones, and can be
// negative although all values are positive.
type window struct {
	mid  int       // the range is split here into two
	tail []float64 // tail[mid-i] is the sum of values i … mid-1
	head float64   // the sum of values mid … end-1
	end  int
}

// sum returns the sum of values lo … hi-1, in O(1) on average over a sweep.
func (w *window) sum(xys plotter.XYs, lo, hi int) float64 {
	for ; w.end < hi; w.end++ {
		w.head += xys[w.end].Y
	}
	if lo >= w.mid {
		w.mid, w.head, w.tail = hi, 0, append(w.tail[:0], 0)
		for i := hi - 1; i >= lo; i-- {
			w.tail = append(w.tail, w.tail[len(w.tail)-1]+xys[i].Y)
		}
	}
	return w.tail[w.mid-lo] + w.head
}

// thin returns at most limit points of xys. It splits xys into limit/2 runs and keeps the
// lowest and the highest point of each, in order, so that no spike is lost.
func thin(xys plotter.XYs, limit int) plotter.XYs {
	if len(xys) <= limit {
		return xys
	}
	runs := limit / 2
	out := make(plotter.XYs, 0, limit)
	for r := range runs {
		lo, hi := r*len(xys)/runs, (r+1)*len(xys)/runs
		low, high := lo, lo
		for i := lo + 1; i < hi; i++ {
			if xys[i].Y < xys[low].Y {
				low = i
			}
			if xys[i].Y >= xys[high].Y {
				high = i
			}
		}
		out = append(out, xys[min(low, high)])
		if low != high {
			out = append(out, xys[max(low, high)])
		}
	}
	return out
}

// logarithmic reports whether the lines need a log scale: all values are positive and
// span more than a decade and a half.
func logarithmic(lines ...plotter.XYs) bool {
	low, high := math.Inf(1), 0.0
	for _, l := range lines {
		for _, p := range l {
			low, high = math.Min(low, p.Y), math.Max(high, p.Y)
		}
	}
	return low > 1/drawnUpTo && high/low > 30
}
