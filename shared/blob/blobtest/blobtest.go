// Package blobtest is the test suite that every blob.Store must pass.
//
// It owns what the contract means in tests. The test of an adapter sets the store up and
// provides it as a Fixture. Only tests import the package.
//
// Invariant: every case uses its own store, so cases do not affect each other.
package blobtest

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tributary/shared/blob"
	"tributary/shared/job"
)

// Fixture is an empty store, with a function that damages it.
type Fixture struct {
	Store blob.Store
	// Corrupt replaces the stored bytes of digest without the store's methods. It is nil
	// when that is not possible for the adapter.
	Corrupt func(t *testing.T, digest job.Digest, data []byte)
}

// Run runs the suite; open returns a fixture for one case.
func Run(t *testing.T, open func(t *testing.T) Fixture) {
	for name, test := range map[string]func(*testing.T, Fixture){
		"RoundTrip":        roundTrip,
		"Absent":           absent,
		"BytesAreCopied":   bytesAreCopied,
		"Delete":           deletes,
		"Corruption":       corruption,
		"CancelledContext": cancelledContext,
		"ConcurrentPuts":   concurrentPuts,
		"List":             lists,
		"Claim":            claims,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func roundTrip(t *testing.T, f Fixture) {
	ctx := t.Context()
	for _, data := range [][]byte{{}, {0}, []byte("block"), bytes.Repeat([]byte("0123456789abcdef"), 3<<16)} {
		digest, err := f.Store.Put(ctx, data)
		require.NoError(t, err)
		require.Equal(t, blob.DigestOf(data), digest)

		again, err := f.Store.Put(ctx, data)
		require.NoError(t, err, "putting the same bytes again changes nothing")
		require.Equal(t, digest, again)

		has, err := f.Store.Has(ctx, digest)
		require.NoError(t, err)
		require.True(t, has)
		got, err := f.Store.Get(ctx, digest)
		require.NoError(t, err)
		require.True(t, bytes.Equal(data, got), "%d bytes in, %d out", len(data), len(got))
	}
}

func absent(t *testing.T, f Fixture) {
	ctx := t.Context()
	for _, digest := range []job.Digest{blob.DigestOf([]byte("never put")), "", "abc", "../../etc/passwd", "a b", ">"} {
		_, err := f.Store.Get(ctx, digest)
		require.ErrorIs(t, err, job.ErrNotFound, "get %q", digest)
		has, err := f.Store.Has(ctx, digest)
		require.NoError(t, err, "has %q", digest)
		require.False(t, has)
		require.NoError(t, f.Store.Delete(ctx, digest), "delete %q", digest)
	}
}

func bytesAreCopied(t *testing.T, f Fixture) {
	ctx := t.Context()
	data := []byte("mine")
	digest, err := f.Store.Put(ctx, data)
	require.NoError(t, err)
	data[0] = 'X'
	got, err := f.Store.Get(ctx, digest)
	require.NoError(t, err)
	require.Equal(t, "mine", string(got), "the store keeps its own copy")
	got[0] = 'Y'
	got, err = f.Store.Get(ctx, digest)
	require.NoError(t, err)
	require.Equal(t, "mine", string(got), "the caller owns what Get returned")
}

func deletes(t *testing.T, f Fixture) {
	ctx := t.Context()
	digest, err := f.Store.Put(ctx, []byte("short-lived"))
	require.NoError(t, err)
	require.NoError(t, f.Store.Delete(ctx, digest))
	_, err = f.Store.Get(ctx, digest)
	require.ErrorIs(t, err, job.ErrNotFound)
	require.NoError(t, f.Store.Delete(ctx, digest))

	_, err = f.Store.Put(ctx, []byte("short-lived"))
	require.NoError(t, err, "a deleted blob can be put again")
	_, err = f.Store.Get(ctx, digest)
	require.NoError(t, err)
}

func corruption(t *testing.T, f Fixture) {
	if f.Corrupt == nil {
		return
	}
	ctx := t.Context()
	for _, harm := range []string{"", "truth", "truth, and more", "trutH!"} {
		digest, err := f.Store.Put(ctx, []byte("truth!"))
		require.NoError(t, err)
		f.Corrupt(t, digest, []byte(harm))
		_, err = f.Store.Get(ctx, digest)
		require.ErrorIs(t, err, job.ErrCorrupt)

		_, err = f.Store.Put(ctx, []byte("truth!"))
		require.NoError(t, err, "putting the bytes again heals the blob")
		got, err := f.Store.Get(ctx, digest)
		require.NoError(t, err)
		require.Equal(t, "truth!", string(got))
	}
}

func cancelledContext(t *testing.T, f Fixture) {
	ctx, cancel := context.WithCancel(t.Context())
	digest, err := f.Store.Put(ctx, []byte("x"))
	require.NoError(t, err)
	cancel()
	_, err = f.Store.Put(ctx, []byte("y"))
	require.ErrorIs(t, err, context.Canceled)
	_, err = f.Store.Get(ctx, digest)
	require.ErrorIs(t, err, context.Canceled)
	_, err = f.Store.Has(ctx, digest)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, f.Store.Delete(ctx, digest), context.Canceled)
}

func concurrentPuts(t *testing.T, f Fixture) {
	ctx := t.Context()
	data := bytes.Repeat([]byte{7}, 300_000)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			digest, err := f.Store.Put(ctx, data)
			if err != nil {
				t.Errorf("put: %v", err)
				return
			}
			got, err := f.Store.Get(ctx, digest)
			if err != nil || !bytes.Equal(got, data) {
				t.Errorf("get after put: %d bytes, %v", len(got), err)
			}
		})
	}
	wg.Wait()
}

func lists(t *testing.T, f Fixture) {
	ctx := t.Context()
	store, ok := f.Store.(blob.Lister)
	require.True(t, ok, "%T does not list its blobs", f.Store)
	list := func() map[job.Digest]time.Time {
		all := map[job.Digest]time.Time{}
		for s, err := range store.List(ctx) {
			require.NoError(t, err)
			all[s.Digest] = s.Time
		}
		return all
	}
	require.Empty(t, list())
	_, err := store.Claim(ctx, "somebody")
	require.NoError(t, err)
	require.Empty(t, list(), "a claim is no blob")
	var digests []job.Digest
	for i := range 30 {
		digest, err := store.Put(ctx, fmt.Appendf(nil, "blob %d", i))
		require.NoError(t, err)
		digests = append(digests, digest)
	}
	require.NoError(t, store.Delete(ctx, digests[7]))
	got := list()
	require.Len(t, got, 29)
	for i, digest := range digests {
		if i == 7 {
			require.NotContains(t, got, digest)
			continue
		}
		require.Contains(t, got, digest)
		require.WithinDuration(t, time.Now(), got[digest], time.Hour)
	}
	require.NoError(t, store.Tidy(ctx, time.Now()))
	require.Len(t, list(), 29, "what is whole is not left-over")
	for _, err := range store.List(ctx) {
		require.NoError(t, err)
		break
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	var last error
	for _, err := range store.List(cancelled) {
		last = err
	}
	require.ErrorIs(t, last, context.Canceled, "a listing that is not whole says so")
}

func claims(t *testing.T, f Fixture) {
	store, ok := f.Store.(blob.Lister)
	require.True(t, ok)
	for range 2 {
		noted, err := store.Claim(t.Context(), "mine")
		require.NoError(t, err)
		require.Equal(t, "mine", noted)
	}
}
