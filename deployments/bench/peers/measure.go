package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"tributary/deployments/bench/fleet"
)

// run is the result of one run of a configuration.
type run struct {
	Case          string   `json:"case"`
	Configuration string   `json:"configuration"`
	Repeat        int      `json:"repeat"`
	At            int64    `json:"at"` // Unix time
	Steps         int64    `json:"steps"`
	Samples       float64  `json:"samples_per_second"`
	MS            float64  `json:"ms"` // per step, mean
	P50           float64  `json:"ms_p50,omitempty"`
	P99           float64  `json:"ms_p99,omitempty"`
	TrainLoss     *float64 `json:"train_loss,omitempty"`
	Parameters    string   `json:"parameters_sha256,omitempty"`
	PeakMiB       float64  `json:"peak_mib"` // of the largest process that trains
	OtherPercent  float64  `json:"other_percent"`

	of configuration
}

// result holds all runs of a configuration.
type result struct {
	configuration
	runs []run
}

// A run starts when other programs use less than this, in percent, or after a maximum
// wait. A run is repeated at most so often.
const (
	quietBelow = 10
	attempts   = 3
)

// measure runs all configurations in turn, several times, so that all see the same
// changes of the machine's load.
func (c *command) measure(ctx context.Context, lab *fleet.Lab, chosen []configuration) ([]result, error) {
	if err := os.MkdirAll(filepath.Dir(c.Out), 0o750); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(c.Out, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	results := make([]result, len(chosen))
	for repeat := range c.Repeats {
		for i, k := range chosen {
			r, err := c.best(ctx, lab, k)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", k.name(), err)
			}
			r.Repeat = repeat
			results[i].configuration, results[i].runs = k, append(results[i].runs, *r)
			if err := json.NewEncoder(file).Encode(r); err != nil {
				return nil, err
			}
			fmt.Fprintf(os.Stderr, "%-26s %12.0f samples/s %9.3f ms, others %.1f %%\n", k.name(), r.Samples, r.MS, r.OtherPercent)
		}
	}
	return results, file.Sync()
}

// best repeats a configuration until other programs have left the machine alone. It
// returns the run that they disturbed least.
func (c *command) best(ctx context.Context, lab *fleet.Lab, k configuration) (*run, error) {
	var best *run
	for range attempts {
		if err := fleet.Quiet(ctx, quietBelow, c.Patience); err != nil {
			return nil, err
		}
		watch := fleet.NewWatch()
		once := k.train
		if k.torch != nil {
			once = k.script
		}
		r, err := once(ctx, lab)
		if err != nil {
			return nil, err
		}
		r.Case, r.Configuration, r.At, r.of = k.of, k.label(), time.Now().Unix(), k
		r.OtherPercent = watch.Other()
		if best == nil || r.OtherPercent < best.OtherPercent {
			best = r
		}
		if best.OtherPercent <= c.MaxOther {
			break
		}
	}
	return best, nil
}

// train trains with Tributary, on servers of its own.
func (k configuration) train(ctx context.Context, lab *fleet.Lab) (*run, error) {
	f, err := lab.Start(ctx, fleet.Servers{}, k.ours.workers, k.ours.slots)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	o, err := f.Train(ctx, k.ours.spec, "--share", cmp.Or(k.ours.share, "auto"))
	if err != nil {
		return nil, err
	}
	r := &run{Steps: o.Steps, Samples: o.Samples, MS: o.MS(), Parameters: o.Parameters}
	if k.of != "tiny" {
		r.TrainLoss = &o.TrainLoss
	}
	if o.StepMS != nil {
		// The peers load their data into memory before they begin to measure.
		r.P50, r.P99 = o.StepMS.P50, o.StepMS.P99
		r.Samples *= r.MS / o.StepMS.Mean
		r.MS = o.StepMS.Mean
	}
	for _, w := range f.Workers {
		r.PeakMiB = max(r.PeakMiB, float64(w.PeakRSS())/(1<<20))
	}
	return r, nil
}
