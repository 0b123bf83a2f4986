package train

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/coordinator/verify"
	"tributary/shared/job"
)

// A job whose time is over ends at a step, says so, and has the bits of a job that has so
// many steps.
func TestAJobWhoseTimeIsOver(t *testing.T) {
	for name, more := range map[string]string{
		"plain":          "",
		"early stopping": "early_stopping: {patience: 1000000}\n",
		"average":        "evaluate: {every_steps: 7}\nearly_stopping: {patience: 1000000}\n",
	} {
		t.Run(name, func(t *testing.T) {
			text := replaced(t, worked(t, "credit.yaml"), "epochs: 30", "steps: 10000000")
			if name == "average" {
				text = replaced(t, text, "weight_decay: 0.0001", "ema_momentum: 0.9")
			}
			text += more + "stop: {after_seconds: 1}\n"
			o, dir := trained(t, text, 2)
			require.Positive(t, o.Steps)
			require.Less(t, o.Steps, int64(10000000))
			require.Regexp(t, `^the job stopped after \d+ of 10000000 steps: its time of 1s was over`, o.Choice)
			v, err := verified(t, dir, verify.Request{All: true})
			require.NoError(t, err)
			require.Equal(t, job.Verified, v.State, "%+v", v)
			require.Equal(t, o.Steps, v.Compared)
			require.Equal(t, o.ParametersSHA256, v.ParametersSHA256)
			checkFiles(t, dir, o)
		})
	}
}

// A job that has all its steps before its time is over is a job without such a time.
func TestAJobThatIsReadyInTime(t *testing.T) {
	text := worked(t, "line.json")
	want, serial := reference(t, decoded(t, text))
	o, _ := trained(t, replaced(t, text, `"epochs": 100`, `"epochs": 100, "stop": {"after_seconds": 3600}`), 1)
	require.Equal(t, want, o.ParametersSHA256)
	require.EqualValues(t, len(serial.Losses), o.Steps)
	require.Empty(t, o.Choice)
}
