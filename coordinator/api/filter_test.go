package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
)

func TestListFilters(t *testing.T) {
	f := newFixture()
	began := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i, r := range []job.Record{
		{ID: "a", Name: "digits", State: job.Running, Tags: []string{"baseline", "team=vision"}},
		{ID: "b", Name: "digits", State: job.Failed, Tags: []string{"baseline"}},
		{ID: "c", Name: "line", State: job.Running},
		{ID: "d", Name: "line", State: job.Succeeded, Tags: []string{"team=vision"}},
	} {
		r.Created = began.Add(-time.Duration(i) * time.Hour)
		_, err := f.records.Create(t.Context(), r)
		require.NoError(t, err)
	}
	for request, want := range map[string]string{
		``:                                       "abcd",
		`{}`:                                     "abcd",
		`{"state":"running"}`:                    "ac",
		`{"state":["failed","succeeded"]}`:       "bd",
		`{"state":[]}`:                           "abcd",
		`{"state":null,"tag":null}`:              "abcd",
		`{"name":"line"}`:                        "cd",
		`{"name":"lin"}`:                         "",
		`{"tag":"baseline"}`:                     "ab",
		`{"tag":["baseline","team=vision"]}`:     "a",
		`{"tag":"team=vision","state":"failed"}`: "",
		`{"tag":"baseline","limit":1}`:           "a",
		`{"tag":"team=vision","before":"a"}`:     "d",
		`{"name":"line","before":"c"}`:           "d",
	} {
		got, err := f.List(t.Context(), []byte(request))
		require.NoError(t, err, request)
		ids := ""
		for _, j := range got["jobs"] {
			ids += string(j.ID)
		}
		require.Equal(t, want, ids, request)
	}
	for request, want := range map[string]string{
		`{"state":"runing"}`:        `state: "runing": want one of submitted, preparing, running, paused, succeeded, failed, cancelled; did you mean "running"?`,
		`{"state":["running",1]}`:   "request: ",
		`{"state":{"is":"failed"}}`: "request: ",
		`{"name":["line"]}`:         "request: ",
	} {
		_, err := f.List(t.Context(), []byte(request))
		require.ErrorIs(t, err, job.ErrInvalid, request)
		require.ErrorContains(t, err, want)
	}
}

// A job shows how far it has come: the ledger says it of a running job, and the record of
// any other, or if the ledger cannot be read.
func TestHowFarAJobHasCome(t *testing.T) {
	f := newFixture()
	loss, asked := 0.5, 0
	var away error
	f.Standing = func(_ context.Context, r job.Record) (job.Standing, error) {
		asked++
		if away != nil {
			return job.Standing{}, away
		}
		return job.Standing{Step: 30, Progress: job.Fraction(30, r.Steps), Loss: &loss, Metrics: map[job.Split]map[string]float64{job.Validation: {"loss": 1}}}, nil
	}
	saved := []job.Checkpoint{{Step: 25}}
	for _, r := range []job.Record{
		{ID: "running", State: job.Running, Plan: "p", Steps: 100, Checkpoints: saved},
		{ID: "cancelled", State: job.Cancelled, Plan: "p", Steps: 100, Checkpoints: saved},
		{ID: "succeeded", State: job.Succeeded, Plan: "p", Steps: 100, Outcome: &job.Outcome{Steps: 100, TrainLoss: &loss}},
		{ID: "submitted", State: job.Submitted},
	} {
		_, err := f.records.Create(t.Context(), r)
		require.NoError(t, err)
	}
	shown := func(id string) (step int64, progress float64, text string) {
		t.Helper()
		one, err := f.Show(t.Context(), []byte(id))
		require.NoError(t, err)
		all, err := f.List(t.Context(), nil)
		require.NoError(t, err)
		for _, j := range all["jobs"] {
			if string(j.ID) == id {
				require.Equal(t, one.Standing, j.Standing)
				require.Equal(t, one.Steps, j.Steps)
			}
		}
		data, err := json.Marshal(one)
		require.NoError(t, err)
		return one.Step, one.Progress, string(data)
	}
	step, progress, text := shown("running")
	require.EqualValues(t, 30, step)
	require.Equal(t, 0.3, progress)
	require.Contains(t, text, `"steps":100`)
	require.Contains(t, text, `"step":30,"progress":0.3,"loss":0.5,"metrics":{"validation":{"loss":1}}`)
	step, progress, _ = shown("cancelled")
	require.EqualValues(t, 25, step)
	require.Equal(t, 0.25, progress)
	step, progress, _ = shown("succeeded")
	require.EqualValues(t, 100, step)
	require.Equal(t, 1.0, progress)
	_, progress, _ = shown("submitted")
	require.Zero(t, progress)
	require.Equal(t, 5, asked, "only the running job's ledger is read")
	away = errors.New("Redis is away")
	step, _, _ = shown("running")
	require.EqualValues(t, 25, step, "the newest checkpoint")
}

// An answer fits into a message, whatever the jobs have. The rest comes with before.
func TestListFitsIntoAMessage(t *testing.T) {
	f := newFixture()
	var tags []string
	for i := range 32 {
		tags = append(tags, fmt.Sprintf("%02d", i)+strings.Repeat("<", 98))
	}
	const many = 400
	for i := range many {
		_, err := f.records.Create(t.Context(), job.Record{ID: job.ID(fmt.Sprintf("j%03d", i)), State: job.Failed, Tags: tags, Error: strings.Repeat("x", 999)})
		require.NoError(t, err)
	}
	seen, request := 0, "{}"
	for range many {
		got, err := f.List(t.Context(), []byte(request))
		require.NoError(t, err)
		if len(got["jobs"]) == 0 {
			break
		}
		data, err := json.Marshal(got)
		require.NoError(t, err)
		require.Less(t, len(data), 1<<20)
		seen += len(got["jobs"])
		request = fmt.Sprintf(`{"before":%q}`, got["jobs"][len(got["jobs"])-1].ID)
	}
	require.Equal(t, many, seen)
}
