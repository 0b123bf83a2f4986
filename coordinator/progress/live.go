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
			mpb.BarBtmExtender(mpb.BarFillerFunc(d.live.below)),
		)
	}
	d.live.Store(&v)
	d.bar.SetTotal(v.Steps, false)
	d.bar.SetCurrent(v.Step)
}

// finish draws the last state and ends the bar. The caller holds d.mu.
func (d *Display) finish() {
	if d.view.Steps > 0 && d.view.Step >= d.view.Steps {
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
	_, err := fmt.Fprintln(w, cut(strings.Join(l.Load().details(), "   "), s.AvailableWidth))
	return err
}
