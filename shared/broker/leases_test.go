package broker

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"tributary/shared/job"
)

const (
	ttl = time.Second
	// safe is the TTL for a lease that must be renewed in time even if the machine stops
	// for seconds.
	safe = 5 * time.Second
)

func TestLeaseIsExclusive(t *testing.T) {
	t.Parallel()
	_, c := open(t, SetupConfig{LeaseTTL: time.Minute})
	ctx, l := t.Context(), c.Leases()
	a, err := l.Acquire(ctx, "digits", "a")
	require.NoError(t, err)
	_, err = l.Acquire(ctx, "digits", "b")
	require.ErrorIs(t, err, job.ErrConflict)
	require.ErrorContains(t, err, "held by a")
	other, err := l.Acquire(ctx, "mnist", "b")
	require.NoError(t, err)
	require.NoError(t, other.Release(ctx))

	require.NoError(t, a.Release(ctx))
	require.NoError(t, a.Release(ctx), "twice is fine")
	receiveClosed(t, a.Lost())
	b, err := l.Acquire(ctx, "digits", "b")
	require.NoError(t, err, "a released lease is free at once")
	require.Greater(t, b.Term(), a.Term())
	require.NoError(t, a.Release(ctx), "the old holder takes nothing away")
	_, err = l.Acquire(ctx, "digits", "c")
	require.ErrorIs(t, err, job.ErrConflict)
	require.NoError(t, b.Release(ctx))
}

func TestLeaseRenewsItself(t *testing.T) {
	t.Parallel()
	_, c := open(t, SetupConfig{LeaseTTL: safe})
	ctx, l := t.Context(), c.Leases()
	acquiring, cancel := context.WithCancel(ctx)
	a, err := l.Acquire(acquiring, "digits", "a")
	require.NoError(t, err)
	cancel() // the lease survives the call that took it
	select {
	case <-a.Lost():
		require.Fail(t, "lost although it could be renewed")
	case <-time.After(2*safe + safe/2):
	}
	_, err = l.Acquire(ctx, "digits", "b")
	require.ErrorIs(t, err, job.ErrConflict)
	require.NoError(t, a.Release(ctx))
}

func TestTheLeaseOfAVanishedHolderIsTakenAtOnce(t *testing.T) {
	t.Parallel()
	s, c := open(t, SetupConfig{LeaseTTL: time.Minute})
	gone := s.connect(t)
	a, err := gone.Leases().Acquire(t.Context(), "digits", "a")
	require.NoError(t, err)
	_, err = c.Leases().Acquire(t.Context(), "digits", "b")
	require.ErrorIs(t, err, job.ErrConflict, "it lives")
	gone.Close()
	b := acquireSoon(t, c, "b")
	require.Greater(t, b.Term(), a.Term())
	require.NoError(t, b.Release(t.Context()))
	require.Error(t, a.Release(t.Context()), "there is no connection to release it over")
	receiveClosed(t, a.Lost())
}

func TestTheLeaseOfAHolderThatHangsEnds(t *testing.T) {
	t.Parallel()
	s, c := open(t, SetupConfig{LeaseTTL: ttl})
	a, err := s.connect(t).Leases().Acquire(t.Context(), "digits", "a")
	require.NoError(t, err)
	a.stop() // it renews the lease no more, though it is connected
	receiveClosed(t, a.Lost())
	b := acquireSoon(t, c, "b")
	require.Greater(t, b.Term(), a.Term())
	require.NoError(t, b.Release(t.Context()))
	require.NoError(t, a.Release(t.Context()))
}

func TestTheHolderOfALeaseThatCannotBeRenewedKnows(t *testing.T) {
	t.Parallel()
	s, c := open(t, SetupConfig{LeaseTTL: ttl})
	a, err := c.Leases().Acquire(t.Context(), "digits", "a")
	require.NoError(t, err)
	s.Stop()
	receiveClosed(t, a.Lost())
	s.Start()
}

// unreachable is a bucket whose updates wait until ctx ends, and fail.
type unreachable struct{ jetstream.KeyValue }

func (unreachable) Update(ctx context.Context, _ string, _ []byte, _ uint64) (uint64, error) {
	<-ctx.Done()
	return 0, ctx.Err()
}

// The holder knows it by the time at which others may take the lease, to the nanosecond.
func TestTheHolderOfALeaseThatCannotBeRenewedKnowsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &Lease{key: "digits", ttl: ttl, kv: unreachable{}, lost: make(chan struct{}), ended: make(chan struct{})}
		began := time.Now()
		go a.keep(t.Context(), began)
		<-a.Lost()
		require.Equal(t, ttl, time.Since(began))
		<-a.ended
	})
}

