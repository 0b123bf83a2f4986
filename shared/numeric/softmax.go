package numeric

import (
	"math"

	"tributary/shared/numeric/internal/vector"
)

// These functions first subtract the greatest logit, top, from every row of logits z, so
// that nothing overflows: softmax(z)ⱼ = e^{zⱼ−top}/Σ e^{z−top}. The exponentials are
// float64, their sum is a reduction in 16 lanes, and each quotient is rounded once. A
// difference below −128 counts as −128. A NaN in a row makes its top and its sum NaN.

// SoftmaxCrossEntropy returns the sum of −log softmax(z)[y] over the rows, added one after
// the other. z [B, C] is logits, y [B] is classes. Unless d is nil, it writes softmax(z) −
// onehot(y) to d [B, C], each element rounded once. d may be z. A class outside 0 … C−1
// makes the sum NaN, and so does a NaN among the logits.
func SoftmaxCrossEntropy(d, z, y []float32, classes int) float64 {
	w := vector.Borrow()
	defer w.Return()
	total := 0.0
	for r, class := range y {
		var dr []float32
		if d != nil {
			dr = d[r*classes : (r+1)*classes]
		}
		total += softmaxRow(w, dr, z[r*classes:], class, classes)
	}
	return vector.Canonical64(total)
}

// SoftmaxCrossEntropyRows is [SoftmaxCrossEntropy], but it writes the terms of the rows to
// terms [B] and does not add them.
func SoftmaxCrossEntropyRows(terms []float64, d, z, y []float32, classes int) {
	w := vector.Borrow()
	defer w.Return()
	for r, class := range y {
		terms[r] = softmaxRow(w, d[r*classes:(r+1)*classes], z[r*classes:], class, classes)
	}
}

// softmaxRow returns −log softmax(z)[class] of the row at the beginning of z. Unless d is
// nil, it writes the gradient to d.
func softmaxRow(w *vector.Workspace, d, z []float32, class float32, classes int) float64 {
	top := kernels.Max(z[:classes])
	sum := functions.ExpSum(w, z, classes, top)
	c, known := int(class), true
	if !(class >= 0 && class < float32(classes)) || float32(c) != class {
		c, known = 0, false
	}
	own := z[c]
	if d != nil {
		functions.Softmax(w, d, z, top, sum)
		d[c] = vector.SoftmaxGradient(own, top, sum)
	}
	if !known {
		return math.NaN()
	}
	return log(sum) - (float64(own) - float64(top))
}

// SmoothedCrossEntropyRows is [SoftmaxCrossEntropyRows] with the targets
// (1−smoothing)·onehot(y) + smoothing/C. A term is
//
//	ln S − ((1−smoothing)·(z[y]−top) + (smoothing/C)·Σ (z−top))
//
// and the gradient is softmax(z) minus the targets. softmax(z) is rounded before its target
// is subtracted, except for the row's class.
func SmoothedCrossEntropyRows(terms []float64, d, z, y []float32, classes int, smoothing float64) {
	w := vector.Borrow()
	defer w.Return()
	for r, class := range y {
		terms[r] = smoothedRow(w, d[r*classes:(r+1)*classes], z[r*classes:(r+1)*classes:(r+1)*classes], class, smoothing)
	}
}

// smoothedRow returns the term of the row z. Unless d is nil, it writes the gradient to d.
func smoothedRow(w *vector.Workspace, d, z []float32, class float32, smoothing float64) float64 {
	top := kernels.Max(z)
	sum := functions.ExpSum(w, z, len(z), top)
	c, known := int(class), true
	if !(class >= 0 && class < float32(len(z))) || float32(c) != class {
		c, known = 0, false
	}
	own, rest, each := float64(z[c])-float64(top), 1-smoothing, smoothing/float64(len(z))
	all := vector.BelowSum(z, top)
	if d != nil {
		at := vector.SmoothedGradient(z[c], top, sum, rest+each)
		functions.Softmax(w, d, z, top, sum)
		vector.Lower(d, each)
		d[c] = at
	}
	if !known {
		return math.NaN()
	}
	return log(sum) - (float64(rest*own) + float64(each*all))
}

// Softmax writes softmax of each row of z [B, C] to dst [B, C]. dst may be z.
func Softmax(dst, z []float32, classes int) {
	w := vector.Borrow()
	defer w.Return()
	for ; len(z) > 0; dst, z = dst[classes:], z[classes:] {
		top := kernels.Max(z[:classes])
		functions.Softmax(w, dst[:classes], z, top, functions.ExpSum(w, z, classes, top))
	}
}

// LogSumExp returns log Σ eᶻ, computed as top + log Σ e^{z−top}. z must not be empty.
func LogSumExp(z []float32) float64 {
	w := vector.Borrow()
	defer w.Return()
	top := kernels.Max(z)
	return vector.Canonical64(float64(top) + log(functions.ExpSum(w, z, len(z), top)))
}
