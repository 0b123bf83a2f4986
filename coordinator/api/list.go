package api

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tributary/shared/job"
)

// Listed is one entry of List's answer.
type Listed struct {
	Status
	Name     string     `json:"name"`
	Tags     []string   `json:"tags,omitempty"`
	Created  time.Time  `json:"created"`
	Finished *time.Time `json:"finished,omitempty"`
	Steps    int64      `json:"steps,omitempty"` // how many steps the job takes
	job.Standing
}

// The limits of List's answer, so that it fits into a message.
const (
	maxListed = 1000
	maxText   = 200 // bytes of a message or an error; Get returns all of it
	maxAnswer = 900 << 10
	// maxStandings bounds the running jobs whose training state one answer reads.
	maxStandings = 200
)

// newest compares jobs in the order of List's answer.
func newest(x, y Listed) int {
	return cmp.Or(y.Created.Compare(x.Created), cmp.Compare(x.ID, y.ID))
}

// entry is a job that may be listed.
type entry struct {
	Listed
	record job.Record // of a job whose training state may be read
}

// List returns the jobs that pass the request's filter, newest first: at most limit jobs,
// and only those after the job before. Fewer than limit jobs are returned also if more do
// not fit into a message. It holds at most a few thousand entries in memory, for any number
// of jobs.
func (a *API) List(ctx context.Context, payload []byte) (map[string][]Listed, error) {
	f, limit, last, err := a.page(ctx, payload)
	if err != nil {
		return nil, err
	}
	jobs := make([]entry, 0, 2*limit)
	keep := func() {
		slices.SortFunc(jobs, func(x, y entry) int { return newest(x.Listed, y.Listed) })
		clear(jobs[min(len(jobs), limit):])
		jobs = jobs[:min(len(jobs), limit)]
	}
	for r, err := range a.Records.All(ctx) {
		if errors.Is(err, job.ErrCorrupt) {
			continue // the adapter's watch logs it
		}
		if err != nil {
			return nil, fmt.Errorf("list jobs: %w", err)
		}
		line := listed(r)
		if !f.passes(r) || last != nil && newest(line, *last) <= 0 {
			continue
		}
		e := entry{Listed: line}
		if r.Plan != "" && !r.State.Final() {
			e.record = job.Record{ID: r.ID, Run: r.Run, State: r.State, Plan: r.Plan, Steps: r.Steps, Checkpoints: r.Checkpoints}
		}
		if jobs = append(jobs, e); len(jobs) >= 2*limit {
			keep()
		}
	}
	keep()
	lines, err := a.lines(ctx, jobs)
	return map[string][]Listed{"jobs": lines}, err
}

// lines returns the entries, as many as fit into a message, with the standings of running
// jobs.
func (a *API) lines(ctx context.Context, jobs []entry) ([]Listed, error) {
	ctx, cancel := context.WithTimeout(ctx, standingPatience)
	defer cancel()
	lines, bytes, read := make([]Listed, 0, len(jobs)), 0, 0
	for _, e := range jobs {
		if e.record.ID != "" && read < maxStandings {
			read++
			e.Standing = a.standing(ctx, e.record)
		}
		data, err := json.Marshal(e.Listed)
		if err != nil {
			return nil, fmt.Errorf("list jobs: %w", err)
		}
		if bytes += len(data) + 1; bytes > maxAnswer && len(lines) > 0 {
			break
		}
		lines = append(lines, e.Listed)
	}
	return lines, nil
}

// page decodes the request of List: nothing, or an object. last is the entry of the job
// that before names, nil without one.
func (a *API) page(ctx context.Context, payload []byte) (f filter, limit int, last *Listed, err error) {
	var request struct {
		Limit  *int   `json:"limit"`
		Before job.ID `json:"before"`
		filter
	}
	if payload = bytes.TrimSpace(payload); len(payload) > 0 {
		if err := decodeObject(payload, &request); err != nil {
			return f, 0, nil, fmt.Errorf(`request: %w; want nothing, or {"limit":100,"before":"<id of a job>","state":"running","name":"…","tag":"…"}: %w`, err, job.ErrInvalid)
		}
	}
	limit = maxListed
	if request.Limit != nil {
		limit = *request.Limit
	}
	if limit < 1 || limit > maxListed {
		return f, 0, nil, fmt.Errorf("limit: %d: want an integer from 1 to %d: %w", limit, maxListed, job.ErrInvalid)
	}
	if err := request.check(); err != nil {
		return f, 0, nil, err
	}
	if request.Before == "" {
		return request.filter, limit, nil, nil
	}
	r, _, err := a.Records.Get(ctx, request.Before)
	if err != nil {
		return f, 0, nil, fmt.Errorf("before: %w", unknown(request.Before, err))
	}
	line := listed(r)
	return request.filter, limit, &line, nil
}

// decodeObject decodes one JSON object with known fields only and nothing after it.
func decodeObject(payload []byte, into any) error {
	if payload[0] != '{' {
		return fmt.Errorf("%.40q is not a JSON object", payload)
	}
	d := json.NewDecoder(bytes.NewReader(payload))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if len(bytes.TrimSpace(payload[d.InputOffset():])) > 0 {
		return errors.New("text follows the JSON object; want one object only")
	}
	return nil
}

func listed(r job.Record) Listed {
	short := status(r)
	short.Message, short.Error = clip(short.Message), clip(short.Error)
	return Listed{Status: short, Name: r.Name, Tags: r.Tags, Created: r.Created, Finished: r.Finished, Steps: r.Steps, Standing: r.Standing()}
}

// clip shortens a text at a character boundary. The result does not keep the whole text
// in memory.
func clip(s string) string {
	return strings.ToValidUTF8(strings.Clone(s[:min(len(s), maxText)]), "")
}