// The claim of a program that does not know probes ends only by its TTL.
func TestAClaimWithoutASubjectIsNotProbed(t *testing.T) {
	t.Parallel()
	_, c := open(t, SetupConfig{LeaseTTL: time.Minute})
	l := c.Leases()
	kv, err := l.bucket.get(t.Context())
	require.NoError(t, err)
	_, err = kv.Create(t.Context(), "digits", []byte(`{"owner":"old","nonce":"x"}`))
	require.NoError(t, err)
	_, err = l.Acquire(t.Context(), "digits", "b")
	require.ErrorIs(t, err, job.ErrConflict)
	require.ErrorContains(t, err, "held by old")
}

func TestTermsGrowThoughTheBucketWasLost(t *testing.T) {
	t.Parallel()
	_, c := open(t, SetupConfig{LeaseTTL: ttl})
	a, err := c.Leases().Acquire(t.Context(), "digits", "a")
	require.NoError(t, err)
	require.NoError(t, c.js.DeleteKeyValue(t.Context(), LeaseBucket))
	require.NoError(t, c.Setup(t.Context(), SetupConfig{LeaseTTL: ttl}))
	b, err := c.Leases().Acquire(t.Context(), "digits", "b")
	require.NoError(t, err)
	require.Greater(t, b.Term(), a.Term())
	receiveClosed(t, a.Lost())
	require.NoError(t, b.Release(t.Context()))
}

// acquireSoon takes the lease of digits as soon as it is free.
func acquireSoon(t *testing.T, c *Conn, owner string) (lease *Lease) {
	t.Helper()
	l := c.Leases()
	require.Eventually(t, func() (ok bool) {
		var err error
		lease, err = l.Acquire(t.Context(), "digits", owner)
		return err == nil
	}, patience, 20*time.Millisecond)
	return lease
}

func TestLeaseThatIsTakenIsLost(t *testing.T) {
	t.Parallel()
	_, c := open(t, SetupConfig{LeaseTTL: ttl})
	l := c.Leases()
	a, err := l.Acquire(t.Context(), "digits", "a")
	require.NoError(t, err)
	kv, err := l.bucket.get(t.Context())
	require.NoError(t, err)
	revision, err := kv.Put(t.Context(), "digits", []byte(`{"owner":"b","nonce":"x"}`))
	require.NoError(t, err)
	receiveClosed(t, a.Lost())
	require.NoError(t, a.Release(t.Context()))
	stream, err := c.js.Stream(t.Context(), "KV_"+LeaseBucket)
	require.NoError(t, err)
	require.Equal(t, revision, stream.CachedInfo().State.LastSeq, "what is somebody else's stays, until its time is over")
}

// A holder does not take its own renewal, whose confirmation was lost, for another owner's.
func TestLeaseRecoversFromALostConfirmation(t *testing.T) {
	t.Parallel()
	_, c := open(t, SetupConfig{LeaseTTL: safe})
	l := c.Leases()
	a, err := l.Acquire(t.Context(), "digits", "a")
	require.NoError(t, err)
	kv, err := l.bucket.get(t.Context())
	require.NoError(t, err)
	_, err = kv.Put(t.Context(), "digits", a.value)
	require.NoError(t, err)
	select {
	case <-a.Lost():
		require.Fail(t, "lost to itself")
	case <-time.After(safe + safe/2):
	}
	require.NoError(t, a.Release(t.Context()))
	b, err := l.Acquire(t.Context(), "digits", "b")
	require.NoError(t, err)
	require.NoError(t, b.Release(t.Context()))
}

func receiveClosed[T any](t *testing.T, from <-chan T) {
	t.Helper()
	select {
	case <-from:
	case <-time.After(patience):
		require.Fail(t, "still open")
	}
}

func TestHeldReportsALeaseThatIsHeld(t *testing.T) {
	_, c := open(t, SetupConfig{})
	l, ctx := c.Leases(), t.Context()
	held := func() bool {
		t.Helper()
		h, err := c.Leases().Held(ctx, "collect.blobs")
		require.NoError(t, err)
		return h
	}
	require.False(t, held())
	lease, err := l.Acquire(ctx, "collect.blobs", "a")
	require.NoError(t, err)
	require.True(t, held())
	require.NoError(t, lease.Release(ctx))
	require.False(t, held())
}
