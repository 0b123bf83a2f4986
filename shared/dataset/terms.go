package dataset

import "tributary/shared/job"

// A term is what the loss is a mean over. A row of a float32 target is one term, whatever
// its shape. Each element of an integer target is one term: a class, a token, a pixel. A
// masked element is not a term.

// MaxTerms returns the largest number of terms of a sample. An input has 0.
func (f *Field) MaxTerms() int {
	switch {
	case !f.Target:
		return 0
	case f.DType == Float32:
		return 1
	default:
		return f.Elements()
	}
}

// Terms counts the terms of the rows lo … hi−1. If windows share an element, each window
// counts it.
func (t *Tensor) Terms(lo, hi int) int64 {
	n := int64(hi-lo) * int64(t.MaxTerms())
	if !t.Masked {
		return n
	}
	for row := lo; row < hi; row++ {
		for _, v := range t.Int32(row, row+1) {
			if v == job.Ignored {
				n--
			}
		}
	}
	return n
}
