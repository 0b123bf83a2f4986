// Package api implements the requests that users can send to the coordinator. They
// submit, show and list jobs; they pause, resume, cancel and remove jobs; they submit, show
// and cancel sweeps; and they get the spec's schema.
//
// It owns the requests, the answers and their meaning. It moves no bytes: package broker
// serves it over NATS, and package serve connects them. It leaves the work on jobs to
// coordinator/run, which watches the records that this package writes.
//
// Invariant: a job is recorded before its submission is answered.
package api

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"tributary/coordinator/inspect"
	"tributary/shared/blob"
	"tributary/shared/job"
	"tributary/shared/notice"
	"tributary/shared/plan"
	"tributary/shared/spec"
)

// Records stores the records of jobs.
type Records interface {
	// Create fails with job.ErrConflict if there is a record with that id.
	Create(ctx context.Context, r job.Record) (uint64, error)
	// Get fails with job.ErrNotFound if there is no record.
	Get(ctx context.Context, id job.ID) (job.Record, uint64, error)
	// Update fails with job.ErrConflict if the revision is not the newest.
	Update(ctx context.Context, r job.Record, revision uint64) (uint64, error)
	// All yields every record, one at a time. For a record that cannot be decoded it
	// yields job.ErrCorrupt and continues; any other error is the last value.
	All(ctx context.Context) iter.Seq2[job.Record, error]
}

// Sources decides which sources of data a spec may name.
type Sources interface {
	// Allowed fails with job.ErrInvalid for a source that may not be read.
	Allowed(source string) error
}

// Events publishes events to users. It never blocks. A job does not depend on its events,
// so callers here ignore an error of Publish.
type Events interface {
	Publish(notice.Event) error
}

// Remover deletes everything that is kept of a job, and the record last.
type Remover interface {
	// Remove fails with job.ErrConflict if the record is not of a job that is being
	// removed. It is safe to repeat it.
	Remove(ctx context.Context, r job.Record, model bool) error
	// HasModel reports whether the registry has a model of the job, even if the job was
	// removed.
	HasModel(ctx context.Context, id job.ID) (bool, error)
	// RemoveModel deletes the model of a removed job.
	RemoveModel(ctx context.Context, id job.ID) error
}

// API answers requests.
type API struct {
	Records  Records
	Sources  Sources
	Events   Events
	Jobs     Remover
	Verifier Verifier
	// Log receives the requests that change jobs; the zero value is silent.
	Log zerolog.Logger
	// Rehearse reports what is wrong with the rows that a spec contains; nil: no check.
	Rehearse func(context.Context, *job.Spec) error
	// Standing reads how far a job with a plan has come; nil: only the record says it.
	Standing func(context.Context, job.Record) (job.Standing, error)
	// Blobs has the plans and the training states of jobs; nil: no job can be continued.
	Blobs blob.Store
	// Datasets keeps named data sets, and OpenSource opens the sources of new ones; nil: no
	// such requests.
	Datasets   Datasets
	OpenSource func(ctx context.Context, source string) (io.ReadCloser, error)
	// Inspect describes a source of data; nil: no such request.
	Inspect func(context.Context, inspect.Request) (*inspect.Report, error)
	// Sweeps keeps submitted sweeps; nil: no such requests.
	Sweeps Sweeps
	// NewRun makes the name of an incarnation of a job; nil: 16 random characters.
	NewRun func() job.Run

	inspecting atomic.Bool // one source at a time
}

// Status is the short answer about a job.
type Status struct {
	ID      job.ID    `json:"id"`
	State   job.State `json:"state"`
	Message string    `json:"message,omitempty"`
	Error   string    `json:"error,omitempty"`
}

func status(r job.Record) Status {
	return Status{ID: r.ID, State: r.State, Message: r.Message, Error: r.Error}
}

