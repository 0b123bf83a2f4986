package broker

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// resourceOf returns what the keeper checks for one stream.
func resourceOf(t *testing.T, c *Conn, stream string) resource {
	t.Helper()
	for _, p := range c.resources(SetupConfig{}.withDefaults()) {
		if p.stream == stream {
			return p
		}
	}
	require.Fail(t, "no such stream", stream)
	return resource{}
}

// The server creates a stream and then reports a fault. The next check finds the stream,
// completes it, and logs the loss.
func TestAnAttemptThatFailsHalfwayIsCompleted(t *testing.T) {
	t.Parallel()
	s, _ := open(t, SetupConfig{})
	c, log := s.logged(t)
	ctx := t.Context()
	p := resourceOf(t, c, TaskStream)
	ensure, attempts := p.ensure, 0
	p.ensure = func(ctx context.Context) error {
		attempts++
		return errors.Join(ensure(ctx), map[int]error{1: errors.New("halfway")}[attempts])
	}
	k := newKeeper(c, []resource{p})
	require.NoError(t, c.js.DeleteStream(ctx, p.stream))
	require.False(t, k.check(ctx))
	require.NoError(t, c.TasksMissing(ctx))
	require.Zero(t, log.count("is made again"))
	for range 3 {
		require.False(t, k.check(ctx))
		require.Equal(t, 1, log.count("is made again"))
	}
	require.Equal(t, 2, attempts)
	require.Equal(t, 1, log.count("halfway"))
}

// The server may still be removing the directory of a stream that it reports as missing.
func TestAStreamInFilesIsNotCreatedWhileItIsRemoved(t *testing.T) {
	t.Parallel()
	s, _ := open(t, SetupConfig{})
	c, log := s.logged(t)
	ctx := t.Context()
	k := newKeeper(c, []resource{resourceOf(t, c, EventStream)})
	require.False(t, k.check(ctx))
	require.NoError(t, c.js.DeleteStream(ctx, EventStream))
	began := time.Now()
	require.True(t, k.check(ctx))
	require.Zero(t, log.count("is made again"))
	for k.check(ctx) {
		<-time.After(removal / 10)
	}
	require.GreaterOrEqual(t, time.Since(began), removal)
	require.Equal(t, 1, log.count("is made again"))

	require.NoError(t, c.js.DeleteStream(ctx, EventStream))
	require.True(t, k.check(ctx))
	require.NoError(t, c.Setup(ctx, SetupConfig{})) // another process is faster
	require.False(t, k.check(ctx))
	require.NoError(t, c.js.DeleteStream(ctx, EventStream))
	require.True(t, k.check(ctx), "the time counts from the last loss")
	require.Equal(t, 1, log.count("is made again"))
}

// The server was slow, and removed the directory of a deleted stream while or after Keep
// created the new one.
func TestAYoungStreamWithoutADirectoryIsCreatedAgain(t *testing.T) {
	t.Parallel()
	s, _ := open(t, SetupConfig{})
	c, log := s.logged(t)
	ctx := t.Context()
	for _, stream := range []string{EventStream, kvStream + LeaseBucket, objectStream + BlobBucket} {
		p := resourceOf(t, c, stream)
		directory := filepath.Join(s.Config.Dir, "jetstream", "$G", "streams", stream)
		remove := func() {
			require.DirExists(t, directory)
			require.NoError(t, os.RemoveAll(directory))
		}
		ensure, slow := p.ensure, true
		p.ensure = func(ctx context.Context) error {
			if err := ensure(ctx); !slow || err != nil {
				return err
			}
			slow = false
			remove()
			return ensure(ctx)
		}
		k := newKeeper(c, []resource{p})
		madeAgain := func(times int) {
			t.Helper()
			for log.count("NATS had lost the "+p.what) < times {
				k.check(ctx)
			}
			require.DirExists(t, directory)
		}
		require.NoError(t, c.js.DeleteStream(ctx, stream))
		madeAgain(1)
		require.False(t, slow)
		require.Equal(t, 1, log.count("has removed the directory of the new stream "+stream))
		remove()
		madeAgain(2)
		for range 3 {
			require.False(t, k.check(ctx))
		}
		require.Equal(t, 2, log.count("NATS had lost the "+p.what))
	}
}
