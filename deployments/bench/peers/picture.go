package main

import (
	"fmt"

	"tributary/deployments/bench/chart"
)

// titles describe the cases.
var titles = map[string]string{
	"a":    "a: MNIST, 784-10, SGD, batch 512",
	"b":    "b: MNIST, 784-256-128-10, Adam, batch 512",
	"c":    "c: MNIST, 784-2048-2048-10, SGD, batch 512",
	"tiny": "tiny: 10 parameters, two processes",
}

// paint draws one panel per case: samples per second. For the case that is nearly all
// overhead it draws the median step.
func paint(file string, results []result) error {
	var panels []chart.Bars
	for i := range results {
		r := &results[i]
		if len(panels) == 0 || panels[len(panels)-1].Title != titles[r.of] {
			unit := "samples per second (more is better); processes × threads"
			if r.of == "tiny" {
				unit = "milliseconds per step, median (less is better)"
			}
			panels = append(panels, chart.Bars{Title: titles[r.of], Unit: unit})
		}
		s := r.samples()
		if r.of == "tiny" {
			s = spreadOf(r.runs, func(r run) float64 { return r.P50 })
		}
		kind := 1
		if r.ours != nil {
			kind = 0
		}
		p := &panels[len(panels)-1]
		p.Bars = append(p.Bars, chart.Bar{Name: r.label(), Low: s.low, Middle: s.middle, High: s.high, Kind: kind})
	}
	if err := chart.Write(file, panels...); err != nil {
		return fmt.Errorf("draw %s: %w", file, err)
	}
	return nil
}
