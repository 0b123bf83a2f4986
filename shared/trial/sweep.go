package trial

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"tributary/shared/job"
	"tributary/shared/spec"
)

// Sweep is the content of a sweep's file.
type Sweep struct {
	Name string `json:"name"` // also the beginning of the trials' ids
	// Job is the path of the job's spec; or Spec is the spec itself.
	Job  string         `json:"job,omitempty"`
	Spec map[string]any `json:"spec,omitempty"`
	// Search is how trials are chosen; default: grid if every parameter is a list, otherwise
	// random.
	Search     Search            `json:"search"`
	Trials     int               `json:"trials"`  // of random and halving; default 20
	Seed       uint64            `json:"seed"`    // of the random values
	Monitor    string            `json:"monitor"` // figure of the validation split: loss or one of the job's metrics; default loss
	Mode       job.Mode          `json:"mode"`    // min or max; default: as the figure is
	Parameters map[string]Values `json:"parameters,omitempty"`
	Halving    Halving           `json:"halving"`
	// Parallel is how many trials run at a time, which changes no result; 0: one for each CPU
	// at a terminal, 16 over NATS.
	Parallel int `json:"parallel,omitempty"`

	ids func(trial, round int) job.ID // of the jobs; nil: TrialID makes them
}

// Search is a way to choose trials.
type Search string

// The ways: every combination of lists; random combinations; random combinations of which
// only the best are trained for longer (Jamieson & Talwalkar, "Non-stochastic best arm
// identification and hyperparameter optimization", 2016); and each fold of a spec with
// data.split.k_folds, without other parameters.
const (
	Grid         Search = "grid"
	Random       Search = "random"
	SuccessHalve Search = "halving"
	EachFold     Search = "folds"
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
	maxPath       = 500 // bytes of a parameter's path
	maxDepth      = 32  // names and indices in it, as deep as a spec can be
	// MaxParallel bounds the trials that run at a time.
	MaxParallel = 256
)

var namePattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9_-]{0,50}[a-z0-9])?$`)

// Decode reads a sweep's file and fills in the defaults. It fails with job.ErrInvalid and
// names the field.
func Decode(text []byte) (*Sweep, error) {
	content, err := spec.Object(text)
	if err != nil {
		return nil, fmt.Errorf("sweep: %w", err)
	}
	data, err := json.Marshal(content)
	if err != nil {
		return nil, fmt.Errorf("sweep: %w: %w", err, job.ErrInvalid)
	}
	return decode(data)
}

// decode reads a sweep's JSON.
func decode(data []byte) (*Sweep, error) {
	s := &Sweep{}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(s); err != nil {
		return nil, fmt.Errorf("sweep: %w: %w", err, job.ErrInvalid)
	}
	s.fill()
	if err := s.validate(); err != nil {
		return nil, err
	}
	if s.Spec != nil {
		return s, s.Bind(s.Spec)
	}
	return s, nil
}

// Bind gives the sweep the spec that its trials change. A sweep over folds gets its trials
// from it.
func (s *Sweep) Bind(base map[string]any) error {
	s.Spec, s.Job = base, ""
	if s.Search != EachFold {
		return nil
	}
	k, err := foldsOf(base)
	if err != nil {
		return err
	}
	s.eachFold(k, s.Name)
	return nil
}

// JSON returns the sweep as JSON, which Decode reads.
func (s *Sweep) JSON() ([]byte, error) {
	written := *s
	if s.Search == EachFold {
		written.Parameters = nil // they follow from the spec
	}
	text, err := json.Marshal(&written)
	if err != nil {
		return nil, fmt.Errorf("encode the sweep: %w", err)
	}
	return text, nil
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
	switch n := len(s.Parameters); {
	case s.Search == EachFold && n > 0:
		fault("parameters: %d: want none with search %s, whose trials are the folds", n, EachFold)
	case s.Search != EachFold && (n < 1 || n > maxParameters):
		fault("parameters: %d: want 1 to %d (or search %s for a cross-validation)", n, maxParameters, EachFold)
	}
	for _, path := range s.Paths()[:min(len(s.Parameters), maxParameters)] {
		if n := 1 + strings.Count(path, ".") + strings.Count(path, "["); len(path) > maxPath || n > maxDepth {
			fault("parameters.%.80s: a path of %d bytes with %d names and indices: want at most %d and %d", path, len(path), n, maxPath, maxDepth)
		}
	}
	if s.Parallel < 0 || s.Parallel > MaxParallel {
		fault("parallel: %d: want 1 to %d, or 0 for the default", s.Parallel, MaxParallel)
	}
	switch s.Search {
	case Grid:
		s.validateGrid(fault)
	case Random, SuccessHalve:
		if s.Trials < 1 || s.Trials > maxTrials {
			fault("trials: %d: want 1 to %d", s.Trials, maxTrials)
		}
	case EachFold:
	default:
		fault("search: %.40q: want one of %s, %s, %s, %s", string(s.Search), Grid, Random, SuccessHalve, EachFold)
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
	for _, path := range s.Paths() {
		v := s.Parameters[path]
		if v.List == nil {
			fault("parameters.%.80s: a range: want a list with search grid, or search random", path)
			return
		}
		if all *= len(v.List); all > maxTrials {
			fault("parameters: over %d combinations: want fewer, or search random", maxTrials)
			return
		}
	}
}

// Paths returns the paths of the parameters in order.
func (s *Sweep) Paths() []string { return slices.Sorted(maps.Keys(s.Parameters)) }

// Better reports whether figure a is better than b.
func (s *Sweep) Better(a, b float64) bool {
	if s.Mode == job.Min {
		return a < b
	}
	return a > b
}

// TrialOf returns which trial and round a job's id stands for, as TrialID makes it.
func (s *Sweep) TrialOf(id job.ID) (trial, round int, ok bool) {
	tail := strings.TrimPrefix(strings.TrimPrefix(string(id), s.Name), "-")
	number, later, _ := strings.Cut(strings.TrimPrefix(tail, "fold-"), "-r")
	n, err := strconv.Atoi(number)
	k, _ := strconv.Atoi(later)
	trial, round = n-1, max(k, 1)-1
	return trial, round, err == nil && n >= 1 && n <= s.Count() && s.TrialID(trial, round) == id
}

// TrialID returns the id of a trial's job; round counts from 0.
func (s *Sweep) TrialID(trial, round int) job.ID {
	if s.ids != nil {
		return s.ids(trial, round)
	}
	id := fmt.Sprintf("%s-%03d", s.Name, trial+1)
	if round > 0 {
		id += fmt.Sprintf("-r%d", round+1)
	}
	return job.ID(strings.ToLower(id))
}
