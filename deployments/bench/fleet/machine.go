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

// Watch measures how much of the machine others use meanwhile.
type Watch struct {
	at         time.Time
	busy, ours float64
}

// NewWatch starts one. Programs that run when it starts must still run, or
// must have been waited for, when it ends: only the dead ones are counted.
func NewWatch() Watch { return Watch{time.Now(), busy(), ours()} }

// Other is the share of all CPUs that programs of others have used since, in
// percent. Children count when they are gone.
func (w Watch) Other() float64 {
	cpus := time.Since(w.at).Seconds() * float64(runtime.NumCPU())
	return max(0, 100*(busy()-w.busy-(ours()-w.ours))/cpus)
}

// busy is the seconds that all CPUs have worked since the system's start.
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

// ours is the processor time of this process and of its children that are gone.
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

// Quiet waits until less than limit percent of the machine is in use, but no
// longer than patience.
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

// Wait returns after d, or ctx's error before.
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
