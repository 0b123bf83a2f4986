// Package progress shows a user the progress of a job: a live bar on a terminal, plain
// lines at a limited rate elsewhere.
//
// It owns the content and the form of the display. It measures only the pace of steps, to
// estimate the time left. The train command calls it with the content of the job's
// events, and sends its log through it.
//
// Invariant: every logged line appears complete, on a line of its own, above the bar and
// never inside it.
package progress

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
)

// State is what is known about the job. Zero values are not shown.
type State struct {
	Phase            string // current activity in one word: preparing, running, …
	Step, Steps      int64  // committed steps, and their final number
	Loss             *float64
	Metric           string // name of the metric of the last evaluation
	MetricValue      float64
	SamplesPerSecond float64
	Workers          int
	Message          string // what the job waits for, as a sentence
}

// The minimum time between plain lines: regular ones, and ones with a new message.
const (
	lineEvery    = 2 * time.Second
	messageEvery = 250 * time.Millisecond
)

// maxEvaluations is the most evaluations below the bar: one for each split.
const maxEvaluations = 3

// Display shows one job. All goroutines may call its methods.
type Display struct {
	w     io.Writer
	isTTY bool

	mu    sync.Mutex
	done  bool
	pace  pace
	news  map[string]string // terminal: the newest evaluation of each split
	view  view
	shown view      // plain: what the last line showed
	at    time.Time // plain: time of the last line

	bars *mpb.Progress // terminal: created by the first Update
	bar  *mpb.Bar
	live *live
}

// view is a state and its estimated time left.
type view struct {
	State
	left        time.Duration
	known       bool     // left is known
	evaluations []string // terminal: the newest of each split; never changed, only replaced
}

// New returns a display on w; isTTY says whether w is a terminal. The caller must call
// Done.
func New(w io.Writer, isTTY bool) *Display { return &Display{w: w, isTTY: isTTY} }

// Update shows a new state. It may be called at any rate.
func (d *Display) Update(s State) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.done {
		return
	}
	now := time.Now()
	d.pace.observe(now, s.Step)
	d.view = view{State: s, evaluations: d.view.evaluations}
	d.view.left, d.view.known = d.pace.left(s.Steps - s.Step)
	if d.isTTY {
		d.draw()
		return
	}
	wait := lineEvery
	if d.view.Message != d.shown.Message || d.view.Phase != d.shown.Phase {
		wait = messageEvery
	}
	if d.at.IsZero() || now.Sub(d.at) >= wait {
		d.line(now)
	}
}

// Evaluated shows the evaluation of a split as a line of text. A terminal shows the newest
// of each split below the bar, in the place of the one before. Elsewhere each is logged.
func (d *Display) Evaluated(split, line string) {
	if !d.isTTY {
		d.Log(line)
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.done {
		return
	}
	if d.news == nil {
		d.news = map[string]string{}
	}
	d.news[split] = line
	d.view.evaluations = nil
	for _, split := range slices.Sorted(maps.Keys(d.news)) {
		d.view.evaluations = append(d.view.evaluations, d.news[split])
	}
	d.draw()
}

// line writes a plain line. The caller holds d.mu.
func (d *Display) line(now time.Time) {
	d.at, d.shown = now, d.view
	fmt.Fprintln(d.w, strings.Join(append(d.view.head(), d.view.details()...), "  "))
}

// Log shows a line of text permanently.
func (d *Display) Log(line string) {
	// A user's terminal is the only reader, so there is nowhere to report an error.
	_, _ = d.Write([]byte(strings.TrimRight(line, "\n") + "\n"))
}

// Writer returns a writer that shows its lines like Log. Each Write must end with a line
// end, as a logger's writes do.
func (d *Display) Writer() io.Writer { return d }

// Write implements io.Writer.
func (d *Display) Write(lines []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.bars != nil && !d.done {
		return d.bars.Write(lines)
	}
	return d.w.Write(lines)
}

// Done shows the last state and ends the bar. Lines may still be logged. More than one
// call is safe.
func (d *Display) Done() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.done {
		return
	}
	d.done = true
	switch {
	case d.bars != nil:
		d.finish()
	case !d.isTTY && !d.at.IsZero() && !d.view.looksLike(d.shown):
		d.line(time.Now())
	}
}

// looksLike reports whether a line of o would show the same.
func (v view) looksLike(o view) bool {
	return v.State == o.State || strings.Join(v.details(), "") == strings.Join(o.details(), "") && v.Step == o.Step && v.Phase == o.Phase
}
