package trial

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
)

const small = `spec: {name: x, data: {inline: {x: [1, 2, 3, 4], y: [1, 2, 3, 4]}, split: {train: 0.75, validation: 0.25}}, model: {layers: [{dense: {units: 1}}]},
  loss: mse, optimizer: {sgd: {learning_rate: 0.1}}, batch: 1, epochs: 9}
`

// course returns the course of a new record of a sweep.
func course(t *testing.T, text string) Course {
	t.Helper()
	s, err := Decode([]byte(text))
	require.NoError(t, err)
	r, err := NewRecord(s, 9, time.Unix(0, 0))
	require.NoError(t, err)
	return again(t, &r)
}

// again reads a record as another coordinator would.
func again(t *testing.T, r *Record) Course {
	t.Helper()
	data, err := json.Marshal(r)
	require.NoError(t, err)
	read := new(Record)
	require.NoError(t, json.Unmarshal(data, read))
	c, err := NewCourse(read)
	require.NoError(t, err)
	return c
}

func gave(v float64) *job.Outcome {
	return &job.Outcome{ParametersSHA256: "d", Metrics: map[job.Split]map[string]float64{job.Validation: {"loss": v}}}
}

// Every step of halving is read from the record, which another coordinator may have written.
func TestACourse(t *testing.T) {
	c := course(t, "name: s\nsearch: halving\ntrials: 9\nparallel: 2\nparameters: {seed: {int: [1, 99]}}\n"+small)
	jobs := map[job.ID]int{}
	for !c.State.Final() {
		next := c.Next(2)
		require.NotEmpty(t, next)
		require.Equal(t, next, again(t, c.Record).Next(2))
		j := next[len(next)-1] // in another order
		jobs[j.ID] = j.Epochs
		switch {
		case j.Trial == 4 || j.Trial == 5 && j.Epochs == 9:
			c.End(j, nil, strings.Repeat("ä", 200))
		default:
			c.End(j, gave(float64(10*j.Trial%7)-float64(j.Epochs)), "")
		}
		c = again(t, c.Record)
		c.Advance(time.Unix(9, 0))
		c = again(t, c.Record)
	}
	require.Equal(t, Succeeded, c.State)
	require.Len(t, jobs, 9+3+1)
	require.Equal(t, 1, jobs["s-007"])
	require.Equal(t, 3, jobs["s-007-r2"])
	require.Equal(t, 9, jobs["s-007-r3"])
	require.Equal(t, Best{Trial: 7, Job: "s-007-r3", Value: -9, Epochs: 9, ParametersSHA256: "d", Metrics: gave(-9).Metrics}, *c.Best)
	order := c.Order(c.Results())
	require.Equal(t, []int{7, 4}, []int{order[0].Number, order[8].Number})
	require.LessOrEqual(t, len(order[8].Error), maxReason)
	require.Equal(t, job.ID("s-007-r3"), c.NewestJob(7))
	require.Equal(t, job.ID("s-004"), c.NewestJob(4))
}

// A trial that fails in the last round does not take the sweep with it.
func TestTheBestOfAnEarlierRound(t *testing.T) {
	c := course(t, "name: s\nsearch: halving\ntrials: 3\nhalving: {epochs: 3}\nparameters: {seed: {int: [1, 99]}}\n"+small)
	for _, j := range c.Next(9) {
		c.End(j, gave(float64(j.Trial)), "")
	}
	require.True(t, c.Advance(time.Unix(0, 0)))
	last := c.Next(9)
	require.Len(t, last, 1)
	require.Equal(t, 1, last[0].Trial)
	c.End(last[0], nil, "diverged")
	require.True(t, c.Advance(time.Unix(0, 0)))
	require.Equal(t, Succeeded, c.State)
	require.Equal(t, job.ID("s-002"), c.Best.Job)
	require.True(t, c.Incomplete())
	c.Complete(gave(7))
	require.True(t, c.Incomplete(), "another job has that id now")
	c.Complete(gave(2))
	require.False(t, c.Incomplete())
	require.Equal(t, Best{Trial: 2, Job: "s-002", Value: 2, Epochs: 3, ParametersSHA256: "d", Metrics: gave(2).Metrics}, *c.Best)
}

func TestACourseWithoutABest(t *testing.T) {
	for text, want := range map[string]string{
		"name: s\nparameters: {seed: [1, 2]}\n" + small: "no trial has the figure loss of the validation split; trial 1: diverged",
		"name: s\nsearch: folds\n" + strings.Replace(small, "split: {train: 0.75, validation: 0.25}", "split: {k_folds: 2}", 1): "fold 2: diverged",
	} {
		c := course(t, text)
		next := c.Next(9)
		require.Len(t, next, 2)
		for _, j := range next {
			if strings.HasPrefix(want, "fold") && j.Trial == 1 {
				require.Equal(t, job.ID("s-fold-1"), j.ID)
				c.End(j, gave(1), "")
				continue
			}
			c.End(j, nil, "diverged")
		}
		require.True(t, c.Advance(time.Unix(0, 0)))
		require.Equal(t, Failed, c.State)
		require.Equal(t, want, c.Error)
		require.Nil(t, c.Best)
	}
}

