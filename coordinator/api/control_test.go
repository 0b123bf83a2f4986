package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"tributary/coordinator/api"
	"tributary/shared/job"
)

func TestPauseAndResumeAreReportedOnce(t *testing.T) {
	f := newFixture()
	_, err := f.Submit(t.Context(), line(t))
	require.NoError(t, err)
	f.records.change("line", func(r *job.Record) { r.State, r.Plan, r.Message = job.Running, "p", "waiting: no worker is present" })
	for range 2 {
		got, err := f.Pause(t.Context(), []byte("line"))
		require.NoError(t, err)
		require.Equal(t, api.Status{ID: "line", State: job.Paused}, got)
	}
	for range 2 {
		got, err := f.Resume(t.Context(), []byte(`{"id":"line"}`))
		require.NoError(t, err)
		require.Equal(t, api.Status{ID: "line", State: job.Running}, got)
	}
	var reported []job.State
	for _, e := range f.events.all {
		reported = append(reported, e.State)
	}
	require.Equal(t, []job.State{job.Submitted, job.Paused, job.Running}, reported)
}

func TestRetryOfAFailedJob(t *testing.T) {
	f := newFixture()
	_, err := f.Submit(t.Context(), line(t))
	require.NoError(t, err)
	f.records.change("line", func(r *job.Record) { r.State, r.Plan, r.Error, r.Released = job.Failed, "p", "no room", true })
	got, err := f.Retry(t.Context(), []byte("line"))
	require.NoError(t, err)
	require.Equal(t, api.Status{ID: "line", State: job.Running}, got)
	r, _ := f.Get(t.Context(), []byte("line"))
	require.Equal(t, 1, r.Resumed)
	require.False(t, r.Released)
}

func TestRequestsThatAreNone(t *testing.T) {
	f := newFixture()
	_, err := f.Submit(t.Context(), line(t))
	require.NoError(t, err)
	for request, want := range map[string]string{
		`{"id":"line"} {"id":"other"}`:         "text follows the JSON object",
		`{"id":"line"}x`:                       "text follows the JSON object",
		`{"id":"line","more":1}`:               "unknown field",
		`{"id":` + strings.Repeat("[", 20_000): "request:",
		strings.Repeat("x", 60_000):            "id",
		"\xff":                                 "id",
		``:                                     "id",
	} {
		_, err := f.Cancel(t.Context(), []byte(request))
		require.ErrorIs(t, err, job.ErrInvalid, "%.80s", request)
		require.ErrorContains(t, err, want)
		require.Less(t, len(err.Error()), 1000)
	}
}

func TestARemovedJobsIDIsFree(t *testing.T) {
	f := newFixture()
	_, err := f.Submit(t.Context(), line(t))
	require.NoError(t, err)
	first, _ := f.Get(t.Context(), []byte("line"))
	_, err = f.Remove(t.Context(), []byte("line"))
	require.ErrorIs(t, err, job.ErrConflict)
	require.ErrorContains(t, err, `job "line" is submitted and cannot be removed: cancel it first`)
	_, err = f.Cancel(t.Context(), []byte("line"))
	require.NoError(t, err)
	got, err := f.Remove(t.Context(), []byte("line"))
	require.NoError(t, err)
	require.Equal(t, api.Removed{ID: "line", Removed: true}, got)
	require.Empty(t, f.remover.models, "the model is kept unless it is named")
	_, err = f.Get(t.Context(), []byte("line"))
	require.ErrorIs(t, err, job.ErrNotFound)
	_, err = f.Remove(t.Context(), []byte("line"))
	require.ErrorIs(t, err, job.ErrNotFound)

	_, err = f.Submit(t.Context(), line(t, "0.01", "0.02"))
	require.NoError(t, err, "another spec under the same id")
	second, _ := f.Get(t.Context(), []byte("line"))
	require.NotEqual(t, first.Run, second.Run)
	_, err = f.Cancel(t.Context(), []byte("line"))
	require.NoError(t, err)
	_, err = f.Remove(t.Context(), []byte(`{"id":"line","model":true}`))
	require.NoError(t, err)
	require.Equal(t, []job.ID{"line"}, f.remover.models)
}

// A model that was kept when its job was removed can be removed later.
func TestAModelOutlivesItsJobUntilItIsRemoved(t *testing.T) {
	f := newFixture()
	f.remover.has = "line"
	_, err := f.Submit(t.Context(), line(t))
	require.NoError(t, err)
	_, err = f.Cancel(t.Context(), []byte("line"))
	require.NoError(t, err)
	got, err := f.Remove(t.Context(), []byte("line"))
	require.NoError(t, err)
	require.Equal(t, api.Removed{ID: "line", Removed: true, Model: api.ModelKept}, got)
	_, err = f.Remove(t.Context(), []byte("line"))
	require.ErrorIs(t, err, job.ErrNotFound)
	require.ErrorContains(t, err, `job "line" was removed and its model kept; {"id":"line","model":true} removes that`)
	require.Empty(t, f.remover.models)
	got, err = f.Remove(t.Context(), []byte(`{"id":"line","model":true}`))
	require.NoError(t, err)
	require.Equal(t, api.Removed{ID: "line", Removed: true, Model: api.ModelRemoved}, got)
	require.Equal(t, []job.ID{"line"}, f.remover.models)
	f.remover.has = ""
	_, err = f.Remove(t.Context(), []byte(`{"id":"line","model":true}`))
	require.ErrorContains(t, err, `there is no job "line"`)
}

