package main

import "math/big"

// millsCenter is the a at which t = 0. t = (a − center)/(a + center) is the variable of the
// tail of the normal distribution.
const millsCenter = 4.625

// millsEnd is the largest a. There a·(1 − Φ(a)) is far below float32's smallest number.
const millsEnd = 20

// polynomial is a function f on [lo, hi] that a polynomial of the given degree
// approximates.
type polynomial struct {
	name, meaning string
	f             func(x *big.Float) *big.Float
	lo, hi        *big.Float
	degree        int
}

func polynomials() []polynomial {
	zero, one, two := number(0), number(1), number(2)
	half := div(ln2(), two)
	quarterTurn := div(pi(), two)
	squared := mul(quarterTurn, quarterTurn)
	root2 := sqrt(two)
	edge := div(sub(root2, one), add(root2, one)) // (m−1)/(m+1) at m = √2
	return []polynomial{
		{
			"expm1Polynomial", "(eʳ − 1)/r on |r| ≤ ½ ln 2, in r",
			func(r *big.Float) *big.Float { return div(sub(exp(r), one), r) },
			sub(zero, half), half, 7,
		},
		{
			"logPolynomial", "2 artanh(s)/s on |s| ≤ (√2−1)/(√2+1), in s²",
			func(z *big.Float) *big.Float { return mul(two, artanhc(z)) },
			zero, mul(edge, edge), 4,
		},
		{
			"log1pPolynomial", "2 artanh(s)/s on |s| ≤ 1/3, in s²",
			func(z *big.Float) *big.Float { return mul(two, artanhc(z)) },
			zero, div(one, number(9)), 6,
		},
		{
			"millsPolynomial", "e^{a²/2}·(1 − Φ(a)) on 0 ≤ a ≤ 20, in t = (a − 4.625)/(a + 4.625)",
			func(t *big.Float) *big.Float {
				return mills(mul(number(millsCenter), div(add(one, t), sub(one, t))))
			},
			number(-1), div(number(millsEnd-millsCenter), number(millsEnd+millsCenter)), 13,
		},
		{
			"sinePolynomial", "sin(½πf)/f on |f| ≤ ½, in f²",
			func(z *big.Float) *big.Float { return mul(quarterTurn, sinc(mul(squared, z))) },
			zero, number(0.25), 4,
		},
		{
			"cosinePolynomial", "cos(½πf) on |f| ≤ ½, in f²",
			func(z *big.Float) *big.Float { return cosine(mul(squared, z)) },
			zero, number(0.25), 5,
		},
	}
}
