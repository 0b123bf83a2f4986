// Package progress shows a person how a job is getting on: a live bar on a
// terminal, plain lines at a bounded rate elsewhere.
//
// It owns what is shown and how; it measures nothing but the pace of steps, to
// tell the time left. The train command calls it with what the job's events
// say, and sends its log through it.
//
// Invariant: every logged line appears whole, on a line of its own, above the
// bar and never inside it.
package progress

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
)

// State is what is known of the job. Zero values are not shown.
type State struct {
	Phase            string // what it is doing, in a word: preparing, running, …
	Step, Steps      int64  // steps committed, and how many there will be
	Loss             *float64
	Metric           string // name of the metric last evaluated
	MetricValue      float64
	SamplesPerSecond float64
	Workers          int
	Message          string // what it is waiting for, in a sentence
}

// The rate of plain lines: a regular one, and one that has a new message.
const (
	lineEvery    = 2 * time.Second
	messageEvery = 250 * time.Millisecond
)

// Display shows one job. Its methods may be called from any goroutine.
type Display struct {
	w     io.Writer
	isTTY bool

	mu    sync.Mutex
	done  bool
	pace  pace
	view  view
	shown view      // plain: the last line's
	at    time.Time // plain: when the last line was written

	bars *mpb.Progress // terminal: made by the first Update
	bar  *mpb.Bar
	live *live
}

// view is a state and the time it will take yet.
type view struct {
	State
	left  time.Duration
	known bool // left is
}

// New returns a display on w, which is a terminal or not. Done must be called.
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
	d.view = view{State: s}
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

// line writes a plain line. d.mu is held.
func (d *Display) line(now time.Time) {
	d.at, d.shown = now, d.view
	fmt.Fprintln(d.w, strings.Join(append(d.view.head(), d.view.details()...), "  "))
}

// Log shows a line of text for good.
func (d *Display) Log(line string) {
	// A person's terminal is the only reader; there is nobody to tell of an error.
	_, _ = d.Write([]byte(strings.TrimRight(line, "\n") + "\n"))
}

// Writer returns a writer whose lines are shown as Log's are. Each Write must
// end its line, as a logger's do.
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

// Done shows the last state and ends the bar. Lines may still be logged. It may
// be called more than once.
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
