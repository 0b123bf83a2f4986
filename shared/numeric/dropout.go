package numeric

// Dropout writes the factors of dropout to keep: 0 with the probability rate, else
// 1/(1 − rate), rounded to float32. keep has `stride` numbers from one element of a sample
// to the next, so that it may be a column of a matrix. Element i of the sample is dropped
// if the i-th 32 bits of r, the low half of each Uint64 first, are below rate·2³², rounded
// down.
func Dropout(keep []float32, stride int, rate float64, r *Rand) {
	limit, scale := uint64(float64(rate*(1<<32))), float32(1/(1-rate))
	for i := 0; i < len(keep); i += 2 * stride {
		bits := r.Uint64()
		keep[i] = scale
		if bits&(1<<32-1) < limit {
			keep[i] = 0
		}
		if i+stride < len(keep) {
			keep[i+stride] = scale
			if bits>>32 < limit {
				keep[i+stride] = 0
			}
		}
	}
}
