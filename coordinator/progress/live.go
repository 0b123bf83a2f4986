package progress

import (
	"fmt"
	"io"
	"strings"
	"sync/atomic"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// live holds what the bar's goroutine draws. That goroutine never waits for d.mu, which
// is held during calls to the bar.
type live struct{ atomic.Pointer[view] }

// draw shows d.view on the bar; the first call creates the bar. The caller holds d.mu.
func (d *Display) draw() {
	v := d.view
	if d.bars == nil {
		d.live = new(live)
		d.live.Store(&v)
		d.bars = mpb.New(mpb.WithConsoleWriter(console(d.w)), mpb.WithAutoRefresh())
		d.bar = d.bars.New(0, mpb.BarStyle(), // total 0: the bar completes only on request
			mpb.PrependDecorators(decor.Any(d.live.before)),
			mpb.AppendDecorators(decor.Any(d.live.after)),
			mpb.BarBtmExtender(d.live.rows()...),
		)
	}
	d.live.Store(&v)
	d.bar.SetTotal(v.Steps, false)
	d.bar.SetCurrent(v.Step)
}

// finish draws the last state and ends the bar. A job at its end has no evaluations below
// the bar, because its outcome has them. The caller holds d.mu.
func (d *Display) finish() {
	if d.view.Steps > 0 && d.view.Step >= d.view.Steps {
		d.view.evaluations = nil
		d.draw()
		d.bar.SetTotal(d.view.Steps, true)
	} else {
		d.bar.Abort(false)
	}
	d.bars.Wait()
}

// before returns the text left of the bar.
func (l *live) before(decor.Statistics) string {
	v := l.Load()
	if v.Steps == 0 {
		return v.Phase
	}
	n := fmt.Sprint(v.Steps)
	return strings.TrimLeft(fmt.Sprintf("%s %*d/%s", v.Phase, len(n), v.Step, n), " ")
}

// after returns the text right of the bar. Its width is constant, so the bar's width is
// too.
func (l *live) after(decor.Statistics) string {
	v := l.Load()
	if v.Steps == 0 {
		return ""
	}
	left := ""
	if v.known {
		left = clock(v.left) + " left"
	}
	return fmt.Sprintf("%3d %% %12s", 100*v.Step/v.Steps, left)
}

// below writes the line under the bar.
func (l *live) below(w io.Writer, s decor.Statistics) error {
	v := *l.Load()
	if len(v.evaluations) > 0 {
		v.Metric = "" // it is among them
	}
	_, err := fmt.Fprintln(w, cut(strings.Join(v.details(), "   "), s.AvailableWidth))
	return err
}

// rows returns what the bar draws below itself. The library takes one line from each, or
// none.
func (l *live) rows() []mpb.BarFiller {
	rows := []mpb.BarFiller{mpb.BarFillerFunc(l.below)}
	for i := range maxEvaluations {
		rows = append(rows, mpb.BarFillerFunc(func(w io.Writer, s decor.Statistics) error {
			lines := l.Load().evaluations
			if i >= len(lines) {
				return nil
			}
			_, err := fmt.Fprintln(w, cut(lines[i], s.AvailableWidth))
			return err
		}))
	}
	return rows
}