// Submit records the job of a spec (YAML or JSON). It is idempotent if the spec has an
// id: for the same spec it returns the state of the job, and for another spec with that
// id it fails with job.ErrConflict.
func (a *API) Submit(ctx context.Context, payload []byte) (Status, error) {
	s, err := spec.Decode(payload)
	if err != nil {
		return Status{}, err
	}
	if err := s.Data.Split.CheckFold(); err != nil {
		return Status{}, err
	}
	datasets, err := a.resolve(ctx, s)
	if err != nil {
		return Status{}, err
	}
	if err := a.allowed(s); err != nil {
		return Status{}, err
	}
	if a.Rehearse != nil {
		if err := a.Rehearse(ctx, s); err != nil {
			return Status{}, err
		}
	}
	canonical, digest, err := spec.Canonical(s)
	if err != nil {
		return Status{}, err
	}
	r := job.Record{
		ID: s.ID, Run: a.newRun(), Name: s.Name, Tags: s.Tags, State: job.Submitted,
		Created: time.Now().UTC(), Spec: canonical, SpecDigest: digest,
		Priority: cmp.Or(s.Priority, job.DefaultPriority), MaxSlots: s.MaxSlots,
		Capabilities: plan.NeedsOf(s), Datasets: datasets,
	}
	if r.ID == "" {
		r.ID = NewID(s.Name)
	}
	if _, err := a.Records.Create(ctx, r); err != nil {
		if !errors.Is(err, job.ErrConflict) || s.ID == "" {
			return Status{}, fmt.Errorf("record job %s: %w", r.ID, err)
		}
		known, _, err := a.Records.Get(ctx, r.ID)
		if err != nil {
			return Status{}, fmt.Errorf("job %s: %w", r.ID, err)
		}
		if known.SpecDigest != digest {
			return Status{}, fmt.Errorf("id %q: a job of that id with another spec was submitted at %s; choose another id: %w",
				r.ID, known.Created.Format(time.RFC3339), job.ErrConflict)
		}
		return status(known), nil
	}
	a.Log.Info().Str("job", string(r.ID)).Str("name", r.Name).Msg("job submitted")
	_ = a.Events.Publish(notice.Event{Job: r.ID, Run: r.Run, Time: r.Created, Type: notice.StateEvent, State: r.State})
	return status(r), nil
}

func (a *API) newRun() job.Run {
	if a.NewRun != nil {
		return a.NewRun()
	}
	return job.Run(random(16))
}

// NewID makes an id for a job without one: its name and a random suffix.
func NewID(name string) job.ID {
	tail := random(8)
	return job.ID(name[:min(len(name), 64-1-len(tail))] + "-" + tail)
}

// random returns n random characters of a-z and 2-7.
func random(n int) string { return strings.ToLower(rand.Text())[:n] }

// allowed checks the sources that a spec names.
func (a *API) allowed(s *job.Spec) error {
	var faults []error
	for _, named := range append(s.Data.Sources(), job.Source{Field: "model.init.from", Name: &s.Model.Init.From}) {
		if *named.Name == "" {
			continue
		}
		if err := a.Sources.Allowed(*named.Name); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", named.Field, err))
		}
	}
	return errors.Join(faults...)
}

// Get returns the record of a job.
func (a *API) Get(ctx context.Context, payload []byte) (job.Record, error) {
	id, err := parseID(payload)
	if err != nil {
		return job.Record{}, err
	}
	r, _, err := a.Records.Get(ctx, id)
	return r, unknown(id, err)
}

// Shown is the answer about a job: its record, and how far it has come.
type Shown struct {
	job.Record
	job.Standing
}

// Show returns everything that is known about a job.
func (a *API) Show(ctx context.Context, payload []byte) (Shown, error) {
	r, err := a.Get(ctx, payload)
	if err != nil {
		return Shown{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, standingPatience)
	defer cancel()
	return Shown{r, a.standing(ctx, r)}, nil
}

// standingPatience bounds the time that an answer waits for standings, because the rest of
// it is worth having while a store is away.
const standingPatience = 2 * time.Second

// standing returns how far a job has come. If the training state cannot be read, it is what
// the record says.
func (a *API) standing(ctx context.Context, r job.Record) job.Standing {
	recorded := r.Standing()
	if a.Standing == nil || r.Plan == "" || r.State.Final() || ctx.Err() != nil {
		return recorded
	}
	s, err := a.Standing(ctx, r)
	if err != nil {
		a.Log.Debug().Err(err).Str("job", string(r.ID)).Msg("read how far a job has come")
	}
	if s.Step < recorded.Step {
		return recorded
	}
	return s
}

// unknown says in plain words that the job does not exist.
func unknown(id job.ID, err error) error {
	if errors.Is(err, job.ErrNotFound) {
		return fmt.Errorf("there is no job %q: %w", id, job.ErrNotFound)
	}
	return err
}

// parseID reads a job's id: the bare id, or {"id": "…"}.
func parseID(payload []byte) (job.ID, error) {
	var request struct {
		ID job.ID `json:"id"`
	}
	err := parse(payload, &request, &request.ID, "")
	return request.ID, err
}

// parse decodes a request: the bare id, or an object with an id and the fields of
// request. more describes the format of these fields.
func parse(payload []byte, request any, id *job.ID, more string) error {
	payload = bytes.TrimSpace(payload)
	if len(payload) > 0 && payload[0] == '{' {
		if err := decodeObject(payload, request); err != nil {
			return fmt.Errorf(`request: %w; want the job's id, bare or as {"id":"…"%s}: %w`, err, more, job.ErrInvalid)
		}
	} else {
		*id = job.ID(bytes.Trim(payload, `"`))
	}
	if err := id.Validate(); err != nil {
		return fmt.Errorf("%w: %w", err, job.ErrInvalid)
	}
	return nil
}

// Schema returns the JSON Schema of a spec.
func (a *API) Schema(context.Context, []byte) (json.RawMessage, error) { return spec.Schema(), nil }
