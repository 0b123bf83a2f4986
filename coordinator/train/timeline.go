package train

import (
	"maps"
	"sync"

	"github.com/rs/zerolog"

	"tributary/coordinator/report"
	"tributary/shared/job"
	"tributary/shared/notice"
)

// timeline records when the followed job has committed its steps. All goroutines may call
// its methods.
type timeline struct {
	mu    sync.Mutex
	marks report.Timing
	every int // records one of so many events; 0 counts as 1
	seen  int // events since the last mark
}

// maxMarks bounds the marks of a job. A longer job keeps every second one, and so on.
const maxMarks = 20_000

// see records the time of an event of the job.
func (l *timeline) see(e notice.Event) {
	begins := e.Type == notice.StateEvent && e.State == job.Running
	if e.Type != notice.ProgressEvent && !begins {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.seen++; l.seen < l.every && !begins {
		return
	}
	l.seen = 0
	for n := len(l.marks); n > 0 && l.marks[n-1].Step > e.Step && !begins; n-- {
		l.marks = l.marks[:n-1] // these steps were lost, and are computed again
	}
	if begins && len(l.marks) > 0 { // a job begins once; a state has no step
		return
	}
	l.marks = append(l.marks, report.Mark{Time: e.Time, Step: e.Step, SamplesPerSecond: e.SamplesPerSecond, Workers: e.Workers, GradientNorm: e.GradientNorm})
	if len(l.marks) > maxMarks {
		for i := range len(l.marks) / 2 {
			l.marks[i] = l.marks[2*i]
		}
		l.marks, l.every = l.marks[:len(l.marks)/2], max(2, 2*l.every)
	}
}

// add adds the files with times to those of a finished model: timing.jsonl, and the event
// file for TensorBoard, with the values of metrics.jsonl.
func (l *timeline) add(files map[string][]byte, log zerolog.Logger) map[string][]byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	files = maps.Clone(files)
	files[report.TimingFile] = l.marks.JSONL()
	metrics, ok := files[report.MetricsFile]
	if !ok {
		return files
	}
	events, err := report.EventFile(metrics, l.marks)
	if err != nil {
		log.Warn().Err(err).Msg("the event file for TensorBoard could not be made")
		return files
	}
	files[report.EventsFile] = events
	return files
}