// The results of the largest sweep are within what its record reserves.
func TestARecordIsWithinItsGrowth(t *testing.T) {
	c := course(t, "name: s\nsearch: halving\ntrials: 10000\nparameters: {seed: {int: [1, 99]}}\n"+small)
	before, err := json.Marshal(c.Record)
	require.NoError(t, err)
	for !c.State.Final() {
		for _, j := range c.Next(1 << 20) {
			if j.Trial%3 == 0 {
				c.End(j, nil, strings.Repeat("\x01\"", 300))
			} else {
				c.End(j, gave(-0.12345678901234567*float64(j.Trial)), "")
			}
		}
		c.Advance(time.Unix(0, 0))
	}
	after, err := json.Marshal(c.Record)
	require.NoError(t, err)
	require.LessOrEqual(t, int64(len(after)), int64(len(before))+c.Growth(c.Sweep))
	require.Less(t, c.Growth(c.Sweep), int64(800<<10))
}

// Damaged records are errors.
func TestDamagedRecords(t *testing.T) {
	c := course(t, "name: s\nparameters: {seed: [1, 2]}\n"+small)
	for _, damage := range []func(*Record){
		func(r *Record) { r.Rounds = nil },
		func(r *Record) { r.Rounds[0].Values = nil },
		func(r *Record) { r.Trials = 9 },
		func(r *Record) { r.Sweep = []byte("{}") },
		func(r *Record) { r.Rounds[0].Trials = []int{1, 7} },
		func(r *Record) { r.Rounds[0].Trials, r.Rounds[0].Values = []int{2}, make([]*float64, 1) },
		func(r *Record) { r.Rounds = append(r.Rounds, Round{Trials: []int{}, Values: []*float64{}}) },
		func(r *Record) { r.Best = &Best{Trial: 0} },
		func(r *Record) { r.Best = &Best{Trial: 3} },
		func(r *Record) { r.Rounds = append(r.Rounds, Round{Values: make([]*float64, 1)}) },
	} {
		r := *again(t, c.Record).Record
		damage(&r)
		_, err := NewCourse(&r)
		require.ErrorIs(t, err, job.ErrCorrupt)
	}
	_, err := c.Cancel(time.Unix(0, 0))
	require.NoError(t, err)
	changed, err := c.Cancel(time.Unix(0, 0))
	require.NoError(t, err)
	require.False(t, changed)
}

// Hostile texts are refused soon and in words.
func TestHostileSweeps(t *testing.T) {
	bomb := "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
	for i := range 12 {
		bomb += fmt.Sprintf("b%d: &b%d [*%s, *%s, *%s, *%s, *%s, *%s, *%s, *%s]\n", i, i, prior(i), prior(i), prior(i), prior(i), prior(i), prior(i), prior(i), prior(i))
	}
	for want, text := range map[string]string{
		"want at most 1048576":        strings.Repeat("#", 1<<20+1),
		"nested more than 32 deep":    "name: s\nspec: " + strings.Repeat("[", 500) + strings.Repeat("]", 500),
		"want an object":              "[1, 2]",
		"sweep: ":                     bomb,
		"not UTF-8":                   "name: \xff",
		"parameters: 0: want 1 to 32": "{name: s, job: x}",
		"parallel: 1000: want 1":      "{name: s, job: x, parallel: 1000, parameters: {seed: [1]}}",
		"path of 1000001 bytes with ": "name: s\nparameters: {\"" + strings.Repeat("a.", 500_000) + "b\": [1]}\n" + small,
		"with 33 names and indices: ": "name: s\nparameters: {\"" + strings.Repeat("a.", 32) + "b\": [1]}\n" + small,
		"want none with search folds": "{name: s, job: x, search: folds, parameters: {seed: [1]}}",
		"data.split.k_folds of the":   "name: s\nsearch: folds\n" + small,
		"want 1 to 1000":              "{name: s, job: x, parameters: {seed: []}}",
	} {
		_, err := Decode([]byte(text))
		require.ErrorIs(t, err, job.ErrInvalid, want)
		require.ErrorContains(t, err, want)
		require.Less(t, len(err.Error()), 10_000)
	}
}

func prior(i int) string {
	if i == 0 {
		return "a"
	}
	return fmt.Sprintf("b%d", i-1)
}
