package monitor_test

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tributary/shared/job"
	"tributary/shared/monitor"
)

func stopping(e job.EarlyStopping) *monitor.Monitor {
	s := job.Spec{EarlyStopping: &e}
	s.Default()
	return monitor.New(&s)
}

func add(m *monitor.Monitor, figure string, values ...float64) {
	for _, v := range values {
		m.Add(m.Known()+10, map[string]float64{figure: v})
	}
}

func TestAJobStopsAfterSoManyEvaluationsWithoutAnImprovement(t *testing.T) {
	m := stopping(job.EarlyStopping{Patience: 2})
	add(m, "loss", 3, 2, 2.5, 1.5, 1.5)
	require.False(t, m.Stopped())
	require.EqualValues(t, 40, m.Best())
	add(m, "loss", 1.6)
	require.True(t, m.Stopped())
	require.EqualValues(t, []int64{60, 40}, []int64{m.Known(), m.Best()})
	add(m, "loss", 0)
	require.EqualValues(t, 60, m.Known(), "the job has ended")
}

func TestAnImprovementIsMoreThanMinDelta(t *testing.T) {
	m := stopping(job.EarlyStopping{Patience: 3, MinDelta: 0.5})
	add(m, "loss", 3, 2.75, 2.5)
	require.EqualValues(t, 10, m.Best())
	add(m, "loss", 2.25)
	require.EqualValues(t, 40, m.Best())
	require.False(t, m.Stopped())
}

func TestHigherIsBetterForAccuracy(t *testing.T) {
	m := stopping(job.EarlyStopping{Monitor: "accuracy", Patience: 1})
	add(m, "accuracy", 0.5, 0.75)
	require.EqualValues(t, 20, m.Best())
	add(m, "accuracy", 0.5)
	require.True(t, m.Stopped())
	m = stopping(job.EarlyStopping{Monitor: "accuracy", Patience: 1, Mode: job.Min})
	add(m, "accuracy", 0.5, 0.25)
	require.EqualValues(t, 20, m.Best())
}

// A figure that is undefined, or not a number, never improves.
func TestAnUndefinedFigureDoesNotImprove(t *testing.T) {
	m := stopping(job.EarlyStopping{Patience: 2})
	add(m, "loss", math.NaN())
	require.Zero(t, m.Best())
	m.Add(20, nil)
	require.True(t, m.Stopped())
}

func TestTheBestIsKeptUnlessTheSpecSaysOtherwise(t *testing.T) {
	no := false
	for _, restore := range []*bool{nil, &no} {
		m := stopping(job.EarlyStopping{Patience: 2, RestoreBest: restore})
		require.False(t, m.Keeps())
		add(m, "loss", 2)
		require.Equal(t, restore == nil, m.Keeps())
		add(m, "loss", 3)
		require.False(t, m.Keeps())
	}
}

// The learning rates are those of PyTorch's ReduceLROnPlateau (testdata/make_plateau.py).
func TestReductionsArePyTorchs(t *testing.T) {
	data, err := os.ReadFile("testdata/plateau.json")
	require.NoError(t, err)
	var cases []struct {
		Plateau *job.ReduceOnPlateau `json:"plateau"`
		Figures []float64            `json:"figures"`
		Reduced []int                `json:"reduced"`
	}
	require.NoError(t, json.Unmarshal(data, &cases))
	require.Len(t, cases, 8)
	for i, c := range cases {
		s := job.Spec{Schedule: job.Schedule{ReduceOnPlateau: c.Plateau}}
		s.Default()
		m := monitor.New(&s)
		for k, figure := range c.Figures {
			m.Add(int64(k+1), map[string]float64{c.Plateau.Monitor: figure})
			require.Equal(t, c.Reduced[k], m.Reductions(int64(k+1)), "case %d, evaluation %d", i, k)
		}
		for k := range c.Figures { // also of the steps before
			require.Equal(t, c.Reduced[k], m.Reductions(int64(k+1)))
		}
		require.Zero(t, m.Reductions(0))
	}
}

// Decisions do not depend on whether evaluations come one by one or, after a restart,
// together.
func TestDecisionsFollowFromTheEvaluationsAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := job.Spec{
			EarlyStopping: &job.EarlyStopping{Patience: rapid.IntRange(1, 4).Draw(t, "patience")},
			Schedule:      job.Schedule{ReduceOnPlateau: &job.ReduceOnPlateau{Patience: 1, Cooldown: rapid.IntRange(0, 2).Draw(t, "cooldown")}},
		}
		s.Default()
		m := monitor.New(&s)
		var list []monitor.Evaluation
		for step := range int64(20) {
			e := monitor.Evaluation{Step: step + 1, Split: job.Validation, Metrics: map[string]float64{"loss": rapid.Float64Range(0, 3).Draw(t, "loss")}}
			list = append(list, e, monitor.Evaluation{Step: step + 1, Split: job.Test, Metrics: map[string]float64{"loss": 0}})
			m.AddAll(list, step+1)
			again := monitor.New(&s)
			again.AddAll(list, step+1)
			require.Equal(t, again, m)
		}
	})
}

func TestDecodeSorts(t *testing.T) {
	list, err := monitor.Decode(map[string][]byte{
		"10/test": []byte(`{"step":10,"split":"test","metrics":{}}`), "10/train": []byte(`{"step":10,"split":"train","metrics":{}}`),
		"9/validation": []byte(`{"step":9,"split":"validation","metrics":{"loss":1}}`),
	})
	require.NoError(t, err)
	require.Equal(t, []job.Split{job.Validation, job.Train, job.Test}, []job.Split{list[0].Split, list[1].Split, list[2].Split})
	_, err = monitor.Decode(map[string][]byte{"9/validation": []byte(`{`)})
	require.ErrorIs(t, err, job.ErrCorrupt)
}

func TestNothingFollowsWithoutRules(t *testing.T) {
	require.Nil(t, monitor.New(&job.Spec{}))
}
