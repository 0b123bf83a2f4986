package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tributary/coordinator/api"
	"tributary/coordinator/ingest"
	"tributary/coordinator/run"
	"tributary/shared/job"
	"tributary/shared/notice"
	"tributary/shared/spec"
)

// records is api.Records in memory.
type records struct {
	mu       sync.Mutex
	all      map[job.ID]job.Record
	revision map[job.ID]uint64
	// before, if set, is called once before an update reads the record.
	before func()
	fails  error // error of All, after the last record
}

func newRecords() *records {
	return &records{all: map[job.ID]job.Record{}, revision: map[job.ID]uint64{}}
}

func (r *records) Create(_ context.Context, rec job.Record) (uint64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.all[rec.ID]; ok {
		return 0, job.ErrConflict
	}
	r.all[rec.ID], r.revision[rec.ID] = rec, 1
	return 1, nil
}

func (r *records) Get(_ context.Context, id job.ID) (job.Record, uint64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	rec, ok := r.all[id]
	if !ok {
		return rec, 0, job.ErrNotFound
	}
	return rec, r.revision[id], nil
}

func (r *records) Update(_ context.Context, rec job.Record, revision uint64) (uint64, error) {
	if before := r.before; before != nil {
		r.before = nil
		before()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.revision[rec.ID] != revision {
		return 0, job.ErrConflict
	}
	r.all[rec.ID] = rec
	r.revision[rec.ID]++
	return r.revision[rec.ID], nil
}

func (r *records) All(context.Context) iter.Seq2[job.Record, error] {
	return func(yield func(job.Record, error) bool) {
		r.mu.Lock()
		list := slices.Collect(maps.Values(r.all))
		r.mu.Unlock()
		for _, rec := range list {
			if !yield(rec, nil) {
				return
			}
		}
		if r.fails != nil {
			yield(job.Record{}, r.fails)
		}
	}
}

// change changes a record as a coordinator does.
func (r *records) change(id job.ID, apply func(*job.Record)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	rec := r.all[id]
	apply(&rec)
	r.all[id] = rec
	r.revision[id]++
}

type events struct{ all []notice.Event }

func (e *events) Publish(v notice.Event) error {
	e.all = append(e.all, v)
	return v.Validate()
}

// remover is api.Remover that only deletes the record.
type remover struct {
	*records
	models []job.ID // models whose removal was requested
	has    job.ID   // the job that has a model
	away   error    // error of the registry
}

func (r *remover) HasModel(_ context.Context, id job.ID) (bool, error) { return id == r.has, r.away }

func (r *remover) RemoveModel(_ context.Context, id job.ID) error {
	r.models = append(r.models, id)
	return nil
}

func (r *remover) Remove(_ context.Context, rec job.Record, model bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.all[rec.ID].Removing {
		return job.ErrConflict
	}
	delete(r.all, rec.ID)
	if model {
		r.models = append(r.models, rec.ID)
	}
	return nil
}

type fixture struct {
	*api.API
	remover *remover
	records *records
	events  *events
}

func newFixture(roots ...string) fixture {
	f := fixture{records: newRecords(), events: &events{}}
	f.remover = &remover{records: f.records}
	f.API = &api.API{Records: f.records, Jobs: f.remover, Sources: &ingest.Roots{Folders: roots}, Events: f.events}
	return f
}

// line is the worked job of that name, with changes of its text.
func line(t *testing.T, changes ...string) []byte {
	t.Helper()
	data, err := os.ReadFile("../../deployments/jobs/line.json")
	require.NoError(t, err)
	return []byte(strings.NewReplacer(changes...).Replace(string(data)))
}

// A submission with faulty rows in its spec fails, and creates no job.
func TestSubmitRefusesRowsThatCannotBePrepared(t *testing.T) {
	f := newFixture()
	f.Rehearse = run.Rehearse
	_, err := f.Submit(t.Context(), line(t, "[2, 4, 5, 6, 8]", "[2, 4, 5, 6]"))
	require.ErrorIs(t, err, job.ErrInvalid)
	require.ErrorContains(t, err, "data.inline: x has 5 rows, y has 4")
	require.Empty(t, f.records.all)
	require.Empty(t, f.events.all)
	_, err = f.Submit(t.Context(), line(t))
	require.NoError(t, err)
}

func TestSubmitRecordsTheJobAndReportsIt(t *testing.T) {
	f := newFixture()
	got, err := f.Submit(t.Context(), line(t))
	require.NoError(t, err)
	require.Equal(t, api.Status{ID: "line", State: job.Submitted}, got)
	body, err := json.Marshal(got)
	require.NoError(t, err)
	require.JSONEq(t, `{"id":"line","state":"submitted"}`, string(body))

	r, err := f.Get(t.Context(), []byte("line"))
	require.NoError(t, err)
	require.Equal(t, job.Submitted, r.State)
	require.NotEmpty(t, r.Run)
	require.WithinDuration(t, time.Now(), r.Created, time.Minute)
	var s job.Spec
	require.NoError(t, json.Unmarshal(r.Spec, &s))
	require.Equal(t, 5, s.Batch)
	require.Equal(t, 1, s.Microbatches, "defaults are recorded")
	require.Len(t, f.events.all, 1)
	require.Equal(t, job.Submitted, f.events.all[0].State)
}

func TestSubmissionWithAnIDIsIdempotent(t *testing.T) {
	f := newFixture()
	_, err := f.Submit(t.Context(), line(t))
	require.NoError(t, err)
	first, _ := f.Get(t.Context(), []byte("line"))
	f.records.change("line", func(r *job.Record) { r.State, r.Message = job.Running, "waiting: no worker is present" })

	// A spec in another notation is the same spec.
	for _, again := range [][]byte{line(t), line(t, `"batch": 5`, `"batch":   5, "seed": 0`)} {
		got, err := f.Submit(t.Context(), again)
		require.NoError(t, err)
		require.Equal(t, api.Status{ID: "line", State: job.Running, Message: "waiting: no worker is present"}, got)
	}
	now, _ := f.Get(t.Context(), []byte("line"))
	require.Equal(t, first.Run, now.Run)
	require.Len(t, f.events.all, 1)

	_, err = f.Submit(t.Context(), line(t, "0.01", "0.02"))
	require.ErrorIs(t, err, job.ErrConflict)
	require.ErrorContains(t, err, `id "line": a job of that id with another spec was submitted at `+first.Created.Format("2006-01-02"))
	require.ErrorContains(t, err, "choose another id")
}

func TestAnIDIsMadeOfTheName(t *testing.T) {
	f := newFixture()
	seen := map[job.ID]bool{}
	long := strings.Repeat("n", 64)
	for _, name := range []string{"line", "line", long} {
		got, err := f.Submit(t.Context(), line(t, `"id": "line",`, "", `"name": "line"`, fmt.Sprintf(`"name": %q`, name)))
		require.NoError(t, err)
		require.NoError(t, got.ID.Validate())
		require.True(t, strings.HasPrefix(string(got.ID), name[:min(len(name), 50)]))
		require.False(t, seen[got.ID])
		seen[got.ID] = true
	}
}

func TestBadSpecsAreRefusedAndNotRecorded(t *testing.T) {
	for name, c := range map[string]struct {
		payload []byte
		want    string
	}{
		"empty":         {nil, ""},
		"broken JSON":   {[]byte(`{"name": `), ""},
		"broken YAML":   {[]byte("name: [1\n"), ""},
		"unknown field": {line(t, `"batch"`, `"bach"`), "bach"},
		"bad id":        {line(t, `"id": "line"`, `"id": "Line 1"`), "id"},
		"wrong type":    {line(t, `"batch": 5`, `"batch": "five"`), "batch"},
		"too large":     {append([]byte("# "), make([]byte, 1<<20)...), "1048576"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture()
			_, err := f.Submit(t.Context(), c.payload)
			require.ErrorIs(t, err, job.ErrInvalid)
			require.ErrorContains(t, err, c.want)
			require.Empty(t, f.records.all)
			require.Empty(t, f.events.all)
		})
	}
}

