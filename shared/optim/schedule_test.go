package optim_test

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tributary/shared/job"
	"tributary/shared/optim"
)

// The learning rates are those of PyTorch's schedulers (testdata/make_schedules.py).
func TestSchedulesArePyTorchs(t *testing.T) {
	data, err := os.ReadFile("testdata/schedules.json")
	require.NoError(t, err)
	var cases []struct {
		Schedule json.RawMessage `json:"schedule"`
		Steps    int64           `json:"steps"`
		Rates    []float64       `json:"rates"`
	}
	require.NoError(t, json.Unmarshal(data, &cases))
	require.Len(t, cases, 13)
	for _, c := range cases {
		s := job.Spec{Optimizer: job.Optimizer{SGD: &job.SGD{LearningRate: 0.5}}}
		require.NoError(t, json.Unmarshal(c.Schedule, &s.Schedule))
		s.Default()
		constant, err := optim.New(s.Optimizer)
		require.NoError(t, err)
		f := constant.With(s.Schedule, c.Steps)
		require.Len(t, c.Rates, int(c.Steps))
		for step, want := range c.Rates {
			require.InDelta(t, want, f.Rate(int64(step)), 1e-9*want+1e-12, "%s step %d", c.Schedule, step)
		}
	}
}

// A step with a schedule is a step with the scheduled rate.
func TestAScheduleChangesTheRateAlone(t *testing.T) {
	halving := job.Schedule{Step: &job.StepDecay{Steps: 3, Gamma: 0.5}}
	for name, o := range optimizers {
		full, err := optim.New(o)
		require.NoError(t, err)
		f := full.With(halving, 10)
		half := halved(t, o)
		constant, err := optim.New(half)
		require.NoError(t, err)
		var got, want [3]float32
		run := func(f *optim.Fold, p []float32) {
			state := make([][]float32, f.Vectors())
			for i := range state {
				state[i] = []float32{0.25, 0.5, 0.125}
			}
			f.Apply(p, state, 4, []float32{1, -2, 3}, 4)
		}
		got, want = [3]float32{1, 2, 3}, [3]float32{1, 2, 3}
		run(f, got[:])
		run(constant, want[:])
		require.Equal(t, want, got, name)
	}
}

// Every factor is finite and not negative, at any step of any job, also after its end.
func TestFactorsAreNumbers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		steps := rapid.Int64Range(1, 50).Draw(t, "steps")
		length := rapid.Int64Range(0, 60).Draw(t, "length")
		end := rapid.Float64Range(0, 1).Draw(t, "end")
		s := rapid.SampledFrom([]job.Schedule{
			{},
			{Linear: &job.Decline{Steps: length, End: end}},
			{Cosine: &job.Cosine{Steps: length, End: end}},
			{Cosine: &job.Cosine{Steps: max(1, length), End: end, RestartFactor: 3}},
			{OneCycle: &job.OneCycle{Start: rapid.Float64Range(1e-6, 0.999999).Draw(t, "start"), DivFactor: 25, FinalDivFactor: 1e4}},
			{Exponential: &job.Exponential{Gamma: 0.5}},
		}).Draw(t, "kind")
		if s.OneCycle == nil {
			s.WarmupSteps = rapid.Int64Range(0, 70).Draw(t, "warm-up")
		}
		constant, err := optim.New(job.Optimizer{SGD: &job.SGD{LearningRate: 1}})
		require.NoError(t, err)
		f := constant.With(s, steps)
		for step := range steps + 100 {
			rate := f.Rate(step)
			require.False(t, math.IsNaN(rate) || rate < 0 || rate > 1, "step %d: %v", step, rate)
		}
	})
}

// halved returns the optimizer with half the learning rate.
func halved(t *testing.T, o job.Optimizer) (half job.Optimizer) {
	data, err := json.Marshal(o)
	require.NoError(t, err)
	var kinds map[string]map[string]any
	require.NoError(t, json.Unmarshal(data, &kinds))
	for _, fields := range kinds {
		fields["learning_rate"] = fields["learning_rate"].(float64) / 2
	}
	data, err = json.Marshal(kinds)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &half))
	return half
}

// Adagrad's own decay of the learning rate is part of the rate of a step.
func TestRateOfAdagrad(t *testing.T) {
	f, err := optim.New(job.Optimizer{Adagrad: &job.Adagrad{LearningRate: 0.5, LRDecay: 0.1, Epsilon: 1e-10}})
	require.NoError(t, err)
	require.Equal(t, []float64{0.5, 0.25}, []float64{f.Rate(0), f.Rate(10)})
	require.Equal(t, 0.25, f.With(job.Schedule{Step: &job.StepDecay{Steps: 5, Gamma: 0.5}}, 20).Rate(5)*1.5)
}
