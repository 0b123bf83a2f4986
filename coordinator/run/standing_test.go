package run_test

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
	"tributary/shared/registry"
)

// Any coordinator reads from the ledger how far a running job has come. The model's card
// has the tags and the notes of the spec, which the plan does not have.
func TestHowFarARunningJobHasCome(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	other := w.service("another")
	var once sync.Once
	var seen job.Standing
	var err error
	w.working = func(task job.Task) error {
		if task.Kind == job.Gradient && task.Step == 10 {
			once.Do(func() {
				w.mu.Lock()
				r := w.records["a"]
				w.mu.Unlock()
				seen, err = other.Standing(t.Context(), r)
			})
		}
		return nil
	}
	w.coordinate(1)
	text := strings.Replace(line("a", 30), `"y":[2,4,5,6,8]}}`, `"y":[2,4,5,6,8]},"split":{"train":0.8,"validation":0.2}},"evaluate":{"every_steps":5},"tags":["small"],"notes":"a line"`, 1)
	w.submit(text)
	r := w.ended("a")
	require.Equal(t, job.Succeeded, r.State, r.Error)
	require.NoError(t, err)
	require.EqualValues(t, 10, seen.Step)
	require.Equal(t, 10.0/30, seen.Progress)
	require.NotNil(t, seen.Loss)
	require.Len(t, seen.Metrics, 1)
	require.Greater(t, *seen.Loss, *r.Outcome.TrainLoss)
	require.Greater(t, seen.Metrics[job.Validation]["loss"], r.Outcome.Metrics[job.Validation]["loss"])
	require.Equal(t, job.Standing{Step: 30, Progress: 1, Loss: r.Outcome.TrainLoss, Metrics: r.Outcome.Metrics}, r.Standing())

	w.mu.Lock()
	defer w.mu.Unlock()
	var card registry.Card
	require.NoError(t, json.Unmarshal(w.files["a/"+registry.CardFile], &card))
	require.Equal(t, []string{"small"}, card.Spec.Tags)
	require.Equal(t, "a line", card.Spec.Notes)
}
