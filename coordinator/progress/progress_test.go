package progress

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func state(step int64, loss float64) State {
	return State{
		Phase: "running", Step: step, Steps: 400, Loss: &loss,
		Metric: "accuracy", MetricValue: 0.5, SamplesPerSecond: 12345, Workers: 2,
	}
}

func TestPlainLinesAtABoundedRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		d := New(&out, false)
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for i := range int64(401) {
			d.Update(state(i, 0.25))
			<-tick.C
		}
		d.Done()
		d.Done()
		d.Update(state(0, 1))
		d.Log("written\n")
		require.Equal(t, `running  step 0/400  loss 0.2500  accuracy 0.5000  12.3k samples/s  2 workers
running  step 200/400  0:02 left  loss 0.2500  accuracy 0.5000  12.3k samples/s  2 workers
running  step 400/400  loss 0.2500  accuracy 0.5000  12.3k samples/s  2 workers
written
`, out.String())
	})
}

func TestPlainMessageIsShownSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		d := New(&out, false)
		d.Update(State{Phase: "preparing"})
		timer := time.NewTimer(messageEvery)
		<-timer.C
		d.Update(State{Phase: "running", Steps: 5, Message: "no worker is present"})
		for range 100 {
			d.Update(State{Phase: "running", Steps: 5, Message: "no worker is present"})
		}
		d.Log("a line")
		d.Done()
		require.Equal(t, "preparing\nrunning  step 0/5  no worker is present\na line\n", out.String())
	})
}

func TestPlainWithoutUpdates(t *testing.T) {
	var out bytes.Buffer
	d := New(&out, false)
	d.Done()
	require.Empty(t, out.String())
	d = New(&out, true)
	d.Done()
	require.Empty(t, out.String())
}

// escape matches the code that moves the cursor over the bar before a redraw.
var escape = regexp.MustCompile("\x1b\\[[0-9]*[A-Z]")

// screen returns the content of a terminal after out was written to it. Each escape moves
// up by its number of lines and clears to the end.
func screen(t *testing.T, out string) []string {
	t.Helper()
	out = strings.ReplaceAll(out, "\r", "") // no text is left of the cursor
	var lines []string
	for at := 0; ; {
		m := escape.FindStringIndex(out[at:])
		end := len(out)
		if m != nil {
			end = at + m[0]
		}
		text := strings.Split(out[at:end], "\n")
		lines = append(lines, text[:len(text)-1]...)
		if m == nil {
			return lines
		}
		code := out[at+m[0] : at+m[1]]
		if strings.HasSuffix(code, "A") {
			var up int
			_, err := fmt.Sscanf(code, "\x1b[%dA", &up)
			require.NoError(t, err)
			lines = lines[:len(lines)-up]
		}
		at += m[1]
	}
}

func TestBar(t *testing.T) {
	var out bytes.Buffer
	d := New(&out, true)
	d.Log("before")
	for i := range int64(401) {
		d.Update(state(i, 0.125))
		if i%100 == 50 {
			d.Log(fmt.Sprintf("line %d", i))
		}
	}
	d.Done()
	_, err := d.Writer().Write([]byte("after\n"))
	require.NoError(t, err)
	got := screen(t, out.String())
	require.Len(t, got, 8)
	require.Equal(t, []string{"before", "line 50", "line 150", "line 250", "line 350"}, got[:5])
	require.Regexp(t, `^running 400/400 \[=+\] 100 % +$`, got[5])
	require.Len(t, got[5], 80)
	require.Equal(t, "loss 0.1250   accuracy 0.5000   12.3k samples/s   2 workers", strings.TrimSpace(got[6]))
	require.Equal(t, "after", got[7])
}

