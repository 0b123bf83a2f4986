package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"tributary/shared/hint"
	"tributary/shared/job"
)

// filter says which jobs List returns. An empty field allows every job.
type filter struct {
	State words  `json:"state"` // the job is in one of these states
	Name  string `json:"name"`  // the spec's name
	Tag   words  `json:"tag"`   // the job has all of these tags
}

// words is a word or a list of words in JSON.
type words []string

// UnmarshalJSON implements json.Unmarshaler.
func (w *words) UnmarshalJSON(data []byte) error {
	if bytes.HasPrefix(data, []byte(`"`)) {
		*w = words{""}
		return json.Unmarshal(data, &(*w)[0])
	}
	return json.Unmarshal(data, (*[]string)(w))
}

// states lists the states of a job, for messages.
var states = []string{
	string(job.Submitted), string(job.Preparing), string(job.Running), string(job.Paused),
	string(job.Succeeded), string(job.Failed), string(job.Cancelled),
}

// check fails with job.ErrInvalid for a state that does not exist.
func (f *filter) check() error {
	for _, s := range f.State {
		if !slices.Contains(states, s) {
			return fmt.Errorf("state: %.40q: want one of %s%s: %w", s, strings.Join(states, ", "), hint.For(s, states), job.ErrInvalid)
		}
	}
	return nil
}

// passes reports whether the filter allows a job.
func (f *filter) passes(r job.Record) bool {
	if len(f.State) > 0 && !slices.Contains(f.State, string(r.State)) || f.Name != "" && f.Name != r.Name {
		return false
	}
	return !slices.ContainsFunc(f.Tag, func(tag string) bool { return !slices.Contains(r.Tags, tag) })
}
