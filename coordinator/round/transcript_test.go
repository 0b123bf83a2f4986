package round

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tributary/shared/transcript"
	"tributary/shared/tree"
)

// TestTranscripts plays testdata/*.txt. A line "config settings" makes a new machine. A
// line "> time event args" is an event for it. The answers are the actions that the
// machine returns and the phase that it is in.
func TestTranscripts(t *testing.T) {
	transcript.Run(t, "testdata/*.txt", func(t *testing.T) func(string) []string {
		var r *Round
		return func(line string) (answers []string) {
			switch {
			case strings.HasPrefix(line, "config "):
				r = New(parseConfig(t, line))
			case strings.HasPrefix(line, "> "):
				now, event := parseEvent(t, line)
				for _, a := range r.Handle(now, event) {
					answers = append(answers, describe(a))
				}
				answers = append(answers, fmt.Sprintf("[%s, %d committed]", r.Phase(), r.Committed()))
			}
			return answers
		}
	})
}

func parseConfig(t *testing.T, line string) Config {
	t.Helper()
	var evaluateEvery int64
	cfg := Config{BackupFactor: 3, BackupFloor: 100 * time.Millisecond, FirstFloor: time.Second}
	line, cfg.Monitored = strings.CutSuffix(line, " monitored")
	line, deadline, given := strings.Cut(line, " deadline=")
	if given {
		deadline, stopAt, _ := strings.Cut(deadline, " stop-at=")
		var err error
		cfg.Deadline, err = time.ParseDuration(deadline)
		require.NoError(t, err, line)
		if stopAt != "" {
			_, err = fmt.Sscan(stopAt, &cfg.StopAt)
			require.NoError(t, err, line)
		}
	}
	line, taskTime, given := strings.Cut(line, " task-time=")
	if given {
		var err error
		cfg.TaskTime, err = time.ParseDuration(taskTime)
		require.NoError(t, err, line)
		cfg.ShortTaskTime, cfg.AnnounceTime = cfg.TaskTime/10, cfg.TaskTime/20
	}
	line, batchCommits, given := strings.Cut(line, " batch-commit-steps=")
	if given {
		_, err := fmt.Sscan(batchCommits, &cfg.BatchCommitSteps)
		require.NoError(t, err, line)
	}
	line, checkpoints, given := strings.Cut(line, " checkpoint-every=")
	if given {
		_, err := fmt.Sscanf(checkpoints, "%d or=%s", &cfg.CheckpointSteps, (*duration)(&cfg.CheckpointTime))
		require.NoError(t, err, line)
	}
	_, err := fmt.Sscanf(line, "config steps=%d microbatches=%d evaluate-every=%d snapshot-every=%d",
		&cfg.Steps, &cfg.Microbatches, &evaluateEvery, &cfg.SnapshotEvery)
	require.NoError(t, err, line)
	cfg.EvaluateAfter = func(steps int64) bool {
		return evaluateEvery > 0 && steps > 0 && steps < cfg.Steps && steps%evaluateEvery == 0
	}
	return cfg
}

func parseEvent(t *testing.T, line string) (time.Duration, Event) {
	t.Helper()
	fields := strings.Fields(line)
	require.GreaterOrEqual(t, len(fields), 3, line)
	now, err := time.ParseDuration(fields[1])
	require.NoError(t, err, line)
	args := strings.Join(fields[3:], " ")
	scan := func(format string, into ...any) {
		_, err := fmt.Sscanf(args, format, into...)
		require.NoError(t, err, line)
	}
	switch fields[2] {
	case "resumed":
		var e Resumed
		scan("committed=%d snapshot=%d", &e.Committed, &e.Snapshot)
		if len(fields) > 5 {
			_, err := fmt.Sscanf(fields[5], "checkpoint=%d", &e.Checkpoint)
			require.NoError(t, err, line)
		}
		return now, e
	case "fleet":
		var e Fleet
		e.Team = 1
		args, e.Crowded = strings.CutSuffix(args, " crowded")
		if strings.Contains(args, "team=") {
			scan("slots=%d team=%d", &e.Slots, &e.Team)
			return now, e
		}
		scan("slots=%d", &e.Slots)
		return now, e
	case "committed":
		var e Committed
		scan("%d", &e.Steps)
		return now, e
	case "evaluated":
		var e Evaluated
		args, e.Stop = strings.CutSuffix(args, " stop")
		scan("%d", &e.Steps)
		return now, e
	case "snapshotted":
		var e Snapshotted
		scan("%d", &e.Steps)
		return now, e
	case "checkpointed":
		var e Checkpointed
		scan("%d", &e.Steps)
		return now, e
	case "unsaved":
		var e Unsaved
		scan("%d", &e.Steps)
		return now, e
	case "missing":
		var e Missing
		scan("after=%d", &e.Steps)
		for _, f := range fields[4:] {
			var n tree.Node
			_, err := fmt.Sscan(f, &n)
			require.NoError(t, err, line)
			e.Nodes = append(e.Nodes, n)
		}
		return now, e
	case "tick":
		return now, Tick{}
	case "full":
		return now, Full{}
	case "room":
		var e Room
		scan("%d", &e.Steps)
		return now, e
	}
	require.Fail(t, "unknown event", line)
	return 0, nil
}

// duration is a time.Duration that Scan reads in the format of time.ParseDuration.
type duration time.Duration

func (d *duration) Scan(state fmt.ScanState, _ rune) error {
	text, err := state.Token(true, nil)
	if err != nil {
		return err
	}
	parsed, err := time.ParseDuration(string(text))
	*d = duration(parsed)
	return err
}

func describe(a Action) string {
	name := strings.ToLower(strings.TrimPrefix(fmt.Sprintf("%T", a), "round."))
	return strings.TrimSpace(name + " " + strings.Trim(fmt.Sprintf("%+v", a), "{}"))
}
