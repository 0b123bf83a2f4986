package serve

import (
	"context"
	"sync"
	"time"

	"tributary/shared/telemetry"
)

// depths holds the last known numbers of messages in the streams of tasks and dead
// letters. It is safe for concurrent use.
type depths struct {
	read func(context.Context) (tasks, dead uint64, err error)

	mu          sync.Mutex
	tasks, dead uint64
	known       bool
}

// The interval of reads of the streams, and the timeout of one read.
const (
	depthEvery   = 10 * time.Second
	depthTimeout = 2 * time.Second
)

// keep reads the streams until ctx ends.
func (d *depths) keep(ctx context.Context) {
	tick := time.NewTicker(depthEvery)
	defer tick.Stop()
	for {
		d.refresh(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (d *depths) refresh(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, depthTimeout)
	defer cancel()
	tasks, dead, err := d.read(ctx)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.tasks, d.dead, d.known = tasks, dead, err == nil
}

// measure registers the gauges; NaN means that a stream cannot be read.
func (d *depths) measure(m *telemetry.Metrics) {
	for name, g := range map[string]struct {
		help string
		of   *uint64
	}{
		"tasks_queued": {"Tasks in the queue of all jobs, including tasks that workers have taken.", &d.tasks},
		"dead_letters": {"Tasks that failed their jobs and are kept in TRIBUTARY_DEAD.", &d.dead},
	} {
		m.GaugeFunc(name, g.help, func() (float64, bool) {
			d.mu.Lock()
			defer d.mu.Unlock()
			return float64(*g.of), d.known
		})
	}
}
