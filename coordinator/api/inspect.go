package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tributary/coordinator/inspect"
	"tributary/shared/job"
	"tributary/shared/spec"
)

// Limits of an inspection for a request.
const (
	inspectPatience = 50 * time.Second // shorter than the timeout of a request
	inspectMemory   = 64 << 20         // bytes of what is kept of the columns
)

// wantInspect describes a valid request.
const wantInspect = `want a source, bare or as {"source":"…","format":"csv","label":"…"}, or a spec`

// InspectData describes a source: a file, a folder, an object or the rows of a spec, if
// submitted specs may read it. It reads one source at a time and fails with job.ErrFull
// meanwhile. The report fits into a message: of a wide source, it describes fewer columns.
func (a *API) InspectData(ctx context.Context, payload []byte) (*inspect.Report, error) {
	q, err := inspectRequest(payload)
	if err != nil {
		return nil, err
	}
	if job.IsDataset(q.Data.Source) && q.Data.Format == "" && a.Datasets != nil {
		name, version, err := job.ParseDataset(q.Data.Source)
		if err != nil {
			return nil, fmt.Errorf("source: %w", err)
		}
		v, err := a.Datasets.Get(ctx, name, version)
		if err != nil {
			return nil, fmt.Errorf("source: %w", err)
		}
		q.Data.Format = v.Format
	}
	if q.Data.Inline == nil {
		if err := a.Sources.Allowed(q.Data.Source); err != nil {
			return nil, fmt.Errorf("source: %w", err)
		}
	}
	if a.Inspect == nil {
		return nil, fmt.Errorf("this program inspects no data: %w", job.ErrInvalid)
	}
	if !a.inspecting.CompareAndSwap(false, true) {
		return nil, fmt.Errorf("another source is being inspected; try again later: %w", job.ErrFull)
	}
	defer a.inspecting.Store(false)
	within, cancel := context.WithTimeout(ctx, inspectPatience)
	defer cancel()
	r, err := a.Inspect(within, q)
	if err != nil && errors.Is(within.Err(), context.DeadlineExceeded) && ctx.Err() == nil {
		return nil, fmt.Errorf("source %.200q: reading it takes longer than %s: use coordinator inspect, which has no such limit: %w", q.Data.Source, inspectPatience, job.ErrInvalid)
	}
	if err != nil {
		return nil, err
	}
	return r, r.Fit(maxAnswer)
}

// inspectRequest reads a request.
func inspectRequest(payload []byte) (q inspect.Request, err error) {
	q.Memory = inspectMemory
	payload = bytes.TrimSpace(payload)
	var request struct {
		Source string     `json:"source"`
		Format job.Format `json:"format"`
		Label  string     `json:"label"`
	}
	switch {
	case len(payload) == 0:
		return q, fmt.Errorf("source: missing: %s: %w", wantInspect, job.ErrInvalid)
	case payload[0] == '{' && !hasData(payload):
		if err := decodeObject(payload, &request); err != nil {
			return q, fmt.Errorf("request: %w; %s: %w", err, wantInspect, job.ErrInvalid)
		}
	case payload[0] == '{', bytes.ContainsRune(payload, '\n'):
		s, err := spec.Decode(payload)
		if err != nil {
			return q, err
		}
		q.Data, q.Name = s.Data, s.Name
		return q, nil
	default:
		request.Source = string(bytes.Trim(payload, `"`))
	}
	const most = 4096
	if n := len(request.Source); n == 0 || n > most {
		return q, fmt.Errorf("source: %d bytes: want 1 to %d; %s: %w", n, most, wantInspect, job.ErrInvalid)
	}
	switch f := request.Format; {
	case f == "":
		request.Format = job.FormatOf(request.Source)
	case !slices.Contains(f.Allowed(), string(f)):
		return q, fmt.Errorf("format: %.40q: want one of %s: %w", string(f), strings.Join(f.Allowed(), ", "), job.ErrInvalid)
	}
	q.Data, q.Label = job.Data{Source: request.Source, Format: request.Format}, request.Label
	return q, nil
}

// hasData reports whether a JSON object has the field data, as a spec does.
func hasData(payload []byte) bool {
	var fields map[string]json.RawMessage
	if json.Unmarshal(payload, &fields) != nil {
		return false
	}
	_, ok := fields["data"]
	return ok
}
