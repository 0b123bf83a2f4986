package spec_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
	"tributary/shared/spec"
)

func digest(t *testing.T, text string) job.Digest {
	t.Helper()
	s, err := spec.Decode([]byte(text))
	require.NoError(t, err, text)
	_, d, err := spec.Canonical(s)
	require.NoError(t, err)
	require.Len(t, string(d), 64)
	return d
}

func TestOneDigestHoweverItIsWritten(t *testing.T) {
	want := digest(t, `name: a
data: {inline: {x: [[1, 2.5], [-3e2, 0.0000001]], y: [a, "1"]}}
model: {layers: [{dense: {units: 2}}]}
loss: softmax_cross_entropy
optimizer: {adam: {learning_rate: 1e-3}}
batch: 256
epochs: 1`)
	for _, text := range []string{
		// another order, spelling and notation, and the defaults written out
		`epochs: 1.0
batch: 0x100
microbatches: 4
seed: 0
strict: true
evaluate: {every_epochs: 1}
optimizer: {adam: {learning_rate: 0.001, beta1: 9e-1, beta2: .999, epsilon: 0.00000001, weight_decay: 0, decay_bias: true, clip_norm: 0, clip_value: 0}}
loss: "softmax_cross_entropy"
model:
  init: {scheme: torch_uniform}
  layers:
  - dense: {units: 2, activation: none, bias: true}
data:
  shuffle: true
  clean: {missing: drop, duplicates: keep}
  transform: {scale: none, categorical: onehot, label: none}
  split: {train: 1}
  inline: {x: [[1.0, 25e-1], [-300, 1e-7]], y: ['a', '1']}
name: a`,
		`{"id": "some-id", "name": "a", "batch": 256.0, "epochs": 1, "loss": "softmax_cross_entropy",
		"data": {"inline": {"x": [[1, 2.50], [-300.0, 1E-7]], "y": ["\u0061", "1"]}}, "metrics": [],
		"model": {"layers": [{"dense": {"units": 2}}]}, "optimizer": {"adam": {"learning_rate": 0.001}}}`,
	} {
		require.Equal(t, want, digest(t, text))
	}
	for _, line := range []string{"id: b", "tags: [a, b]", "notes: a first try"} {
		require.Equal(t, digest(t, minimal), digest(t, with(line)), line)
	}
	for _, line := range []string{"seed: 1", "batch: 255", "strict: false", "name: b", "drop_last: true", "evaluate: {every_steps: 3}"} {
		require.NotEqual(t, digest(t, minimal), digest(t, with(line)), line)
	}
}

// The digest is stored in records and compared when a spec is submitted again. It may
// change only on purpose, with the format.
func TestDigestIsStable(t *testing.T) {
	require.Equal(t, job.Digest("87a458156254d62e9e89e373ad5e0c2c41e3ee8144ead69e0ab5dd7457e707bd"), digest(t, minimal))
}

func TestCanonicalDecodesToAnEqualSpec(t *testing.T) {
	for _, line := range []string{
		"id: x", "seed: 18446744073709551615", "strict: false",
		"data: {source: a.csv, label: y, shuffle: false, clean: {missing: {constant: 0}}, transform: {scale: {divide: 255}}}",
		"optimizer: {adamw: {learning_rate: 1, beta1: 0, beta2: 0, weight_decay: 0.1, clip_norm: 0.5}}",
		"optimizer: {rmsprop: {learning_rate: 1, alpha: 0, momentum: 0.5, centered: true, clip_value: 0.5}}",
		"optimizer: {adagrad: {learning_rate: 1, lr_decay: 1, initial_accumulator_value: 0.5}}",
		"optimizer: {lion: {learning_rate: 1, beta2: 0, weight_decay: 0.1, decay_bias: false}}",
		"data: {inline: {x: [[1, null], [2, 3]], y: [<a>, b]}}",
		"model: {layers: [{dense: {units: 3, bias: false}}], init: {from: w.safetensors}}",
	} {
		s, err := spec.Decode([]byte(with(line)))
		require.NoError(t, err, line)
		text, digest, err := spec.Canonical(s)
		require.NoError(t, err)
		again, err := spec.Decode(text)
		require.NoError(t, err, line)
		text2, digest2, err := spec.Canonical(again)
		require.NoError(t, err)
		require.Equal(t, string(text), string(text2))
		require.Equal(t, digest, digest2)
		require.Equal(t, s.Optimizer, again.Optimizer)
		require.Equal(t, s.Data.Shuffle, again.Data.Shuffle)
	}
}

func TestValuesWhoseZeroIsNotTheDefault(t *testing.T) {
	s, err := spec.Decode([]byte(with("optimizer: {adam: {learning_rate: 1, beta1: 0}}") + "strict: false\n"))
	require.NoError(t, err)
	require.Equal(t, &job.Adam{LearningRate: 1, Beta1: 0, Beta2: 0.999, Epsilon: 1e-8}, s.Optimizer.Adam)
	for text, want := range map[string]job.Optimizer{
		"{rmsprop: {learning_rate: 1}}": {RMSprop: &job.RMSprop{LearningRate: 1, Alpha: 0.99, Epsilon: 1e-8}},
		"{adagrad: {learning_rate: 1}}": {Adagrad: &job.Adagrad{LearningRate: 1, Epsilon: 1e-10}},
		"{lion: {learning_rate: 1}}":    {Lion: &job.Lion{LearningRate: 1, Beta1: 0.9, Beta2: 0.99}},
	} {
		s, err := spec.Decode([]byte(with("optimizer: " + text)))
		require.NoError(t, err)
		require.Equal(t, want, s.Optimizer)
	}
	require.False(t, *s.Strict)
	require.True(t, s.Data.Shuffle)
	s, err = spec.Decode([]byte(with("data: {source: a.csv, label: y, shuffle: false}")))
	require.NoError(t, err)
	require.False(t, s.Data.Shuffle)
}
