package notice_test

import (
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
	"tributary/shared/notice"
)

var ref = job.Ref{Job: "digits", Run: "r1"}

func TestValidate(t *testing.T) {
	long := strings.Repeat("x", notice.MaxText+1)
	for name, test := range map[string]struct {
		notice notice.Notice
		want   string // "" means valid
	}{
		"commit":                  {notice.Commit{Ref: ref, Step: 4, Committed: 5}, ""},
		"commit with a norm":      {notice.Commit{Ref: ref, Committed: 1, GradientNorm: &notice.GradientNorm{Norm: 0.5}}, ""},
		"commit with no norm":     {notice.Commit{Ref: ref, Committed: 1, GradientNorm: &notice.GradientNorm{Norm: math.NaN()}}, "gradient_norm.norm is NaN"},
		"norm below nothing":      {notice.Commit{Ref: ref, Committed: 1, GradientNorm: &notice.GradientNorm{Norm: -1}}, "gradient_norm.norm is -1"},
		"norm before time":        {notice.Commit{Ref: ref, Committed: 1, GradientNorm: &notice.GradientNorm{Step: -1}}, "gradient_norm.step is -1"},
		"commit of no job":        {notice.Commit{Step: 4, Committed: 5}, "job: id"},
		"commit of a wild job":    {notice.Commit{Ref: job.Ref{Job: "a.*"}, Committed: 1}, "job: id"},
		"commit without effect":   {notice.Commit{Ref: ref, Step: 4, Committed: 4}, "committed is 4"},
		"commit before time":      {notice.Commit{Ref: ref, Step: -1}, "step is -1"},
		"evaluated":               {notice.Evaluated{Ref: ref, Step: 9, Stored: 2}, ""},
		"evaluated less than 0":   {notice.Evaluated{Ref: ref, Stored: -2}, "stored is -2"},
		"snapshotted":             {notice.Snapshotted{Ref: ref, Step: 9}, ""},
		"snapshotted early":       {notice.Snapshotted{Ref: ref, Step: -9}, "step is -9"},
		"checkpointed":            {notice.Checkpointed{Ref: ref, Step: 9, Digest: "d"}, ""},
		"checkpointed early":      {notice.Checkpointed{Ref: ref, Step: -9}, "step is -9"},
		"checkpointed at length":  {notice.Checkpointed{Ref: ref, Digest: job.Digest(long)}, "digest has"},
		"failure":                 {notice.Failure{Ref: ref, Task: job.Task{Ref: ref}, Worker: "w", Error: "no"}, ""},
		"failure elsewhere":       {notice.Failure{Ref: ref, Worker: "w"}, "task is of job"},
		"failure, long story":     {notice.Failure{Ref: ref, Task: job.Task{Ref: ref}, Error: long}, "error has"},
		"beat":                    {notice.Beat{Worker: "w", Slots: 2, Busy: 1}, ""},
		"beat of nobody":          {notice.Beat{Slots: 2}, "worker is empty"},
		"beat of a giant":         {notice.Beat{Worker: "w", Slots: 1 << 30}, "slots is"},
		"beat of no memory":       {notice.Beat{Worker: "w", Memory: -1}, "memory is -1"},
		"beat of a worker":        {notice.Beat{Worker: "w", Capabilities: []job.Capability{"conv", "memory-4gib"}}, ""},
		"beat of a wild worker":   {notice.Beat{Worker: "w", Capabilities: []job.Capability{"a.>"}}, `class "a.>"`},
		"beat of a know-all":      {notice.Beat{Worker: "w", Capabilities: make([]job.Capability, 1000)}, "capabilities has 1000 entries"},
		"beat, negatively busy":   {notice.Beat{Worker: "w", Busy: -1}, "busy is -1"},
		"event":                   {notice.Event{Job: "digits", Type: notice.StateEvent}, ""},
		"event of unknown type":   {notice.Event{Job: "digits", Type: "party"}, `type is "party"`},
		"event with many words":   {notice.Event{Job: "digits", Type: notice.ErrorEvent, Message: long}, "message has"},
		"event with many figures": {notice.Event{Job: "digits", Type: notice.EvaluationEvent, Metrics: figures(100)}, "metrics has 100"},
	} {
		t.Run(name, func(t *testing.T) {
			err := test.notice.Validate()
			if test.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, test.want)
		})
	}
}

func figures(n int) map[string]float64 {
	m := make(map[string]float64, n)
	for i := range n {
		m[strings.Repeat("m", i+1)] = 1
	}
	return m
}

func TestEventLeavesOutWhatJSONCannotSay(t *testing.T) {
	loss := math.NaN()
	e := notice.Event{
		Job: "digits", Type: notice.ProgressEvent, Loss: &loss, SamplesPerSecond: math.Inf(1),
		Metrics: map[string]float64{"good": 1.5, "bad": math.Inf(-1)},
	}
	data, err := json.Marshal(e)
	require.NoError(t, err)
	var back notice.Event
	require.NoError(t, json.Unmarshal(data, &back))
	require.Nil(t, back.Loss)
	require.Zero(t, back.SamplesPerSecond)
	require.Equal(t, map[string]float64{"good": 1.5}, back.Metrics)
	require.Equal(t, []string{"bad"}, slices.Collect(maps.Keys(back.Undefined)), "named as undefined")
	require.Len(t, e.Metrics, 2, "the event itself is left alone")
}

func TestOnlyProgressIsDroppable(t *testing.T) {
	for _, typ := range notice.EventTypes {
		require.Equal(t, typ == notice.ProgressEvent, notice.Event{Type: typ}.Droppable(), typ)
	}
}

func TestClip(t *testing.T) {
	require.Equal(t, "short", notice.Clip("short"))
	for _, fill := range []string{"x", "é", "日", "🙂"} {
		got := notice.Clip("a" + strings.Repeat(fill, notice.MaxText))
		require.LessOrEqual(t, len(got), notice.MaxText)
		require.Greater(t, len(got), notice.MaxText-8)
		require.True(t, utf8.ValidString(got))
	}
}
