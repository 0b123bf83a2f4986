package main

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// spread holds the median, the least and the greatest of some numbers.
type spread struct{ low, middle, high float64 }

func spreadOf(runs []run, of func(run) float64) spread {
	var v []float64
	for _, r := range runs {
		v = append(v, of(r))
	}
	slices.Sort(v)
	return spread{v[0], (v[(len(v)-1)/2] + v[len(v)/2]) / 2, v[len(v)-1]}
}

func (r *result) samples() spread { return spreadOf(r.runs, func(r run) float64 { return r.Samples }) }
func (r *result) ms() spread      { return spreadOf(r.runs, func(r run) float64 { return r.MS }) }
func (r *result) p50() float64    { return spreadOf(r.runs, func(r run) float64 { return r.P50 }).middle }

func (r *result) p99() float64 { return spreadOf(r.runs, func(r run) float64 { return r.P99 }).middle }

// fastest returns the peer of a case with the most samples per second, or nil if none was
// run. The case tiny is compared by its median step.
func fastest(results []result, of string) *result {
	var best *result
	for i := range results {
		if r := &results[i]; r.of == of && r.torch != nil && (best == nil || r.cost() < best.cost()) {
			best = r
		}
	}
	return best
}

// cost returns the number by which the configurations of a case are compared; less is
// better.
func (r *result) cost() float64 {
	if r.of == "tiny" {
		return r.p50()
	}
	return 1 / r.samples().middle
}

// table returns all results in Markdown. The ratio says how many times as fast as the
// fastest peer of the case a configuration is.
func table(results []result) string {
	var b strings.Builder
	b.WriteString("| case | configuration | samples/s, median (least–most) | ms/step | p50 | p99 | × fastest peer | train loss | peak MiB | others' CPU % |\n")
	b.WriteString("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n")
	for i := range results {
		r := &results[i]
		s, ratio, loss := r.samples(), "–", "–"
		if best := fastest(results, r.of); best != nil {
			ratio = fmt.Sprintf("%.2f", best.cost()/r.cost())
		}
		if l := r.runs[0].TrainLoss; l != nil {
			loss = fmt.Sprintf("%.4f", *l)
		}
		other := spreadOf(r.runs, func(r run) float64 { return r.OtherPercent })
		peak := spreadOf(r.runs, func(r run) float64 { return r.PeakMiB })
		fmt.Fprintf(&b, "| %s | %s | %s (%s–%s) | %.3f | %s | %s | %s | %s | %.0f | %.1f–%.1f |\n", r.of, r.label(),
			grouped(s.middle), grouped(s.low), grouped(s.high), r.ms().middle, known(r.p50()), known(r.p99()), ratio, loss, peak.middle, other.low, other.high)
	}
	return b.String()
}

func known(ms float64) string {
	if ms == 0 {
		return "–"
	}
	return fmt.Sprintf("%.3f", ms)
}

// grouped formats 12345.6 as "12,346".
func grouped(x float64) string {
	s := fmt.Sprintf("%.0f", x)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// lossTolerance is how far apart the losses of two programs may be, relative to the
// larger one and absolute. The programs begin with different random numbers.
const (
	lossTolerance = 0.35
	lossFloor     = 0.02
)

// agree fails if Tributary's runs of one spec have different parameters, or if the losses
// of a case differ by more than the tolerance.
func agree(results []result) error {
	var faults []error
	parameters := map[string]run{}
	losses := map[string]run{}
	for _, res := range results {
		for _, r := range res.runs {
			if res.ours != nil {
				key := fmt.Sprintf("%s M%d", r.Case, res.ours.microbatches)
				first, seen := parameters[key]
				if !seen {
					parameters[key] = r
				} else if first.Parameters != r.Parameters {
					faults = append(faults, fmt.Errorf("%s: %s has parameters %.12s, %s has %.12s", key, first.Configuration, first.Parameters, r.Configuration, r.Parameters))
				}
			}
			if r.TrainLoss == nil {
				continue
			}
			first, seen := losses[r.Case]
			if !seen {
				losses[r.Case] = r
				continue
			}
			one, other := *first.TrainLoss, *r.TrainLoss
			if !(math.Abs(one-other) <= lossTolerance*math.Max(one, other)+lossFloor) {
				faults = append(faults, fmt.Errorf("%s: train loss of %s is %g, of %s %g", r.Case, first.Configuration, one, r.Configuration, other))
			}
		}
	}
	return errors.Join(faults...)
}
