package course

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
	"tributary/shared/transcript"
	"tributary/shared/tree"
)

// TestTranscripts plays testdata/*.txt. A line "task settings" makes a new machine. A line
// "> event args" is an event for it, and the answer is the action that the machine returns.
func TestTranscripts(t *testing.T) {
	transcript.Run(t, "testdata/*.txt", func(t *testing.T) func(string) []string {
		var c *Course
		return func(line string) []string {
			switch {
			case strings.HasPrefix(line, "task "):
				c = parseTask(t, line)
			case strings.HasPrefix(line, "> "):
				return []string{describe(c.Handle(parseEvent(t, line)), c.Err())}
			}
			return nil
		}
	})
}

// parseTask reads "task step=0 steps=5 node=1 announce=2 batch=3-10 lossy"; announce, batch
// and lossy may be missing.
func parseTask(t *testing.T, line string) *Course {
	t.Helper()
	task, l := job.Task{Ref: job.Ref{Job: "j", Run: "r"}, Kind: job.Gradient}, Limits{MaxBatch: 4096}
	line, l.Lossy = strings.CutSuffix(line, " lossy")
	line, batch, given := strings.Cut(line, " batch=")
	if given {
		_, err := fmt.Sscanf(batch, "%d-%d", &l.MinBatch, &l.MaxBatch)
		require.NoError(t, err, line)
	}
	line, announce, given := strings.Cut(line, " announce=")
	if given {
		_, err := fmt.Sscan(announce, &task.Announce)
		require.NoError(t, err, line)
	}
	var node tree.Node
	_, err := fmt.Sscanf(line, "task step=%d steps=%d node=%d", &task.Step, &task.Steps, &node)
	require.NoError(t, err, line)
	task.Node = node
	return New(task, l)
}

// faults are the errors that a transcript can name.
var faults = map[string]error{"stale": job.ErrStale, "behind": ErrBehind, "fault": errors.New("fault")}

func parseEvent(t *testing.T, line string) Event {
	t.Helper()
	fields := strings.Fields(line)
	e := Event{Is: Answer(slices.Index(answers, fields[1]))}
	require.Contains(t, answers, fields[1], line)
	for _, arg := range fields[2:] {
		if fault, ok := faults[arg]; ok {
			e.Err = fault
			continue
		}
		_, err := fmt.Sscanf(arg, "committed=%d", &e.Committed)
		require.NoError(t, err, line)
	}
	require.Equal(t, e.Is == Failed, e.Err != nil, line)
	return e
}

// answers are the names of the answers in a transcript.
var answers = []string{
	"begun", "done", "failed", "seen", "recalled", "leaving", "overdue", "checked", "contended",
	"stored", "stored-chunks", "stored-root", "refused",
}

// stepless lists the verbs without a step.
var stepless = map[Verb]bool{Poll: true, Yield: true, WaitAppend: true, WaitBatch: true, Reset: true}

// describe formats an action on one line, with the flags that are set.
func describe(a Action, outcome error) string {
	switch {
	case a.Do == End:
		text := strings.ReplaceAll(fmt.Sprint(outcome), "\n", "; ")
		if at := (*job.TaskError)(nil); errors.As(outcome, &at) {
			return fmt.Sprintf("End at step %d: %s", at.Task.Step, text)
		}
		return "End: " + text
	case stepless[a.Do]:
		return a.Do.String()
	case a.Do == StartBatch:
		return fmt.Sprintf("StartBatch %d..%d", a.Step, a.Step+a.Steps-1)
	}
	line := fmt.Sprint(a.Do, " ", a.Step)
	for i, flag := range []string{"speculative", "batch", "own", "whole", "quiet"} {
		if a.Has(1 << i) {
			line += " " + flag
		}
	}
	return line
}
