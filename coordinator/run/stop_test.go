package run_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
)

// timed is a job of very many steps with a time.
func timed(id, seconds string) string {
	return strings.TrimSuffix(line(id, 10_000_000), "}") + `,"stop":{"after_seconds":` + seconds + `}}`
}

// The time counts from the start in the record: a coordinator that takes the job later does
// not begin it again.
func TestTheTimeOfAJobIsNotBegunAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.submit(timed("a", "3600"))
	w.change(func() {
		r := w.records[id]
		began := time.Now().Add(-2 * time.Hour)
		r.Started = &began
		w.records[id] = r
		w.revisions[id]++
	})
	w.coordinate(1)
	r := w.ended(id)
	require.Equal(t, job.Succeeded, r.State, r.Error)
	require.Equal(t, r.StopAt, r.Outcome.Steps)
	require.Less(t, r.Outcome.Steps, int64(100_000))
	require.Contains(t, r.Outcome.Choice, "its time of 1h0m0s was over")
}

// A decision that another coordinator has recorded holds, although there is time left.
func TestARecordedEndHolds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.submit(timed("a", "3600"))
	w.change(func() {
		r := w.records[id]
		r.StopAt = 7
		w.records[id] = r
		w.revisions[id]++
	})
	w.coordinate(1)
	r := w.ended(id)
	require.Equal(t, job.Succeeded, r.State, r.Error)
	require.EqualValues(t, 7, r.Outcome.Steps)
	w.submit(line("b", 7))
	require.Equal(t, w.ended("b").Outcome.ParametersSHA256, r.Outcome.ParametersSHA256)
}
