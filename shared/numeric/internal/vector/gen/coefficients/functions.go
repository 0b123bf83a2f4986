package main

import "math/big"

// precision is enough bits for mills, which loses 577 bits to cancellation at a = 20.
const precision = 900

func number(x float64) *big.Float { return new(big.Float).SetPrec(precision).SetFloat64(x) }

func add(a, b *big.Float) *big.Float { return number(0).Add(a, b) }
func sub(a, b *big.Float) *big.Float { return number(0).Sub(a, b) }
func mul(a, b *big.Float) *big.Float { return number(0).Mul(a, b) }
func div(a, b *big.Float) *big.Float { return number(0).Quo(a, b) }
func sqrt(a *big.Float) *big.Float   { return number(0).Sqrt(a) }

// series returns the sum of terms, starting with first. next computes term n ≥ 1 from the
// term before it. series stops when a term no longer changes the sum.
func series(first *big.Float, next func(term *big.Float, n float64) *big.Float) *big.Float {
	sum, term := first, first
	for n := 1.0; ; n++ {
		term = next(term, n)
		s := add(sum, term)
		if s.Cmp(sum) == 0 {
			return sum
		}
		sum = s
	}
}

// exp returns eˣ for |x| < 200, computed as (e^{x/2³²})^(2³²). The inner power uses
// Taylor's series.
func exp(x *big.Float) *big.Float {
	const halvings = 32
	small := div(x, number(1<<halvings))
	y := series(number(1), func(t *big.Float, n float64) *big.Float { return div(mul(t, small), number(n)) })
	for range halvings {
		y = mul(y, y)
	}
	return y
}

// artanhc returns artanh(√z)/√z = Σ zⁿ/(2n+1) for 0 ≤ z ≤ 1/9.
func artanhc(z *big.Float) *big.Float {
	return series(number(1), func(t *big.Float, n float64) *big.Float {
		return div(mul(mul(t, z), number(2*n-1)), number(2*n+1))
	})
}

// ln2 returns ln 2 = 2 artanh(1/3).
func ln2() *big.Float {
	third := div(number(1), number(3))
	return mul(mul(number(2), third), artanhc(mul(third, third)))
}

// pi returns π by Machin's formula, 16 arctan(1/5) − 4 arctan(1/239).
func pi() *big.Float {
	arctan := func(inverse float64) *big.Float {
		x := div(number(1), number(inverse))
		z := mul(x, x)
		return series(x, func(t *big.Float, n float64) *big.Float {
			return div(mul(mul(t, z), number(1-2*n)), number(2*n+1))
		})
	}
	return sub(mul(number(16), arctan(5)), mul(number(4), arctan(239)))
}

// mills returns e^{a²/2}·(1 − Φ(a)) for a ≥ 0. It uses Φ(a) = ½ + φ(a)·Σ a²ⁿ⁺¹/(2n+1)!!.
func mills(a *big.Float) *big.Float {
	z := mul(a, a)
	sum := series(a, func(t *big.Float, n float64) *big.Float { return div(mul(t, z), number(2*n+1)) })
	half := number(0.5)
	return sub(mul(half, exp(mul(half, z))), div(sum, sqrt(mul(number(2), pi()))))
}

// sinc returns sin(x)/x for x² = z.
func sinc(z *big.Float) *big.Float {
	return series(number(1), func(t *big.Float, n float64) *big.Float {
		return div(mul(t, z), number(-2*n*(2*n+1)))
	})
}

// cosine returns cos(x) for x² = z.
func cosine(z *big.Float) *big.Float {
	return series(number(1), func(t *big.Float, n float64) *big.Float {
		return div(mul(t, z), number(-2*n*(2*n-1)))
	})
}
