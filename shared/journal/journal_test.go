package journal_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
	"tributary/shared/journal"
	"tributary/shared/ledger/memory"
	"tributary/shared/notice"
)

var ref = job.Ref{Job: "a", Run: "r"}

func TestAttempts(t *testing.T) {
	l, ctx := memory.New(), t.Context()
	task := job.Task{Ref: ref, Kind: job.Gradient, Step: 4, Steps: 10, Node: 1, Attempt: 7}
	one, two := journal.New(task, "w1", 1), journal.New(task, "w2", 1)
	require.NoError(t, one.Begin(ctx, l))
	require.NoError(t, two.Begin(ctx, l))
	require.NoError(t, two.Fail(ctx, l, task.At(6), "no room", true))
	got, err := journal.Attempts(ctx, l, ref)
	require.NoError(t, err)
	require.Len(t, got, 2)
	require.False(t, got[0].Failed())
	require.Equal(t, task, got[0].Task)
	require.True(t, got[1].Failed())
	require.Equal(t, []any{int64(6), "w2", "no room", true}, []any{got[1].Task.Step, got[1].Worker, got[1].Error, got[1].Poison})
	require.NoError(t, got[1].End(ctx, l))
	require.NoError(t, one.End(ctx, l))
	got, err = journal.Attempts(ctx, l, ref)
	require.NoError(t, err)
	require.Empty(t, got)
}

// An attempt at a task that the worker's program does not know has not failed.
func TestAnAttemptThatIsLeftToOthers(t *testing.T) {
	l, ctx := memory.New(), t.Context()
	a := journal.New(job.Task{Ref: ref, Kind: "distil"}, "w1", 1)
	require.NoError(t, a.Begin(ctx, l))
	require.NoError(t, a.Leave(ctx, l, "task kind distil"))
	got, err := journal.Attempts(ctx, l, ref)
	require.NoError(t, err)
	require.Len(t, got, 1)
	require.False(t, got[0].Failed())
	require.Equal(t, "task kind distil", got[0].Unsupported)
}

// A note that an unknown writer wrote, or that belongs to another job, confirms nothing.
func TestDamagedNotesConfirmNothing(t *testing.T) {
	l, ctx := memory.New(), t.Context()
	for name, note := range map[string]string{
		"attempt/x": "{", "attempt/y": `{"task":{"job":"b","run":"r"},"worker":"w"}`, "attempt/z": `{"task":{"job":"a","run":"r"}}`, "recall": "soon",
		"aside/w": `{"worker":"w","seconds":1e9}`,
	} {
		require.NoError(t, l.Note(ctx, ref, name, []byte(note)))
	}
	got, err := journal.Attempts(ctx, l, ref)
	require.NoError(t, err)
	require.Empty(t, got)
	_, err = journal.Recalled(ctx, l, ref)
	require.ErrorIs(t, err, job.ErrCorrupt)
	_, _, err = journal.TakeAside(ctx, l, ref, "w")
	require.ErrorIs(t, err, job.ErrCorrupt)
}

func TestRecallAndAside(t *testing.T) {
	l, ctx := memory.New(), t.Context()
	before, err := journal.Recalled(ctx, l, ref)
	require.NoError(t, err)
	require.Zero(t, before)
	require.NoError(t, journal.Recall(ctx, l, ref, 12))
	before, err = journal.Recalled(ctx, l, ref)
	require.NoError(t, err)
	require.Equal(t, 12, before)

	require.NoError(t, journal.SetAside(ctx, l, notice.Aside{Ref: ref, Worker: "w", Seconds: 2}))
	_, ok, err := journal.TakeAside(ctx, l, ref, "v")
	require.NoError(t, err)
	require.False(t, ok)
	a, ok, err := journal.TakeAside(ctx, l, ref, "w")
	require.NoError(t, err)
	require.True(t, ok)
	require.InDelta(t, 2, a.Seconds, 0)
	_, ok, err = journal.TakeAside(ctx, l, ref, "w")
	require.NoError(t, err)
	require.False(t, ok, "it is obeyed once")
}
