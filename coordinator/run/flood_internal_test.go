package run

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"tributary/coordinator/fleet"
	"tributary/shared/job"
	"tributary/shared/notice"
)

// A flood of messages blocks neither a job's ticks nor its reads for hints.
func TestAFloodOfMessagesStarvesNothing(t *testing.T) {
	d, _, _ := driving()
	d.inbox = make(chan any, 4*maxReceived)
	for range cap(d.inbox) {
		d.inbox <- notice.Snapshotted{}
	}
	tr := &training{driver: d, hints: hints{progress: true, confirmed: -time.Second}}
	tick := make(chan time.Time, 1)
	tick <- time.Time{}
	var ticked, confirmed bool
	for range maxReceived + 2 {
		switch m, err := tr.next(t.Context(), tick); {
		case err != nil:
			require.NoError(t, err)
		case m == nil:
			ticked = true
		case m == confirmNow{}:
			confirmed = true
		}
	}
	require.True(t, ticked, "no tick")
	require.True(t, confirmed, "hints were not confirmed")
}

// oneLease is a lease that every caller gets.
type oneLease struct{}

func (oneLease) Acquire(context.Context, string, string) (Lease, error) { return oneLease{}, nil }

func (oneLease) Term() uint64 { return 8 }

func (oneLease) Lost() <-chan struct{} { return nil }

func (oneLease) Release(context.Context) error { return nil }

// A job with an unreadable record is left alone until there is another record. The
// coordinator does not request its lease ten times a second.
func TestAJobWhoseRecordCannotBeReadIsLeftAlone(t *testing.T) {
	o := &oneRecord{record: job.Record{ID: "j", Run: "r", State: job.Running}, err: fmt.Errorf("decode: %w", job.ErrCorrupt)}
	s := New(Config{Records: o, Events: o, Leases: oneLease{}, Log: zerolog.Nop()})
	s.recordChanged(t.Context(), o.record)
	s.busy.Wait()
	require.Empty(t, s.jobs)
	require.Empty(t, s.open)
}

// An unknown worker counts only after its connection is confirmed.
func TestBeatsOfWorkersThatAreNotThereCountForNothing(t *testing.T) {
	asked := make(chan string, 2*maxUnconfirmed)
	s := New(Config{Log: zerolog.Nop(), Gone: func(_ context.Context, worker string) bool {
		asked <- worker
		return worker != "real"
	}})
	beat := notice.Beat{Worker: "real", Numerics: "n", Slots: 2}
	s.Beat(beat)
	for i := range 2 * maxUnconfirmed {
		s.Beat(notice.Beat{Worker: fmt.Sprint("fake-", i), Numerics: "n", Slots: 4096})
	}
	s.Beat(notice.Beat{Worker: "", Numerics: "n", Slots: 4096})
	require.Zero(t, s.fleet.Slots("n", fleet.Need{}), "nobody was asked yet")
	require.Len(t, s.unconfirmed, maxUnconfirmed)
	s.tick(t.Context())
	s.busy.Wait()
	require.Equal(t, 2, s.fleet.Slots("n", fleet.Need{}))
	require.Equal(t, []string{"real"}, s.fleet.Names())
	require.Empty(t, s.unconfirmed)
	require.Empty(t, s.probing)
	require.Len(t, asked, maxUnconfirmed)

	beat.Slots = 3
	s.Beat(beat)
	require.Equal(t, 3, s.fleet.Slots("n", fleet.Need{}), "one that is known is heard at once")
	beat.Leaving = true
	s.Beat(beat)
	require.Zero(t, s.fleet.Slots("n", fleet.Need{}))
}
