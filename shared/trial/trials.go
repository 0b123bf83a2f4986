package trial

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"tributary/shared/job"
	"tributary/shared/spec"
)

// Trial is one combination of values.
type Trial struct {
	Number int            `json:"trial"`      // from 1
	Values map[string]any `json:"parameters"` // by path
	Result
}

// Result is what a trial's newest job gave.
type Result struct {
	Epochs  int                              `json:"epochs,omitempty"` // with halving: of the newest job
	Value   *float64                         `json:"value"`            // the monitored figure of the validation split; null if there is none
	Error   string                           `json:"error,omitempty"`
	Metrics map[job.Split]map[string]float64 `json:"metrics,omitempty"`
	Steps   int64                            `json:"steps,omitempty"`
	Out     string                           `json:"out,omitempty"`
}

// Judge fills in the value of a result with metrics: the figure that the sweep compares.
func (s *Sweep) Judge(r *Result) {
	if v, ok := r.Metrics[job.Validation][s.Monitor]; ok {
		r.Value = &v
	} else {
		r.Error = fmt.Sprintf("%s of the validation split is undefined", s.Monitor)
	}
}

// Count returns the number of the sweep's trials.
func (s *Sweep) Count() int {
	if s.Search == Random || s.Search == SuccessHalve {
		return s.Trials
	}
	n := 1
	for _, v := range s.Parameters {
		n *= len(v.List)
	}
	return n
}

// Trial returns a trial by its number, which counts from 1.
func (s *Sweep) Trial(number int) *Trial {
	t := &Trial{Number: number, Values: map[string]any{}}
	if s.Search == Random || s.Search == SuccessHalve {
		r := rand.New(rand.NewPCG(s.Seed, uint64(number-1)))
		for _, path := range s.Paths() {
			t.Values[path] = s.Parameters[path].draw(r)
		}
		return t
	}
	rest := number - 1
	for _, path := range slices.Backward(s.Paths()) { // the last parameter changes fastest
		list := s.Parameters[path].List
		t.Values[path] = list[rest%len(list)]
		rest /= len(list)
	}
	return t
}

// All returns the trials of the sweep.
func (s *Sweep) All() []*Trial {
	all := make([]*Trial, s.Count())
	for i := range all {
		all[i] = s.Trial(i + 1)
	}
	return all
}

// SpecOf returns the spec of a trial's job: Spec with the trial's values. epochs, unless 0,
// replaces the job's epochs. It fails with job.ErrInvalid and names the parameter.
func (s *Sweep) SpecOf(t *Trial, id job.ID, epochs int) ([]byte, *job.Spec, error) {
	copied, err := clone(s.Spec)
	if err != nil {
		return nil, nil, err
	}
	for _, path := range s.Paths() {
		if err := Set(copied, path, t.Values[path]); err != nil {
			return nil, nil, fmt.Errorf("parameters.%s: %w: %w", path, err, job.ErrInvalid)
		}
	}
	copied["id"], copied["name"] = string(id), s.Name
	if epochs > 0 {
		copied["epochs"] = epochs
		delete(copied, "steps")
	}
	data, err := json.Marshal(copied)
	if err != nil {
		return nil, nil, fmt.Errorf("trial %d: %w", t.Number, err)
	}
	decoded, err := spec.Decode(data)
	if err != nil {
		return nil, nil, fmt.Errorf("trial %d: %w", t.Number, err)
	}
	if err := decoded.Data.Split.CheckFold(); err != nil {
		return nil, nil, err
	}
	return data, decoded, s.monitors(decoded)
}

// monitors fails unless the job reports the figure of its validation split.
func (s *Sweep) monitors(of *job.Spec) error {
	if !of.Data.Validates() {
		return fmt.Errorf("a sweep compares figures of the validation split: want data.split.validation above 0: %w", job.ErrInvalid)
	}
	if s.Monitor == job.LossFigure {
		return nil
	}
	for _, m := range of.Metrics {
		if string(m) == s.Monitor {
			return nil
		}
	}
	return fmt.Errorf("monitor: %.40q: want loss, or one of the job's metrics %v: %w", s.Monitor, of.Metrics, job.ErrInvalid)
}

func clone(m map[string]any) (map[string]any, error) {
	data, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("spec: %w: %w", err, job.ErrInvalid)
	}
	var c map[string]any
	return c, json.Unmarshal(data, &c)
}

// Set sets the field at a path: names joined by '.', and indices in brackets. It makes
// missing objects, but no lists.
func Set(into map[string]any, path string, value any) error {
	var at any = into
	steps := strings.Split(strings.ReplaceAll(path, "[", ".["), ".")
	for i, step := range steps {
		last := i == len(steps)-1
		if index, ok := strings.CutPrefix(step, "["); ok {
			list, isList := at.([]any)
			n, err := strconv.Atoi(strings.TrimSuffix(index, "]"))
			if !isList || err != nil || n < 0 || n >= len(list) || !strings.HasSuffix(index, "]") {
				return fmt.Errorf("%s: the spec has no such element", strings.ReplaceAll(strings.Join(steps[:i+1], "."), ".[", "["))
			}
			if last {
				list[n] = value
				return nil
			}
			at = list[n]
			continue
		}
		object, isObject := at.(map[string]any)
		if !isObject || step == "" {
			return fmt.Errorf("%q: the spec has no object there", strings.Join(steps[:i+1], "."))
		}
		if last {
			object[step] = value
			return nil
		}
		if object[step] == nil {
			object[step] = map[string]any{}
		}
		at = object[step]
	}
	return nil
}
