package sweep

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"tributary/shared/job"
	"tributary/shared/spec"
)

// Sweep is the content of a sweep's file.
type Sweep struct {
	Name string `json:"name"` // also the beginning of the trials' ids
	// Job is the path of the job's spec; or Spec is the spec itself.
	Job  string         `json:"job"`
	Spec map[string]any `json:"spec"`
	// Search is how trials are chosen; default: grid if every parameter is a list, otherwise
	// random.
	Search     Search            `json:"search"`
	Trials     int               `json:"trials"`  // of random and halving; default 20
	Seed       uint64            `json:"seed"`    // of the random values
	Monitor    string            `json:"monitor"` // figure of the validation split: loss or one of the job's metrics; default loss
	Mode       job.Mode          `json:"mode"`    // min or max; default: as the figure is
	Parameters map[string]Values `json:"parameters"`
	Halving    Halving           `json:"halving"`

	ids func(trial, round int) job.ID // of the jobs; nil: trialID makes them
}

// Search is a way to choose trials.
type Search string

// The ways: every combination of lists; random combinations; and random combinations of
// which only the best are trained for longer (Jamieson & Talwalkar, "Non-stochastic best arm
// identification and hyperparameter optimization", 2016).
const (
	Grid         Search = "grid"
	Random       Search = "random"
	SuccessHalve Search = "halving"
)

// Halving holds the settings of successive halving.
type Halving struct {
	Epochs int `json:"epochs"` // of the first round; default: the job's epochs over factor³, at least 1
	Factor int `json:"factor"` // each round keeps one trial of so many, for so many times the epochs; default 3
}

// Limits of a sweep.
const (
	maxTrials     = 10_000
	maxParameters = 32
	maxChoices    = 1000
)

var namePattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9_-]{0,50}[a-z0-9])?$`)

// Decode reads a sweep's file and fills in the defaults. It fails with job.ErrInvalid and
// names the field.
func Decode(text []byte) (*Sweep, error) {
	if len(text) > spec.MaxBytes {
		return nil, fmt.Errorf("sweep: over %d bytes: want a shorter one: %w", spec.MaxBytes, job.ErrInvalid)
	}
	var content any
	if err := yaml.Unmarshal(text, &content); err != nil {
		return nil, fmt.Errorf("sweep: %.200s: %w", err.Error(), job.ErrInvalid)
	}
	data, err := json.Marshal(content)
	if err != nil {
		return nil, fmt.Errorf("sweep: %w: %w", err, job.ErrInvalid)
	}
	s := &Sweep{}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(s); err != nil {
		return nil, fmt.Errorf("sweep: %w: %w", err, job.ErrInvalid)
	}
	s.fill()
	return s, s.validate()
}

func (s *Sweep) fill() {
	if s.Search == "" {
		s.Search = Grid
		for _, v := range s.Parameters {
			if v.List == nil {
				s.Search = Random
			}
		}
	}
	s.Trials = cmp.Or(s.Trials, 20)
	s.Monitor = cmp.Or(s.Monitor, job.LossFigure)
	if s.Mode == "" {
		s.Mode = job.Max
		if job.LowerIsBetter(s.Monitor) {
			s.Mode = job.Min
		}
	}
	s.Halving.Factor = cmp.Or(s.Halving.Factor, 3)
}

func (s *Sweep) validate() error {
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf(format+": %w", append(args, job.ErrInvalid)...))
	}
	if !namePattern.MatchString(s.Name) {
		fault("name: %.80q: want 1 to 52 of a-z, 0-9, '-' and '_', beginning and ending with a letter or digit", s.Name)
	}
	if (s.Job == "") == (s.Spec == nil) {
		fault("job: want the path of a job's spec, or the spec itself as spec")
	}
	if n := len(s.Parameters); n < 1 || n > maxParameters {
		fault("parameters: %d: want 1 to %d", n, maxParameters)
	}
	switch s.Search {
	case Grid:
		s.validateGrid(fault)
	case Random, SuccessHalve:
		if s.Trials < 1 || s.Trials > maxTrials {
			fault("trials: %d: want 1 to %d", s.Trials, maxTrials)
		}
	default:
		fault("search: %.40q: want one of %s, %s, %s", string(s.Search), Grid, Random, SuccessHalve)
	}
	if s.Mode != job.Min && s.Mode != job.Max {
		fault("mode: %.40q: want %s or %s", string(s.Mode), job.Min, job.Max)
	}
	if h := s.Halving; h.Epochs < 0 || h.Factor < 2 || h.Factor > 100 {
		fault("halving: epochs %d, factor %d: want at least 0, and 2 to 100", h.Epochs, h.Factor)
	}
	return errors.Join(faults...)
}

func (s *Sweep) validateGrid(fault func(string, ...any)) {
	all := 1
	for _, path := range s.paths() {
		v := s.Parameters[path]
		if v.List == nil {
			fault("parameters.%s: a range: want a list with search grid, or search random", path)
			return
		}
		if all *= len(v.List); all > maxTrials {
			fault("parameters: over %d combinations: want fewer, or search random", maxTrials)
			return
		}
	}
}

// paths returns the paths of the parameters in order.
func (s *Sweep) paths() []string { return slices.Sorted(maps.Keys(s.Parameters)) }

// better reports whether figure a is better than b.
func (s *Sweep) better(a, b float64) bool {
	if s.Mode == job.Min {
		return a < b
	}
	return a > b
}

// trialID returns the id of a trial's job; round counts from 0.
func (s *Sweep) trialID(trial, round int) job.ID {
	if s.ids != nil {
		return s.ids(trial, round)
	}
	id := fmt.Sprintf("%s-%03d", s.Name, trial+1)
	if round > 0 {
		id += fmt.Sprintf("-r%d", round+1)
	}
	return job.ID(strings.ToLower(id))
}
