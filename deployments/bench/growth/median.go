package main

import (
	"context"
	"fmt"
	"os"
	"slices"

	"tributary/deployments/bench/chart"
	"tributary/deployments/bench/fleet"
)

// quietBelow is how much of the machine, in percent, other programs may use when a run
// starts.
const quietBelow = 10

// points measures f at every x, in turn, c.Repeats times. It returns the median of each
// of its values as a line: lines[k][i] is f(xs[i])[k].
func (c *curves) points(ctx context.Context, what string, xs []int, f func(x int) ([]float64, error)) ([][]chart.Point, error) {
	seen := make([][][]float64, len(xs)) // by x, then repeat
	for range c.Repeats {
		for i, x := range xs {
			if err := fleet.Quiet(ctx, quietBelow, c.Patience); err != nil {
				return nil, err
			}
			values, err := f(x)
			if err != nil {
				return nil, fmt.Errorf("%s %d: %w", what, x, err)
			}
			fmt.Fprintf(os.Stderr, "%s %d: %.4g\n", what, x, values)
			seen[i] = append(seen[i], values)
		}
	}
	lines := make([][]chart.Point, len(seen[0][0]))
	for k := range lines {
		for i, x := range xs {
			var v []float64
			for _, values := range seen[i] {
				v = append(v, values[k])
			}
			slices.Sort(v)
			lines[k] = append(lines[k], chart.Point{X: float64(x), Y: (v[(len(v)-1)/2] + v[len(v)/2]) / 2})
		}
	}
	return lines, nil
}

// choose returns the short list if few points are wanted.
func (c *curves) choose(short, long []int) []int {
	if c.Short {
		return short
	}
	return long
}

// steps returns how many steps a run has.
func (c *curves) steps(long int) int {
	if c.Short {
		return min(50, long)
	}
	return long
}
