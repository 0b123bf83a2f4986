package main

import (
	"errors"
	"math"
	"math/big"
)

// minimax returns the polynomial p of the given degree whose maximum |p(x)/f(x) − 1| on
// [lo, hi] is the smallest. The coefficients are rounded to float64. It also returns the
// binary logarithm of the maximum after rounding. It uses Remez's exchange (Cheney,
// "Introduction to approximation theory", 1966, chapter 3) over a grid of Chebyshev points.
func minimax(f func(x *big.Float) *big.Float, lo, hi *big.Float, degree int) ([]float64, float64, error) {
	const rounds = 30
	g := newGrid(f, lo, hi, 40*(degree+2))
	at := make([]int, degree+2) // the alternating points
	for j := range at {
		at[j] = (2*j + 1) * len(g.x) / (2 * len(at))
	}
	for range rounds {
		c := g.solve(at)
		errs := g.errors(c)
		next := extrema(errs, len(at))
		if next == nil {
			return nil, 0, errors.New("fewer extrema than the exchange needs")
		}
		least, most := math.Inf(1), 0.0
		for _, i := range next {
			least, most = min(least, math.Abs(errs[i])), max(most, math.Abs(errs[i]))
		}
		at = next
		if most <= least*1.0001 {
			return g.rounded(c)
		}
	}
	return nil, 0, errors.New("the exchange did not settle")
}

// grid holds points of an interval and the values of the function there.
type grid struct{ x, f []*big.Float }

func newGrid(f func(x *big.Float) *big.Float, lo, hi *big.Float, n int) grid {
	var g grid
	middle, radius := div(add(hi, lo), number(2)), div(sub(hi, lo), number(2))
	for i := range n {
		x := add(middle, mul(radius, number(-math.Cos(math.Pi*(float64(i)+0.5)/float64(n)))))
		g.x, g.f = append(g.x, x), append(g.f, f(x))
	}
	return g
}

// solve returns c with Σ c[i] xⁱ/f(x) + (−1)ʲ·e = 1 at the points x = at[j], for
// some e.
func (g grid) solve(at []int) []*big.Float {
	n := len(at)
	rows := make([][]*big.Float, n)
	for j, i := range at {
		power := div(number(1), g.f[i])
		for range n - 1 {
			rows[j] = append(rows[j], power)
			power = mul(power, g.x[i])
		}
		rows[j] = append(rows[j], number(float64(1-2*(j%2))), number(1))
	}
	return eliminate(rows)[:n-1]
}

// eliminate solves the n equations rows [n, n+1] by Gauss–Jordan elimination with partial
// pivoting.
func eliminate(rows [][]*big.Float) []*big.Float {
	n := len(rows)
	for k := range n {
		for i := k + 1; i < n; i++ {
			if number(0).Abs(rows[i][k]).Cmp(number(0).Abs(rows[k][k])) > 0 {
				rows[i], rows[k] = rows[k], rows[i]
			}
		}
		for i := range n {
			if i == k {
				continue
			}
			factor := div(rows[i][k], rows[k][k])
			for j := k; j <= n; j++ {
				rows[i][j] = sub(rows[i][j], mul(factor, rows[k][j]))
			}
		}
	}
	x := make([]*big.Float, n)
	for k := range x {
		x[k] = div(rows[k][n], rows[k][k])
	}
	return x
}

// errors returns p(x)/f(x) − 1 at every point.
func (g grid) errors(c []*big.Float) []float64 {
	errs := make([]float64, len(g.x))
	for i, x := range g.x {
		p := number(0)
		for j := len(c) - 1; j >= 0; j-- {
			p = add(mul(p, x), c[j])
		}
		errs[i], _ = sub(div(p, g.f[i]), number(1)).Float64()
	}
	return errs
}

// rounded returns c as float64, and the binary logarithm of the largest error.
func (g grid) rounded(c []*big.Float) ([]float64, float64, error) {
	out, back := make([]float64, len(c)), make([]*big.Float, len(c))
	for i, v := range c {
		out[i], _ = v.Float64()
		back[i] = number(out[i])
	}
	most := 0.0
	for _, e := range g.errors(back) {
		most = max(most, math.Abs(e))
	}
	return out, math.Log2(most), nil
}

// extrema returns n points where errs is extreme, with alternating signs. It takes the
// largest error of every run of one sign. Of these it takes n neighbours, and drops the
// smaller ones at the ends.
func extrema(errs []float64, n int) []int {
	var at []int
	for i, e := range errs {
		last := len(at) - 1
		switch {
		case last < 0 || (e > 0) != (errs[at[last]] > 0):
			at = append(at, i)
		case math.Abs(e) > math.Abs(errs[at[last]]):
			at[last] = i
		}
	}
	for len(at) > n {
		if math.Abs(errs[at[0]]) < math.Abs(errs[at[len(at)-1]]) {
			at = at[1:]
		} else {
			at = at[:len(at)-1]
		}
	}
	if len(at) < n {
		return nil
	}
	return at
}
