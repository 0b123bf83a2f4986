package sweep

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

// trials returns the combinations of the sweep.
func (s *Sweep) trials() []*Trial {
	paths := s.paths()
	if s.Search == Grid {
		return s.grid(paths)
	}
	all := make([]*Trial, s.Trials)
	for i := range all {
		r := rand.New(rand.NewPCG(s.Seed, uint64(i)))
		all[i] = &Trial{Number: i + 1, Values: map[string]any{}}
		for _, path := range paths {
			all[i].Values[path] = s.Parameters[path].draw(r)
		}
	}
	return all
}

// grid returns every combination; the last parameter changes fastest.
func (s *Sweep) grid(paths []string) []*Trial {
	n := 1
	for _, path := range paths {
		n *= len(s.Parameters[path].List)
	}
	all := make([]*Trial, n)
	for i := range all {
		all[i] = &Trial{Number: i + 1, Values: map[string]any{}}
		rest := i
		for _, path := range slices.Backward(paths) {
			list := s.Parameters[path].List
			all[i].Values[path] = list[rest%len(list)]
			rest /= len(list)
		}
	}
	return all
}

// specOf returns the spec of a trial's job: base with the trial's values. epochs, unless 0,
// replaces the job's epochs. It fails with job.ErrInvalid and names the parameter.
func (s *Sweep) specOf(base map[string]any, t *Trial, id job.ID, epochs int) ([]byte, *job.Spec, error) {
	copied, err := clone(base)
	if err != nil {
		return nil, nil, err
	}
	for _, path := range s.paths() {
		if err := set(copied, path, t.Values[path]); err != nil {
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

// set sets the field at a path: names joined by '.', and indices in brackets. It makes
// missing objects, but no lists.
func set(into map[string]any, path string, value any) error {
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
