package numeric

// Average moves the exponential moving average a [P] towards p [P]: a ← a + rest·(p − a),
// where rest is 1 minus the momentum of the average. It is torch.lerp.
func Average(a, p []float32, rest float32) {
	p = p[:len(a)]
	for i, x := range a {
		a[i] = x + float32(rest*(p[i]-x))
	}
}
