package monitor

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"tributary/shared/job"
)

// Evaluation holds the metrics of a split, including the loss. The ledger stores it as
// JSON.
type Evaluation struct {
	Step      int64              `json:"step"` // steps committed
	Split     job.Split          `json:"split"`
	Metrics   map[string]float64 `json:"metrics"`
	Undefined map[string]string  `json:"undefined,omitempty"` // the reason why a metric could not be computed, by name
	Confusion *job.Confusion     `json:"confusion,omitempty"` // after the last step, if the spec asks for it
	// Threshold is the chosen decision threshold with the figures of this split, after the last
	// step, if the spec asks for it.
	Threshold *job.Threshold `json:"threshold,omitempty"`
}

// Decode reads evaluations from the units of a ledger, and sorts them by step and split. It
// fails with job.ErrCorrupt.
func Decode(units map[string][]byte) ([]Evaluation, error) {
	list := make([]Evaluation, 0, len(units))
	for _, name := range slices.Sorted(maps.Keys(units)) {
		var e Evaluation
		if err := json.Unmarshal(units[name], &e); err != nil {
			return nil, fmt.Errorf("evaluation %.80s: %w: %w", name, err, job.ErrCorrupt)
		}
		list = append(list, e)
	}
	slices.SortFunc(list, func(a, b Evaluation) int {
		return cmp.Or(cmp.Compare(a.Step, b.Step), cmp.Compare(slices.Index(job.Splits, a.Split), slices.Index(job.Splits, b.Split)))
	})
	return list, nil
}

// AddAll records the evaluations of the validation split after at most so many steps. The
// list is sorted.
func (m *Monitor) AddAll(list []Evaluation, steps int64) {
	for _, e := range list {
		if e.Split == job.Validation && e.Step <= steps {
			m.Add(e.Step, e.Metrics)
		}
	}
}
