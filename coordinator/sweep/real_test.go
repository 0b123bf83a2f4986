package sweep

import (
	"context"
	"io"
	"testing"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"tributary/shared/job"
	"tributary/shared/lifecycle"
	"tributary/shared/registry"
)

// Real trials, at one time and one after the other, have the same results. A sweep that is
// started again trains only what is missing.
func TestRealTrials(t *testing.T) {
	t.Chdir("../..")
	const text = `
name: digits
job: deployments/jobs/digits.yaml
monitor: accuracy
parameters: {epochs: [1, 2], seed: [1, 2]}
`
	dir := t.TempDir()
	var outcomes []*Outcome
	trained := 0
	for _, parallel := range []int{2, 1, 1} {
		s := decoded(t, text)
		train := inProcess(lifecycle.Contexts{Soft: t.Context(), Hard: t.Context()}, zerolog.Nop(), parallel)
		r := &runner{Sweep: s, out: dir, parallel: parallel, say: io.Discard, train: func(ctx context.Context, text []byte, dir string) (*job.Outcome, error) {
			trained++
			return train(ctx, text, dir)
		}}
		if parallel == 2 {
			r.train = train
		} else if len(outcomes) == 1 {
			r.out = t.TempDir()
		}
		o, err := r.run(t.Context())
		require.NoError(t, err)
		outcomes = append(outcomes, o)
		dir = r.out
	}
	require.Equal(t, 4, trained, "the third sweep had nothing to train")
	require.Equal(t, outcomes[1], outcomes[2])
	require.Equal(t, outcomes[0].Best.Metrics, outcomes[1].Best.Metrics)
	require.EqualValues(t, 2, outcomes[0].Best.Values["epochs"])
	a, err := registry.Load(outcomes[0].Out)
	require.NoError(t, err)
	b, err := registry.Load(outcomes[1].Out)
	require.NoError(t, err)
	require.Equal(t, a.Card.ParametersSHA256, b.Card.ParametersSHA256)
}
