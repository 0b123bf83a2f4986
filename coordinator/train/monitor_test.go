package train

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/coordinator/verify"
	"tributary/shared/history"
	"tributary/shared/job"
	"tributary/shared/registry"
)

// A job that stops early ends at the same step, with the parameters of the same best step,
// for any fleet, any wire and any way to keep the best.
func TestAJobThatStopsEarlyIsTheSameForAnyFleet(t *testing.T) {
	text := worked(t, "digits-early.yaml")
	for name, change := range map[string][2]string{
		"as it is":        {"seed: 42", "seed: 42"},
		"lossy":           {"seed: 42", "seed: 42\nwire: bfloat16"},
		"no average":      {", ema_momentum: 0.9", ""},
		"the last is it":  {"min_delta: 0.0001", "restore_best: false"},
		"by the accuracy": {"monitor: loss", "monitor: accuracy"},
		"with a matrix":   {"metrics: [accuracy]", "metrics: [accuracy, confusion_matrix]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := replaced(t, text, change[0], change[1])
			want, serial := reference(t, decoded(t, text))
			fleets := []int{3}
			if name == "as it is" {
				fleets = []int{1, 2, 3}
			}
			for _, workers := range fleets {
				o, dir := trained(t, text, workers)
				require.Equal(t, want, o.ParametersSHA256)
				require.Equal(t, serial.Metrics, o.Metrics)
				require.EqualValues(t, len(serial.Losses), o.Steps)
				require.Less(t, o.Steps, int64(720))
				require.Contains(t, o.Choice, "the job stopped after ")
				if name == "the last is it" {
					require.Zero(t, o.BestStep)
				} else {
					require.Less(t, o.BestStep, o.Steps)
					require.Positive(t, o.BestStep)
				}
				checkFiles(t, dir, o)
				v, err := verified(t, dir, verify.Request{})
				require.NoError(t, err)
				require.Equal(t, job.Verified, v.State, "%+v", v)
				require.Equal(t, o.Steps, v.Compared)
			}
		})
	}
}

// A job of all its steps has the best parameters too.
func TestAJobThatDoesNotStopKeepsTheBest(t *testing.T) {
	text := replaced(t, worked(t, "digits-early.yaml"), "epochs: 60", "epochs: 14")
	want, serial := reference(t, decoded(t, text))
	o, _ := trained(t, text, 2)
	require.Equal(t, want, o.ParametersSHA256)
	require.Equal(t, serial.Metrics, o.Metrics)
	require.EqualValues(t, 168, o.Steps)
	require.Equal(t, "all 168 steps were taken; the model has the parameters after step 144, the best", o.Choice)
}

// A record that ends at another step than the evaluations say is not verified.
func TestAnotherEndIsNotVerified(t *testing.T) {
	o, dir := trained(t, worked(t, "digits-early.yaml"), 1)
	path := filepath.Join(dir, registry.CardFile)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	for _, steps := range []int64{o.Steps - 12, o.Steps + 12} {
		var card map[string]any
		require.NoError(t, json.Unmarshal(text, &card))
		card["steps"] = steps
		changed, err := json.Marshal(card)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path, changed, 0o600))
		require.NoError(t, os.RemoveAll(filepath.Join(dir, history.FileName)))
		v, err := verified(t, dir, verify.Request{})
		require.NoError(t, err)
		require.Equal(t, job.Differs, v.State)
		require.True(t, strings.HasPrefix(v.Difference.Message, "the record has "), v.Difference.Message)
	}
}
