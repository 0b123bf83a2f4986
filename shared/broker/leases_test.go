package broker

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
)

const ttl = time.Second

func TestLeaseIsExclusive(t *testing.T) {
	t.Parallel()
	_, c := open(t, SetupConfig{LeaseTTL: ttl})
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
	_, c := open(t, SetupConfig{LeaseTTL: ttl})
	ctx, l := t.Context(), c.Leases()
	acquiring, cancel := context.WithCancel(ctx)
	a, err := l.Acquire(acquiring, "digits", "a")
	require.NoError(t, err)
	cancel() // the lease outlives the call that took it
	select {
	case <-a.Lost():
		require.Fail(t, "lost although it could be renewed")
	case <-time.After(2*ttl + ttl/2):
	}
	_, err = l.Acquire(ctx, "digits", "b")
	require.ErrorIs(t, err, job.ErrConflict)
	require.NoError(t, a.Release(ctx))
}

func TestLeaseOfAVanishedHolderEnds(t *testing.T) {
	t.Parallel()
	s, c := open(t, SetupConfig{LeaseTTL: ttl})
	gone := s.connect(t)
	a, err := gone.Leases().Acquire(t.Context(), "digits", "a")
	require.NoError(t, err)
	start := time.Now()
	gone.Close()
	receiveClosed(t, a.Lost())
	require.Less(t, time.Since(start), ttl+ttl/2, "the holder knows by the time others may take it")
	var b *Lease
	require.Eventually(t, func() bool {
		b, err = c.Leases().Acquire(t.Context(), "digits", "b")
		return err == nil
	}, patience, 20*time.Millisecond)
	require.Greater(t, b.Term(), a.Term())
	require.NoError(t, b.Release(t.Context()))
	require.Error(t, a.Release(t.Context()), "there is no connection to release it over")
}

func TestLeaseThatIsTakenIsLost(t *testing.T) {
	t.Parallel()
	_, c := open(t, SetupConfig{LeaseTTL: ttl})
	l := c.Leases()
	a, err := l.Acquire(t.Context(), "digits", "a")
	require.NoError(t, err)
	kv, err := l.bucket.get(t.Context())
	require.NoError(t, err)
	_, err = kv.Put(t.Context(), "digits", []byte(`{"owner":"b","nonce":"x"}`))
	require.NoError(t, err)
	receiveClosed(t, a.Lost())
	require.NoError(t, a.Release(t.Context()))
	_, err = kv.Get(t.Context(), "digits")
	require.NoError(t, err, "what is somebody else's stays")
}

// A renewal whose confirmation was lost is not taken for somebody else's.
func TestLeaseRecoversFromALostConfirmation(t *testing.T) {
	t.Parallel()
	_, c := open(t, SetupConfig{LeaseTTL: ttl})
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
	case <-time.After(ttl + ttl/2):
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
