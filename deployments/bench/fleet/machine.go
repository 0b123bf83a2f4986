package fleet

import (
	"context"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Watch measures how much of the machine other programs use during a measurement.
type Watch struct {
	at         time.Time
	busy, ours float64
}

// NewWatch starts a measurement. A child process that runs at the start must, at the end,
// either still run or have been waited for: only ended children that were waited for are
// counted.
func NewWatch() Watch { return Watch{time.Now(), busy(), ours()} }

// Other returns how much of all CPUs other programs have used since the start, in
// percent. A child process counts as ours only after it has ended.
func (w Watch) Other() float64 {
	cpus := time.Since(w.at).Seconds() * float64(runtime.NumCPU())
	return max(0, 100*(busy()-w.busy-(ours()-w.ours))/cpus)
}

// busy returns the seconds that all CPUs have worked since the system started.
func busy() float64 {
	data, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	line, _, _ := strings.Cut(string(data), "\n")
	f := strings.Fields(line)
	var sum float64
	for i, s := range f[min(1, len(f)):] {
		if v, err := strconv.ParseFloat(s, 64); err == nil && i != 3 && i != 4 && i < 7 { // neither idle nor waiting for a disk
			sum += v
		}
	}
	return sum / ticks
}

// ours returns the processor time of this process and of its ended children, in seconds.
func ours() float64 {
	sum := 0.0
	for _, who := range []int{unix.RUSAGE_SELF, unix.RUSAGE_CHILDREN} {
		var u unix.Rusage
		if unix.Getrusage(who, &u) == nil {
			sum += float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
		}
	}
	return sum
}

// Quiet waits until less than limit percent of the machine is in use, but at most for
// patience.
func Quiet(ctx context.Context, limit float64, patience time.Duration) error {
	const glance = 700 * time.Millisecond
	end := time.Now().Add(patience)
	for time.Now().Before(end) {
		w := NewWatch()
		if err := Wait(ctx, glance); err != nil {
			return err
		}
		if w.Other() < limit {
			return nil
		}
	}
	return ctx.Err()
}

// Wait returns nil after d, or ctx's error if ctx ends before that.
func Wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