func TestSourcesOutsideTheRootsAreRefusedByField(t *testing.T) {
	root, elsewhere := t.TempDir(), t.TempDir()
	for _, dir := range []string{root, elsewhere} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "rows.csv"), []byte("x,y\n1,2\n"), 0o600))
	}
	require.NoError(t, os.Symlink(filepath.Join(elsewhere, "rows.csv"), filepath.Join(root, "link.csv")))
	from := func(data string) []byte {
		return line(t, `"inline": {"x": [1, 2, 3, 4, 5], "y": [2, 4, 5, 6, 8]}`, data)
	}
	empty := filepath.Join(root, "empty")
	require.NoError(t, os.Mkdir(empty, 0o755))
	f := newFixture(root)
	for _, source := range []string{
		filepath.Join(elsewhere, "rows.csv"), "/etc/passwd", "file:/etc/passwd", "../rows.csv",
		filepath.Join(root, "..", filepath.Base(elsewhere), "rows.csv"), "http://127.0.0.1/rows.csv",
		filepath.Join(root, "link.csv"), filepath.Join(root, "missing.csv"),
		empty, elsewhere, filepath.Join(elsewhere, "*.csv"), filepath.Join(root, "l*.csv"), filepath.Join(root, "..", "*", "*.csv"),
	} {
		_, err := f.Submit(t.Context(), from(fmt.Sprintf(`"source": %q, "format": "csv", "label": "y"`, source)))
		require.ErrorIs(t, err, job.ErrInvalid, source)
		require.ErrorContains(t, err, "data.source: ", source)
	}
	_, err := f.Submit(t.Context(), from(fmt.Sprintf(`"source": %q, "format": "csv", "label": "y", "test": "/etc/hosts"`, filepath.Join(root, "rows.csv"))))
	require.ErrorContains(t, err, "data.test: ")
	require.NotContains(t, err.Error(), "data.source: ")
	_, err = f.Submit(t.Context(), line(t, `"units": 1}}]`, `"units": 1}}], "init": {"from": "/etc/hosts"}`))
	require.ErrorContains(t, err, "model.init.from: ")
	require.Empty(t, f.records.all)

	_, err = f.Submit(t.Context(), from(fmt.Sprintf(`"source": %q, "format": "csv", "label": "y"`, filepath.Join(root, "rows.csv"))))
	require.NoError(t, err)
}

