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
	Created  time.Time  `json:"created"`
	Finished *time.Time `json:"finished,omitempty"`
}

// The limits of List's answer, so that it fits into a message.
const (
	maxListed = 1000
	maxText   = 200 // bytes of a message or an error; Get returns all of it
)

// newest compares jobs in the order of List's answer.
func newest(x, y Listed) int {
	return cmp.Or(y.Created.Compare(x.Created), cmp.Compare(x.ID, y.ID))
}

// List returns the jobs, newest first: at most limit jobs, and only those after the job
// before. It holds at most a few thousand entries in memory, for any number of jobs.
func (a *API) List(ctx context.Context, payload []byte) (map[string][]Listed, error) {
	limit, last, err := a.page(ctx, payload)
	if err != nil {
		return nil, err
	}
	jobs := make([]Listed, 0, 2*limit)
	keep := func() {
		slices.SortFunc(jobs, newest)
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
		if last != nil && newest(line, *last) <= 0 {
			continue
		}
		if jobs = append(jobs, line); len(jobs) >= 2*limit {
			keep()
		}
	}
	keep()
	return map[string][]Listed{"jobs": jobs}, nil
}

// page decodes the request of List: nothing, or an object with limit, before, or both.
// last is the entry of the job that before names, nil without one.
func (a *API) page(ctx context.Context, payload []byte) (limit int, last *Listed, err error) {
	var request struct {
		Limit  *int   `json:"limit"`
		Before job.ID `json:"before"`
	}
	if payload = bytes.TrimSpace(payload); len(payload) > 0 {
		if err := decodeObject(payload, &request); err != nil {
			return 0, nil, fmt.Errorf(`request: %w; want nothing, or {"limit":100,"before":"<id of a job>"}: %w`, err, job.ErrInvalid)
		}
	}
	limit = maxListed
	if request.Limit != nil {
		limit = *request.Limit
	}
	if limit < 1 || limit > maxListed {
		return 0, nil, fmt.Errorf("limit: %d: want an integer from 1 to %d: %w", limit, maxListed, job.ErrInvalid)
	}
	if request.Before == "" {
		return limit, nil, nil
	}
	r, _, err := a.Records.Get(ctx, request.Before)
	if err != nil {
		return 0, nil, fmt.Errorf("before: %w", unknown(request.Before, err))
	}
	line := listed(r)
	return limit, &line, nil
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
	return Listed{Status: short, Name: r.Name, Created: r.Created, Finished: r.Finished}
}

// clip shortens a text at a character boundary. The result does not keep the whole text
// in memory.
func clip(s string) string {
	return strings.ToValidUTF8(strings.Clone(s[:min(len(s), maxText)]), "")
}
