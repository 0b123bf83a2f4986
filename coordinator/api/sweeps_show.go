package api

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"tributary/shared/job"
	"tributary/shared/trial"
)

// ShownSweep is the answer about a sweep.
type ShownSweep struct {
	SweepStatus
	Created  time.Time    `json:"created"`
	Finished *time.Time   `json:"finished,omitempty"`
	Search   trial.Search `json:"search"`
	Monitor  string       `json:"monitor"` // of the validation split
	Mode     job.Mode     `json:"mode"`
	Done     int          `json:"done"`   // trials whose newest job has ended
	Failed   int          `json:"failed"` // of them, without a figure
	Rounds   []ShownRound `json:"rounds,omitempty"`
	Best     *ShownBest   `json:"best,omitempty"` // so far; its job is the model's name
	// Folds is how each metric varies over the folds of a cross-validation.
	Folds map[job.Split]map[string]trial.Spread `json:"folds,omitempty"`
	// Table has the trials: the best first, then those that have not ended, the failed last.
	Table   []ShownTrial `json:"table"`
	Omitted int          `json:"omitted,omitempty"` // trials that the table leaves out
	// Failures are failed trials that the table leaves out, at most 20.
	Failures []ShownTrial `json:"failures,omitempty"`
}

// ShownRound is a round of successive halving.
type ShownRound struct {
	Epochs int `json:"epochs"`
	Trials int `json:"trials"` // 0: not known yet
	Done   int `json:"done"`
}

// ShownBest is the best trial with its values.
type ShownBest struct {
	trial.Best
	Values map[string]any `json:"parameters"`
}

// ShownTrial is a line of the table.
type ShownTrial struct {
	Trial  int            `json:"trial"`
	Job    job.ID         `json:"job"` // its newest
	Value  *float64       `json:"value"`
	Epochs int            `json:"epochs,omitempty"`
	Error  string         `json:"error,omitempty"`
	Values map[string]any `json:"parameters"`
}

// shownTrials is the default number of lines of the table.
const shownTrials = 20

// ShowSweep returns a sweep with the table of its trials. The request is the sweep's id, or
// {"id","limit"}: at most so many lines, and as many as fit into a message.
func (a *API) ShowSweep(ctx context.Context, payload []byte) (ShownSweep, error) {
	if a.Sweeps == nil {
		return ShownSweep{}, errNoSweeps
	}
	request := struct {
		ID    job.ID `json:"id"`
		Limit int    `json:"limit"`
	}{Limit: shownTrials}
	if err := parse(payload, &request, &request.ID, `, "limit": 100`); err != nil {
		return ShownSweep{}, err
	}
	if request.Limit < 1 || request.Limit > maxListed {
		return ShownSweep{}, fmt.Errorf("limit: %d: want an integer from 1 to %d: %w", request.Limit, maxListed, job.ErrInvalid)
	}
	r, _, err := a.Sweeps.Get(ctx, request.ID)
	if err != nil {
		return ShownSweep{}, unknownSweep(request.ID, err)
	}
	c, err := trial.NewCourse(&r)
	if err != nil {
		return ShownSweep{}, err
	}
	return shownSweep(c, request.Limit), nil
}