func TestBadAndUnknownIDs(t *testing.T) {
	f := newFixture()
	ask := map[string]func(payload string) error{
		"get":    func(p string) error { _, err := f.Get(t.Context(), []byte(p)); return err },
		"cancel": func(p string) error { _, err := f.Cancel(t.Context(), []byte(p)); return err },
		"pause":  func(p string) error { _, err := f.Pause(t.Context(), []byte(p)); return err },
		"resume": func(p string) error { _, err := f.Resume(t.Context(), []byte(p)); return err },
		"retry":  func(p string) error { _, err := f.Retry(t.Context(), []byte(p)); return err },
		"remove": func(p string) error { _, err := f.Remove(t.Context(), []byte(p)); return err },
	}
	for name, do := range ask {
		for _, bad := range []string{
			"", " ", `""`, "a b", "Line", ">", "*", "a.b", "-a", strings.Repeat("a", 65), `{"id": 3}`, `{"id": "a"`, `{"job": "a"}`, `{}`, "\x00", strings.Repeat("é", 1<<10),
		} {
			err := do(bad)
			require.ErrorIs(t, err, job.ErrInvalid, "%s %.20q", name, bad)
			require.Less(t, len(err.Error()), 400)
		}
		for _, unknown := range []string{"nobody", `"nobody"`, ` {"id": "nobody"} `, "nobody\n"} {
			err := do(unknown)
			require.ErrorIs(t, err, job.ErrNotFound)
			require.ErrorContains(t, err, `job "nobody"`)
		}
	}
}

