package main

import (
	"context"
	"fmt"

	"tributary/deployments/bench/chart"
	"tributary/deployments/bench/fleet"
)

// loopback is the bandwidth given to the plan command, because there are no real links.
const loopback = "100Gbps"

// plan compares the prediction of the plan command with a measurement right after it, for
// up to as many workers as this machine has CPUs.
func (c *curves) plan(ctx context.Context, lab *fleet.Lab) ([]chart.Panel, error) {
	cases := []fleet.Object{
		fleet.Tiny(c.steps(10_000), 2),
		fleet.MNIST("b", fleet.Adam(1e-3), 5, 2, 256, 128),
		fleet.MNIST("c", fleet.SGD(0.1), 1, 2, 2048, 2048),
	}
	if c.Short {
		cases = cases[:1]
	}
	panel := chart.Bars{Title: "Predicted by coordinator plan, and measured", Unit: "samples per second"}
	for i, spec := range cases {
		measured, err := c.points(ctx, fmt.Sprintf("plan of %v, workers", spec["name"]), []int{1, 2}, func(x int) ([]float64, error) {
			f, err := lab.Start(ctx, fleet.Servers{}, x, 1)
			if err != nil {
				return nil, err
			}
			defer f.Close()
			predicted, err := f.Plan(ctx, spec, x, "--bandwidth", loopback)
			if err != nil {
				return nil, err
			}
			o, err := f.Train(ctx, spec, "--share", "always")
			if err != nil {
				return nil, err
			}
			return []float64{predicted, o.Samples}, nil
		})
		if err != nil {
			return nil, err
		}
		for at := range measured[0] {
			for kind, name := range []string{"predicted", "measured"} {
				y := measured[kind][at].Y
				panel.Bars = append(panel.Bars, chart.Bar{
					Name: fmt.Sprintf("%v, %.0f workers, %s", cases[i]["name"], measured[kind][at].X, name), Low: y, Middle: y, High: y, Kind: kind,
				})
			}
		}
	}
	return []chart.Panel{panel}, nil
}
