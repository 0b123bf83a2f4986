package trial

import (
	"fmt"
	"math"

	"tributary/shared/job"
)

// foldField is the field that the jobs of a cross-validation differ in.
const foldField = "data.split.fold"

// maxFolds bounds the folds of a spec, as its schema does.
const maxFolds = 100

// Folds returns the sweep over the folds of a spec. The jobs' ids begin with id.
func Folds(name, id string, base map[string]any) (*Sweep, error) {
	s := &Sweep{Name: name, Search: EachFold, Spec: base}
	s.fill()
	k, err := foldsOf(base)
	if err != nil {
		return nil, err
	}
	s.eachFold(k, id)
	return s, nil
}

// eachFold makes a trial of each of k folds.
func (s *Sweep) eachFold(k int, id string) {
	list := make([]any, k)
	for i := range list {
		list[i] = float64(i + 1)
	}
	s.Parameters = map[string]Values{foldField: {List: list}}
	s.ids = func(trial, _ int) job.ID {
		tail := fmt.Sprintf("-fold-%d", trial+1)
		return job.ID(id[:min(len(id), 64-len(tail))] + tail)
	}
}

// foldsOf returns the number of folds of a spec.
func foldsOf(base map[string]any) (int, error) {
	data, _ := base["data"].(map[string]any)
	split, _ := data["split"].(map[string]any)
	k, ok := split["k_folds"].(float64)
	if !ok || k != math.Trunc(k) || k < 2 || k > maxFolds {
		return 0, fmt.Errorf("search: %s: data.split.k_folds of the spec is %.40v: want an integer from 2 to %d: %w", EachFold, split["k_folds"], maxFolds, job.ErrInvalid)
	}
	if split["fold"] != nil {
		return 0, fmt.Errorf("search: %s: the spec has data.split.fold: want none, as the trials have it: %w", EachFold, job.ErrInvalid)
	}
	return int(k), nil
}

// Spread says how a metric varies over the folds.
type Spread struct {
	Mean   float64   `json:"mean"`
	Std    float64   `json:"std"`    // of the population: numpy's default
	Values []float64 `json:"values"` // of the folds in which the metric is defined, in their order
}

// Spreads returns the spread of each metric of each split over the trials.
func Spreads(all []*Trial) map[job.Split]map[string]Spread {
	spreads := map[job.Split]map[string]Spread{}
	for _, t := range all {
		for split, metrics := range t.Metrics {
			if spreads[split] == nil {
				spreads[split] = map[string]Spread{}
			}
			for name, v := range metrics {
				s := spreads[split][name]
				s.Values = append(s.Values, v)
				spreads[split][name] = s
			}
		}
	}
	for _, metrics := range spreads {
		for name, s := range metrics {
			metrics[name] = spreadOf(s.Values)
		}
	}
	return spreads
}

func spreadOf(values []float64) Spread {
	s := Spread{Values: values}
	for _, v := range values {
		s.Mean += v
	}
	s.Mean /= float64(len(values))
	for _, v := range values {
		s.Std += float64((v - s.Mean) * (v - s.Mean))
	}
	s.Std = math.Sqrt(s.Std / float64(len(values)))
	return s
}
