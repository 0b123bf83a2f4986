package fleet

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
	"tributary/shared/notice"
	"tributary/shared/transcript"
	"tributary/shared/tree"
)

// TestTranscripts plays testdata/*.txt. A line "> time event args" is an event; "A new
// fleet." begins with another fleet.
func TestTranscripts(t *testing.T) {
	transcript.Run(t, "testdata/*.txt", func(t *testing.T) func(string) []string {
		f := New()
		return func(line string) []string {
			switch {
			case strings.HasPrefix(line, "> "):
				return happen(t, f, strings.Fields(line)[1:])
			case line == "A new fleet.":
				f = New()
			}
			return nil
		}
	})
}

// happen passes one event to the fleet and returns its answers.
func happen(t *testing.T, f *Fleet, line []string) []string {
	t.Helper()
	now, err := time.ParseDuration(line[0])
	require.NoError(t, err, line)
	args := line[2:]
	switch line[1] {
	case "has": // worker slots memory
		b := notice.Beat{Worker: args[0], Numerics: "n"}
		_, err := fmt.Sscan(strings.Join(args[1:], " "), &b.Slots, &b.Memory)
		require.NoError(t, err, line)
		f.Beat(now, b)
		return nil
	case "leaves": // worker
		f.Beat(now, notice.Beat{Worker: args[0], Leaving: true})
		return nil
	case "needs": // memory
		need := Need{Job: job.Ref{Job: "j", Run: "r"}}
		_, err := fmt.Sscan(args[0], &need.Memory)
		require.NoError(t, err, line)
		workers, most := f.Largest("n")
		return []string{fmt.Sprintf("[%d slots in teams of %d; the largest of %d workers has %d]", f.Slots("n", need), f.Team("n", need), workers, most)}
	case "unsupported": // worker
		return []string{fmt.Sprintf("[news: %t; other jobs have %d slots]", f.Unsupported(job.Ref{Job: "j", Run: "r"}, args[0]), f.Slots("n", Need{Job: job.Ref{Job: "other", Run: "r"}}))}
	case "runs": // worker version
		f.Beat(now, notice.Beat{Worker: args[0], Numerics: "n", Slots: 1, Version: args[1]})
		return []string{f.Versions()}
	case "beat": // worker slots [aside]
		b := notice.Beat{Worker: args[0], Numerics: "n", Aside: len(args) > 2}
		_, err := fmt.Sscan(args[1], &b.Slots)
		require.NoError(t, err, line)
		f.Beat(now, b)
		return []string{fmt.Sprintf("[%d slots]", f.Slots("n", Need{}))}
	case "fails": // worker task, again at each of the further times
		verdict, trial := f.Failed(now, task(t, args[1]), args[0])
		for _, more := range args[2:] {
			later, err := time.ParseDuration(more)
			require.NoError(t, err, line)
			require.Equal(t, Again, verdict, line)
			verdict, trial = f.Failed(later, task(t, args[1]), args[0])
		}
		return []string{fmt.Sprintf("%s: failed %s", verdict, counts(trial.Failed))}
	case "lost": // task deliveries
		var n int
		_, err := fmt.Sscan(args[1], &n)
		require.NoError(t, err, line)
		verdict, trial := f.Lost(task(t, args[0]), n)
		return []string{fmt.Sprintf("%s: failed %s, lost %d", verdict, counts(trial.Failed), trial.Lost)}
	case "outage":
		f.Outage()
		return nil
	case "done": // steps worker
		var steps int64
		_, err := fmt.Sscan(args[0], &steps)
		require.NoError(t, err, line)
		var said []string
		for _, a := range f.Done(now, job.Ref{Job: "j", Run: "r"}, steps, args[1]) {
			said = append(said, fmt.Sprintf("aside: %s for %s", a.Worker, a.Cooldown))
		}
		return append(said, fmt.Sprintf("[%d slots]", f.Slots("n", Need{})))
	}
	require.Fail(t, "unknown event", line)
	return nil
}

// task parses step/node.
func task(t *testing.T, name string) job.Task {
	t.Helper()
	task := job.Task{Ref: job.Ref{Job: "j", Run: "r"}, Kind: job.Gradient}
	var node tree.Node
	_, err := fmt.Sscanf(name, "%d/%d", &task.Step, &node)
	require.NoError(t, err, name)
	task.Node = node
	return task
}

func counts(failed map[string]int) string {
	var all []string
	for _, w := range slices.Sorted(maps.Keys(failed)) {
		all = append(all, fmt.Sprintf("%s×%d", w, failed[w]))
	}
	if len(all) == 0 {
		return "nowhere"
	}
	return strings.Join(all, " ")
}