// A terminal shows only the newest evaluation of each split, below the bar. A finished job
// has none there.
func TestEvaluationsInPlace(t *testing.T) {
	for _, end := range []int64{399, 400} {
		out := newTerminal()
		d := New(out, true)
		for i := range end + 1 {
			d.Update(state(i, 0.125))
			if i%10 == 9 {
				if i%100 == 99 {
					<-out.wrote // some frames are drawn in between
				}
				d.Evaluated("validation", fmt.Sprintf("step %d: validation loss 0.5", i+1))
				d.Evaluated("test", fmt.Sprintf("step %d: test loss 0.5", i+1))
			}
		}
		d.Done()
		d.Evaluated("test", "too late")
		got := strings.Split(strings.TrimRight(out.String(), "\n"), "\n")
		require.Regexp(t, fmt.Sprintf(`^running %d/400 `, end), got[0])
		if end == 400 {
			require.Len(t, got, 2)
			continue
		}
		require.Len(t, got, 4)
		require.Equal(t, "loss 0.1250   12.3k samples/s   2 workers", strings.TrimSpace(got[1]))
		require.Equal(t, []string{"step 400: test loss 0.5", "step 400: validation loss 0.5"}, got[2:])
	}
	var out bytes.Buffer
	New(&out, false).Evaluated("test", "step 3: test loss 0.5")
	require.Equal(t, "step 3: test loss 0.5\n", out.String())
}

func TestBarOfAStoppedJob(t *testing.T) {
	var out bytes.Buffer
	d := New(&out, true)
	d.Update(State{Phase: "preparing"})
	s := state(100, 0.125)
	s.Message = "no worker is present: " + strings.Repeat("start one ", 9)
	d.Update(s)
	d.Done()
	got := screen(t, out.String())
	require.Len(t, got, 2)
	require.Regexp(t, `^running 100/400 \[=+>?-+\] +25 %`, got[0])
	require.True(t, strings.HasPrefix(got[1], "no worker is present"))
	require.Len(t, []rune(got[1]), 80)
}

func TestManyGoroutines(t *testing.T) {
	for _, tty := range []bool{false, true} {
		var out bytes.Buffer
		d := New(&out, tty)
		var all sync.WaitGroup
		for g := range int64(4) {
			all.Go(func() {
				for i := range int64(100) {
					d.Update(state(i, float64(g)))
					d.Log(fmt.Sprintf("goroutine %d line %d", g, i))
				}
				if g == 0 {
					d.Done()
				}
			})
		}
		all.Wait()
		d.Done()
		lines := 0
		for _, l := range screen(t, out.String()) {
			if strings.HasPrefix(l, "goroutine ") {
				lines++
			}
		}
		require.Equal(t, 400, lines, "tty %v", tty)
	}
}

func TestPace(t *testing.T) {
	start := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(d time.Duration) time.Time { return start.Add(d) }
	var p pace
	_, known := p.left(10)
	require.False(t, known)
	p.observe(at(0), 100)
	p.observe(at(time.Second), 110) // 10 a second
	left, known := p.left(50)
	require.True(t, known)
	require.Equal(t, 5*time.Second, left)
	p.observe(at(1100*time.Millisecond), 111) // too soon for a rate
	require.InDelta(t, 10, p.rate, 0)
	p.observe(at(3*time.Second), 110) // stalled: 0.3·0 + 0.7·10
	require.InDelta(t, 7, p.rate, 1e-12)
	p.observe(at(4*time.Second), 5) // another run: from the start
	_, known = p.left(50)
	require.False(t, known)
	_, known = p.left(0)
	require.False(t, known)
	p.observe(at(5*time.Second), 6)
	_, known = p.left(1 << 40)
	require.False(t, known)
}

func TestText(t *testing.T) {
	for want, got := range map[string]string{
		"0:00": clock(0), "0:59": clock(59 * time.Second), "59:59": clock(3599 * time.Second), "1:01:01": clock(3661 * time.Second),
		"0.001234": Figure(0.001234), "1.235": Figure(1.2349), "12.35": Figure(12.349), "9999": Figure(9999.2), "1.2e-05": Figure(1.2e-5), "0": Figure(0), "NaN": Figure(zero / zero), "-0.2500": Figure(-0.25), "3e+08": Figure(3e8),
		"950": count(950), "1k": count(999.9), "12.3k": count(12345), "1M": count(999_900), "2.5G": count(2.5e9), "0.5": count(0.5),
		"ab…": cut("abcd", 3), "abc": cut("abc", 3), "": cut("abc", 0), "…": cut("äö", 1),
	} {
		require.Equal(t, want, got)
	}
}

var zero = 0.0
