package run_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
)

// paused stops owner's next change of a record for which when is true. The change waits
// between its check and its write until resume is called.
func (w *world) paused(owner string, when func(job.Record) bool) (held <-chan job.Record, resume func()) {
	stopped, release := make(chan job.Record, 1), make(chan struct{})
	w.change(func() {
		w.writing = func(ctx context.Context, r job.Record) {
			if r.Owner == owner && when(r) {
				select {
				case stopped <- r:
					select {
					case <-release:
					case <-ctx.Done():
					}
				default:
				}
			}
		}
	})
	return stopped, func() { close(release) }
}

// usurp ends the lease of a job without notice to its holder, as when the holder is
// paused for longer than the lease lasts.
func (w *world) usurp(key string) {
	w.change(func() { delete(w.leases, key) })
}

func TestAnOwnerThatWakesAfterItsLeaseWasTakenChangesNothing(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		when func(job.Record) bool
	}{
		{"before its claim is written", func(r job.Record) bool { return r.State == job.Submitted }},
		{"before it begins", func(r job.Record) bool { return r.State == job.Preparing && r.Started != nil }},
		{"before the plan is recorded", func(r job.Record) bool { return r.State == job.Running }},
		{"before the end is recorded", func(r job.Record) bool { return r.State == job.Succeeded && !r.Released }},
		{"before the release is recorded", func(r job.Record) bool { return r.Released }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			held, resume := w.paused("a", c.when)
			stop := w.coordinateAs("a", 1)
			w.submit(line("j", 30))
			late := <-held
			w.usurp("j")
			w.coordinateAs("b", 1)
			r := w.ended("j")
			require.Equal(t, job.Succeeded, r.State, r.Error)
			require.Equal(t, "b", r.Owner)
			require.Greater(t, r.Term, late.Term)
			resume()
			stop()
			w.mu.Lock()
			defer w.mu.Unlock()
			require.Equal(t, r, w.records["j"], "what the first owner had in hand came to nothing")
		})
	}
}

// The failure that an owner wants to record is its own; the new owner does not know of
// it.
func TestAnOwnerThatLostItsJobCannotFailIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	goOn := w.failing(10, fmt.Errorf("bad memory: %w", job.ErrPoison))
	held, resume := w.paused("a", func(r job.Record) bool { return r.State == job.Failed })
	stop := w.coordinateAs("a", 1)
	w.submit(line("j", 30))
	<-held
	w.usurp("j")
	goOn()
	w.coordinateAs("b", 1)
	w.until("the other to take it", func() bool { return w.records["j"].Owner == "b" })
	resume()
	r := w.ended("j")
	require.Equal(t, job.Succeeded, r.State, r.Error)
	stop()
}
