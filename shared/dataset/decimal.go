package dataset

// powers has the powers of ten that a float64 holds exactly.
var powers = [...]float64{
	1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
	1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
}

// decimalBytes bounds the texts that decimal reads: digits below 2⁵³, a sign and a point.
const decimalBytes = 17

// decimal reads a short text of digits with an optional minus and an optional point between
// digits, which most cells of numbers are. For any other text, ok is false. Digits and power
// of ten are exact, so their quotient is the nearest float64, as strconv.ParseFloat returns it
// (Clinger, "How to read floating point numbers accurately", 1990).
func decimal(s string) (x float64, ok bool) {
	if len(s) == 0 || len(s) > decimalBytes {
		return 0, false
	}
	i, negative := 0, s[0] == '-'
	if negative {
		i = 1
	}
	point, digits, first := -1, uint64(0), i
	for ; i < len(s); i++ {
		c := s[i]
		switch {
		case c >= '0' && c <= '9':
			digits = 10*digits + uint64(c-'0')
		case c == '.' && point < 0 && i > first:
			point = i
		default:
			return 0, false
		}
	}
	switch {
	case i == first || point == i-1 || digits > 1<<53:
		return 0, false
	case point < 0:
		x = float64(digits)
	default:
		x = float64(digits) / powers[len(s)-1-point]
	}
	if negative {
		x = -x
	}
	return x, true
}
