package plan

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
)

// A plan's bytes come from outside. A schedule that no step can be computed with is corrupt.
func TestSchedulesOfAPlanAreChecked(t *testing.T) {
	for _, s := range []job.Schedule{
		{Step: &job.StepDecay{Gamma: 0.5}},
		{Piecewise: &job.Piecewise{}},
		{Cosine: &job.Cosine{Steps: 3, RestartFactor: -1}},
		{WarmupSteps: -1},
		{Exponential: &job.Exponential{Gamma: 2}},
		{OneCycle: &job.OneCycle{}},
		{Linear: &job.Decline{End: -1}},
		{Step: &job.StepDecay{Steps: 1, Gamma: 1}, Cosine: &job.Cosine{}},
	} {
		p := of(10, 4, 2, 3)
		p.Spec.Schedule = s
		require.ErrorIs(t, p.validate(), job.ErrCorrupt, "%+v", s)
	}
}