func TestCancel(t *testing.T) {
	f := newFixture()
	_, err := f.Submit(t.Context(), line(t))
	require.NoError(t, err)
	f.records.change("line", func(r *job.Record) { r.Message = "waiting: no worker is present" })
	got, err := f.Cancel(t.Context(), []byte(`{"id":"line"}`))
	require.NoError(t, err)
	require.Equal(t, api.Status{ID: "line", State: job.Cancelled}, got)
	r, _ := f.Get(t.Context(), []byte("line"))
	require.NotNil(t, r.Finished)
	require.Len(t, f.events.all, 2)

	again, err := f.Cancel(t.Context(), []byte("line"))
	require.NoError(t, err, "it is cancelled, as asked")
	require.Equal(t, got, again)
	require.Len(t, f.events.all, 2)
}

func TestAFinishedJobCannotBeCancelled(t *testing.T) {
	for _, state := range []job.State{job.Succeeded, job.Failed} {
		f := newFixture()
		_, err := f.Submit(t.Context(), line(t))
		require.NoError(t, err)
		f.records.change("line", func(r *job.Record) { r.State = state })
		_, err = f.Cancel(t.Context(), []byte("line"))
		require.ErrorIs(t, err, job.ErrConflict)
		require.ErrorContains(t, err, fmt.Sprintf(`job "line" has %s and cannot be cancelled`, state))
		r, _ := f.Get(t.Context(), []byte("line"))
		require.Equal(t, state, r.State)
	}
}

func TestCancelRacesAnUpdate(t *testing.T) {
	f := newFixture()
	_, err := f.Submit(t.Context(), line(t))
	require.NoError(t, err)
	f.records.before = func() { f.records.change("line", func(r *job.Record) { r.State, r.Steps = job.Running, 100 }) }
	_, err = f.Cancel(t.Context(), []byte("line"))
	require.NoError(t, err)
	r, _ := f.Get(t.Context(), []byte("line"))
	require.Equal(t, job.Cancelled, r.State)
	require.EqualValues(t, 100, r.Steps, "the other change is kept")

	// The job ended first, so it cannot be cancelled.
	_, err = f.Submit(t.Context(), line(t, `"id": "line"`, `"id": "other"`))
	require.NoError(t, err)
	f.records.before = func() { f.records.change("other", func(r *job.Record) { r.State = job.Succeeded }) }
	_, err = f.Cancel(t.Context(), []byte("other"))
	require.ErrorIs(t, err, job.ErrConflict)
}

func TestListIsNewestFirstAndBounded(t *testing.T) {
	f := newFixture()
	empty, err := f.List(t.Context(), nil)
	require.NoError(t, err)
	body, err := json.Marshal(empty)
	require.NoError(t, err)
	require.JSONEq(t, `{"jobs":[]}`, string(body))

	began := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range 1200 {
		_, err := f.records.Create(t.Context(), job.Record{
			ID: job.ID(fmt.Sprintf("job-%04d", i)), Name: strings.Repeat("n", 64), State: job.Failed,
			Error: strings.Repeat("é", 1<<12), Message: strings.Repeat("é", 1<<12), Created: began.Add(time.Duration(i/2) * time.Second),
			Spec: make(json.RawMessage, 1<<10),
		})
		require.NoError(t, err)
	}
	got, err := f.List(t.Context(), nil)
	require.NoError(t, err)
	require.Len(t, got["jobs"], 1000)
	require.EqualValues(t, "job-1198", got["jobs"][0].ID)
	require.EqualValues(t, "job-1199", got["jobs"][1].ID)
	require.EqualValues(t, "job-1196", got["jobs"][2].ID)
	body, err = json.Marshal(got)
	require.NoError(t, err)
	require.Less(t, len(body), 1<<20, "it must fit a message")
	require.Equal(t, strings.Repeat("é", 100), got["jobs"][0].Error, "cut between characters")
}

func TestSchemaIsThePublishedOne(t *testing.T) {
	got, err := newFixture().Schema(t.Context(), nil)
	require.NoError(t, err)
	require.Equal(t, string(spec.Schema()), string(got))
	require.True(t, json.Valid(got))
}