func shownSweep(c trial.Course, limit int) ShownSweep {
	shown := ShownSweep{SweepStatus: sweepStatus(*c.Record), Created: c.Created, Finished: c.Finished, Search: c.Search, Monitor: c.Monitor, Mode: c.Mode, Table: []ShownTrial{}}
	all := c.Results()
	for _, t := range all {
		if t.Error != "" {
			shown.Failed++
		}
		if t.Error != "" || t.Value != nil {
			shown.Done++
		}
	}
	if c.Search == trial.SuccessHalve {
		for _, o := range c.Rounds {
			shown.Rounds = append(shown.Rounds, ShownRound{Epochs: o.Epochs, Trials: len(o.Values), Done: o.Done()})
		}
	}
	if c.Best != nil && c.Search != trial.EachFold {
		shown.Best = &ShownBest{Best: *c.Best, Values: c.Trial(c.Best.Trial).Values}
	}
	if c.Search == trial.EachFold && c.State == trial.Succeeded {
		shown.Folds = trial.Spreads(all)
	}
	if data, err := json.Marshal(shown.Best); err != nil || len(data) > maxBest {
		shown.Best.Values = nil
	}
	order := c.Order(all)
	size := maxBest
	fits := func(t *trial.Trial, into *[]ShownTrial) bool {
		line := ShownTrial{Trial: t.Number, Job: c.NewestJob(t.Number), Value: t.Value, Epochs: t.Epochs, Error: t.Error, Values: c.Trial(t.Number).Values}
		data, err := json.Marshal(line)
		if size += len(data) + 1; err != nil || size > maxAnswer {
			return false
		}
		*into = append(*into, line)
		return true
	}
	for i, t := range order {
		if i == limit || !fits(t, &shown.Table) {
			break
		}
	}
	rest := order[len(shown.Table):]
	shown.Omitted = len(rest)
	for _, t := range rest {
		if t.Error != "" && (len(shown.Failures) == shownTrials || !fits(t, &shown.Failures)) {
			break
		}
	}
	return shown
}

// maxBest bounds the best trial with its values in an answer, in bytes.
const maxBest = 256 << 10

// ListedSweep is one entry of ListSweeps' answer.
type ListedSweep struct {
	SweepStatus
	Created  time.Time   `json:"created"`
	Finished *time.Time  `json:"finished,omitempty"`
	Done     int         `json:"done"`
	Best     *trial.Best `json:"best,omitempty"`
}

// ListSweeps returns the sweeps, newest first: at most limit, and only those after the sweep
// before.
func (a *API) ListSweeps(ctx context.Context, payload []byte) (map[string][]ListedSweep, error) {
	if a.Sweeps == nil {
		return nil, errNoSweeps
	}
	limit, before, state, err := sweepPage(payload)
	if err != nil {
		return nil, err
	}
	var last *ListedSweep
	if before != "" {
		r, _, err := a.Sweeps.Get(ctx, before)
		if err != nil {
			return nil, fmt.Errorf("before: %w", unknownSweep(before, err))
		}
		last = &ListedSweep{SweepStatus: sweepStatus(r), Created: r.Created}
	}
	newest := func(x, y ListedSweep) int {
		return cmp.Or(y.Created.Compare(x.Created), cmp.Compare(x.ID, y.ID))
	}
	lines := []ListedSweep{}
	for r, err := range a.Sweeps.All(ctx) {
		if errors.Is(err, job.ErrCorrupt) {
			continue // the driver logs it
		}
		if err != nil {
			return nil, err
		}
		line := listedSweep(r)
		if state != "" && r.State != state || last != nil && newest(line, *last) <= 0 {
			continue
		}
		if lines = append(lines, line); len(lines) >= 2*limit {
			slices.SortFunc(lines, newest)
			lines = lines[:limit]
		}
	}
	slices.SortFunc(lines, newest)
	lines = lines[:min(limit, len(lines))]
	size := 0
	for i, line := range lines {
		data, err := json.Marshal(line)
		if err != nil {
			return nil, fmt.Errorf("list sweeps: %w", err)
		}
		if size += len(data) + 1; size > maxAnswer && i > 0 {
			lines = lines[:i]
			break
		}
	}
	return map[string][]ListedSweep{"sweeps": lines}, nil
}

func listedSweep(r trial.Record) ListedSweep {
	line := ListedSweep{SweepStatus: sweepStatus(r), Created: r.Created, Finished: r.Finished}
	line.Error = clip(line.Error)
	for k := range r.Rounds {
		if r.Rounds[k].Values != nil {
			line.Done = r.Rounds[k].Done() // of the current round
		}
	}
	if r.Best != nil {
		best := *r.Best
		best.Metrics = nil
		line.Best = &best
	}
	return line
}
