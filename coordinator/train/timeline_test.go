package train

import (
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"tributary/coordinator/report"
	"tributary/shared/job"
	"tributary/shared/notice"
)

func TestTimeline(t *testing.T) {
	start := time.Unix(100, 0).UTC()
	var l timeline
	progress := func(at, step int64) {
		l.see(notice.Event{Type: notice.ProgressEvent, Time: start.Add(time.Duration(at) * time.Second), Step: step, Workers: 2})
	}
	steps := func() (all []int64) {
		for _, m := range l.marks {
			all = append(all, m.Step)
		}
		return all
	}
	l.see(notice.Event{Type: notice.NoteEvent, Time: start})
	l.see(notice.Event{Type: notice.StateEvent, State: job.Preparing, Time: start})
	l.see(notice.Event{Type: notice.StateEvent, State: job.Running, Time: start.Add(time.Second)})
	progress(2, 10)
	progress(3, 20)
	progress(4, 30)
	progress(5, 15) // the ledger has lost steps
	l.see(notice.Event{Type: notice.StateEvent, State: job.Succeeded, Time: start.Add(9 * time.Second)})
	require.Equal(t, []int64{0, 10, 15}, steps())

	files := map[string][]byte{report.MetricsFile: []byte("{\"step\":10,\"loss\":1}\n")}
	added := l.add(files, zerolog.Nop())
	require.Len(t, files, 1, "the job's files stay as they are")
	require.Len(t, added, 3)
	require.Contains(t, string(added[report.TimingFile]), `{"time":"1970-01-01T00:01:42Z","step":10,"workers":2}`)
	require.Greater(t, len(added[report.EventsFile]), 40)
	require.Len(t, l.add(map[string][]byte{report.MetricsFile: []byte("{")}, zerolog.Nop()), 2, "nothing is worth losing a model")

	for i := range int64(5 * maxMarks) {
		progress(10+i, 100+i)
		require.LessOrEqual(t, len(l.marks), maxMarks)
	}
	require.Greater(t, len(l.marks), maxMarks/2-1)
	require.IsIncreasing(t, steps())
}