// An unreachable registry does not prevent the removal of a job, except of its model.
func TestAJobIsRemovedWithoutTheRegistry(t *testing.T) {
	f := newFixture()
	f.remover.away = errors.New("the bucket is missing")
	_, err := f.Submit(t.Context(), line(t))
	require.NoError(t, err)
	_, err = f.Cancel(t.Context(), []byte("line"))
	require.NoError(t, err)
	_, err = f.Remove(t.Context(), []byte(`{"id":"line","model":true}`))
	require.ErrorContains(t, err, "check for its model: the bucket is missing")
	got, err := f.Remove(t.Context(), []byte("line"))
	require.NoError(t, err)
	require.Equal(t, api.Removed{ID: "line", Removed: true}, got)
}

// If a user requests both at once, the answer says which request came first.
func TestRemoveRacesARetry(t *testing.T) {
	f := newFixture()
	_, err := f.Submit(t.Context(), line(t))
	require.NoError(t, err)
	_, err = f.Cancel(t.Context(), []byte("line"))
	require.NoError(t, err)
	f.records.before = func() {
		_, err := f.Retry(t.Context(), []byte("line"))
		require.NoError(t, err)
	}
	_, err = f.Remove(t.Context(), []byte("line"))
	require.ErrorIs(t, err, job.ErrConflict)
	r, err := f.Get(t.Context(), []byte("line"))
	require.NoError(t, err)
	require.Equal(t, job.Submitted, r.State)
}

func TestPriority(t *testing.T) {
	f := newFixture()
	_, err := f.Submit(t.Context(), line(t, `"batch": 5`, `"batch": 5, "priority": 40, "max_slots": 3`))
	require.NoError(t, err)
	ask := func(payload string) (api.Share, error) { return f.Prioritize(t.Context(), []byte(payload)) }
	for _, c := range []struct {
		payload        string
		priority, most int
	}{
		{`{"id":"line","priority":40}`, 40, 3},
		{`{"id":"line","priority":5}`, 5, 3},
		{`{"id":"line","max_slots":0}`, 5, 0},
		{`{"id":"line","priority":100,"max_slots":7}`, 100, 7},
	} {
		got, err := ask(c.payload)
		require.NoError(t, err)
		require.Equal(t, api.Share{Status: api.Status{ID: "line", State: job.Submitted}, Priority: c.priority, MaxSlots: c.most}, got)
	}
	for payload, want := range map[string]string{
		`line`:                            "priority: missing",
		`{"id":"line","priority":0}`:      "priority: 0: want an integer from 1 to 100",
		`{"id":"line","priority":101}`:    "priority: 101",
		`{"id":"line","max_slots":-1}`:    "max_slots: -1",
		`{"id":"line","priority":"high"}`: "priority",
		`{"id":"line","prio":3}`:          "prio",
	} {
		_, err := ask(payload)
		require.ErrorIs(t, err, job.ErrInvalid, payload)
		require.ErrorContains(t, err, want)
	}
	_, err = ask(`{"id":"nobody","priority":3}`)
	require.ErrorIs(t, err, job.ErrNotFound)
	f.records.change("line", func(r *job.Record) { r.State = job.Failed })
	_, err = ask(`{"id":"line","priority":3}`)
	require.ErrorIs(t, err, job.ErrConflict)
	require.ErrorContains(t, err, `job "line" has ended (failed)`)
}

func TestASpecWithoutAPriorityHasTheDefault(t *testing.T) {
	f := newFixture()
	_, err := f.Submit(t.Context(), line(t))
	require.NoError(t, err)
	r, _ := f.Get(t.Context(), []byte("line"))
	require.Equal(t, job.DefaultPriority, r.Priority)
	require.NotContains(t, string(r.Spec), "priority", "the canonical form of older specs stays as it was")
}

// The log says which request was made for which job. The coordinator's logger adds which
// coordinator received it.
func TestWhatIsAskedIsLogged(t *testing.T) {
	f := newFixture()
	var log bytes.Buffer
	f.Log = zerolog.New(&log).With().Str("coordinator", "c1").Logger()
	_, err := f.Submit(t.Context(), line(t))
	require.NoError(t, err)
	for _, ask := range []func(context.Context, []byte) (api.Status, error){f.Pause, f.Pause, f.Resume, f.Cancel, f.Retry, f.Cancel} {
		_, err := ask(t.Context(), []byte("line"))
		require.NoError(t, err)
	}
	_, err = f.Remove(t.Context(), []byte(`{"id":"line","model":true}`))
	require.NoError(t, err)
	var said []string
	for text := range strings.Lines(log.String()) {
		var l struct{ Level, Coordinator, Job, Message string }
		require.NoError(t, json.Unmarshal([]byte(text), &l))
		require.Equal(t, []string{"info", "c1", "line"}, []string{l.Level, l.Coordinator, l.Job})
		said = append(said, l.Message)
	}
	require.Equal(t, []string{
		"job submitted", "job paused", "job resumed", "job cancelled", "job retried", "job cancelled", "job removed",
	}, said, "each once")
}
