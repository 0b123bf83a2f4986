package numeric

import "math"

// SoftmaxCrossEntropy returns Σ over the rows of −log softmax(z)[y]: z [B, C]
// logits, y [B] classes. Unless d is nil, d [B, C] becomes softmax(z) − onehot(y).
// A class outside 0 … C−1 makes the sum NaN, and so does a NaN among the logits.
func SoftmaxCrossEntropy(d, z, y []float32, classes int) float64 {
	total := 0.0
	for r, class := range y {
		row := z[r*classes : (r+1)*classes]
		top := maximum(row)
		var dr []float32
		if d != nil {
			dr = d[r*classes : (r+1)*classes]
		}
		sum := exponentials(dr, row, top)
		c := int(class)
		if !(class >= 0 && class < float32(classes)) || float32(c) != class {
			total = math.NaN()
			c = 0
		}
		total += log(sum) - (float64(row[c]) - float64(top))
		for j, e := range dr {
			dr[j] = float32(float64(e) / sum)
		}
		if dr != nil {
			dr[c]--
		}
	}
	return total
}

// Softmax writes softmax of each row of z [B, C] to dst [B, C]. dst may be z.
func Softmax(dst, z []float32, classes int) {
	for ; len(z) > 0; dst, z = dst[classes:], z[classes:] {
		row := dst[:classes]
		sum := exponentials(row, z[:classes], maximum(z[:classes]))
		for j, e := range row {
			row[j] = float32(float64(e) / sum)
		}
	}
}

// exponentials returns Σ exp(z − top) in float64 and, unless dst is nil,
// writes the terms to dst.
func exponentials(dst, z []float32, top float32) float64 {
	sum := 0.0
	for j, v := range z {
		e := exp(float64(v) - float64(top))
		if dst != nil {
			dst[j] = float32(e)
		}
		sum += e
	}
	return sum
}

// maximum returns the greatest element; NaN only when v[0] is one.
func maximum(v []float32) float32 {
	top := v[0]
	for _, x := range v {
		if x > top {
			top = x
		}
	}
	return top
}
