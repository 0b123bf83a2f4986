package train

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"tributary/coordinator/verify"
	"tributary/shared/access"
	"tributary/shared/job"
	"tributary/shared/lifecycle"
	"tributary/shared/registry"
)

// more gives a finished job more epochs, and returns the outcome and the folder of the new
// job's model.
func more(t *testing.T, dir string, epochs, workers int) (*job.Outcome, string, error) {
	t.Helper()
	to := t.TempDir()
	c := Command{Spec: dir, More: epochs, Workers: workers, Out: to, Share: "auto"}
	text, err := c.read()
	if err != nil {
		return nil, to, err
	}
	o, err := c.Train(lifecycle.Contexts{Soft: t.Context(), Hard: t.Context()}, text, io.Discard, zerolog.Nop())
	return o, to, err
}

// 3 epochs and 2 more have the bits of 5 epochs at once, in the model and in each step, for
// any optimizer, average, wire and schedule of a length of its own.
func TestMoreEpochsAreTheSameAsAllAtOnce(t *testing.T) {
	for name, change := range map[string][2]string{
		"adam":           {"epochs: 30", "epochs: 5"},
		"momentum":       {"adam: {learning_rate: 0.001, weight_decay: 0.0001}", "sgd: {learning_rate: 0.01, momentum: 0.9, nesterov: true}"},
		"average":        {"weight_decay: 0.0001", "ema_momentum: 0.9"},
		"lossy":          {"seed: 42", "seed: 42\nwire: topk\nwire_keep: 0.1"},
		"cosine":         {"seed: 42", "seed: 42\nschedule: {warmup_steps: 10, cosine: {steps: 50}}"},
		"plateau":        {"seed: 42", "seed: 42\nschedule: {reduce_on_plateau: {factor: 0.5, patience: 1, min_delta: 1}}"},
		"early stopping": {"seed: 42", "seed: 42\nearly_stopping: {patience: 50}"},
		"dropout":        {"- dense: {units: 1}", "- dropout: {rate: 0.3}\n    - dense: {units: 1}"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := replaced(t, worked(t, "credit.yaml"), change[0], change[1])
			all := strings.Replace(text, "epochs: 30", "epochs: 5", 1)
			want, serial := reference(t, decoded(t, all))
			_, dir := trained(t, strings.NewReplacer("epochs: 30", "epochs: 3", "epochs: 5", "epochs: 3").Replace(text), 2)
			o, dir, err := more(t, dir, 2, 3)
			require.NoError(t, err)
			require.Equal(t, want, o.ParametersSHA256)
			require.Equal(t, serial.Metrics, o.Metrics)
			require.EqualValues(t, 70, o.Steps)
			checkFiles(t, dir, o)
			v, err := verified(t, dir, verify.Request{All: true})
			require.NoError(t, err)
			require.Equal(t, job.Verified, v.State, "%+v", v)
			require.EqualValues(t, 70, v.Compared, "the steps of the finished job too")
			card, err := registry.LoadCard(dir)
			require.NoError(t, err)
			require.EqualValues(t, 42, card.Spec.Continue.Steps)
		})
	}
}

// A job may go on more than once.
func TestMoreEpochsTwice(t *testing.T) {
	text := replaced(t, worked(t, "credit.yaml"), "epochs: 30", "epochs: 4")
	want, _ := reference(t, decoded(t, text))
	_, dir := trained(t, replaced(t, text, "epochs: 4", "epochs: 1"), 1)
	for range 3 {
		var o *job.Outcome
		var err error
		o, dir, err = more(t, dir, 1, 1)
		require.NoError(t, err)
		if o.Steps == 56 {
			require.Equal(t, want, o.ParametersSHA256)
		}
	}
	v, err := verified(t, dir, verify.Request{All: true})
	require.NoError(t, err)
	require.Equal(t, job.Verified, v.State)
	require.EqualValues(t, 56, v.Compared)
}

func TestMoreEpochsThatAreRefused(t *testing.T) {
	text := replaced(t, worked(t, "credit.yaml"), "epochs: 30", "epochs: 2")
	for want, change := range map[string]string{
		"has schedule.one_cycle, whose learning rates depend on the length":  "schedule: {one_cycle: {}}",
		"has schedule.cosine, whose learning rates depend on the length":     "schedule: {cosine: {}}",
		"holds no training state: not found: want the folder of a model":     "checkpoint: {final: false}",
		"stopped early, after 3 of 28 steps, and a longer one would stop at": "early_stopping: {patience: 1, min_delta: 9}\nevaluate: {every_steps: 1}",
	} {
		o, dir := trained(t, text+change+"\n", 1)
		if strings.Contains(change, "early") {
			require.Less(t, o.Steps, int64(28))
			want = "stopped early, after"
		}
		_, _, err := more(t, dir, 2, 1)
		require.ErrorContains(t, err, want)
	}
	_, dir := trained(t, text, 1)
	c := Command{Spec: dir, More: 1, Workers: 1, Out: dir, Share: "auto"}
	spec, err := c.read()
	require.NoError(t, err)
	_, err = begin(t.Context(), t.Context(), &c, string(spec), io.Discard)
	require.ErrorContains(t, err, "use --force to overwrite it")
	path := filepath.Join(dir, stateFolder, recordFile)
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, []byte(strings.Replace(string(data), `"succeeded"`, `"running"`, 1)), 0o600))
	_, _, err = more(t, dir, 2, 1)
	require.ErrorContains(t, err, "was stopped after step 28: want --resume")
}

// A spec that names a finished job without its state trains from the start, to the same bits.
func TestAContinuationChangesNoResult(t *testing.T) {
	text := replaced(t, worked(t, "credit.yaml"), "epochs: 30", "epochs: 2")
	want, _ := reference(t, decoded(t, text))
	o, _ := trained(t, text+"continue: {job: other, steps: 14, plan: "+strings.Repeat("ab", 32)+"}\n", 1)
	require.Equal(t, want, o.ParametersSHA256)
}

// On given servers, a finished job is named by its id.
func TestMoreEpochsOnServers(t *testing.T) {
	natsURL, redisURL := servers(t)
	command := func() *Command {
		return &Command{Workers: 1, NATS: access.URL(natsURL), Redis: access.URL(redisURL), Blobs: "nats", Out: filepath.Join(t.TempDir(), "model")}
	}
	text := worked(t, "line.json")
	want, _ := reference(t, decoded(t, replaced(t, text, `"epochs": 100`, `"epochs": 130`)))
	_, err := begin(t.Context(), t.Context(), command(), text, io.Discard)
	require.NoError(t, err)
	c := command()
	c.Spec, c.More = "/where/ever/line", 30
	spec, err := c.read()
	require.NoError(t, err)
	o, err := begin(t.Context(), t.Context(), c, string(spec), io.Discard)
	require.NoError(t, err)
	require.Equal(t, want, o.ParametersSHA256)
	checkFiles(t, c.Out, o)
	v, err := verified(t, c.Out, verify.Request{All: true})
	require.NoError(t, err)
	require.Equal(t, job.Verified, v.State, "%+v", v)

	c = command()
	c.Spec, c.More = "other", 30
	_, err = begin(t.Context(), t.Context(), c, "", io.Discard)
	require.ErrorIs(t, err, job.ErrNotFound)
}
