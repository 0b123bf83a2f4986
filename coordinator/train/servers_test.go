package train

import (
	"context"
	"io"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"tributary/coordinator/ingest"
	"tributary/coordinator/run"
	"tributary/coordinator/serve"
	"tributary/shared/access"
	"tributary/shared/broker"
	"tributary/shared/broker/embedded"
	"tributary/shared/job"
	"tributary/shared/settings"
)

// servers starts servers that outlive a command and returns their URLs.
func servers(t *testing.T) (natsURL, redisURL string) {
	t.Helper()
	nats, err := embedded.Start(embedded.Config{Host: "127.0.0.1", Port: -1, Log: zerolog.Nop()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, nats.Close()) })
	redis := miniredis.RunT(t)
	return nats.URL(), "redis://" + redis.Addr()
}

// A job with an id that has already run does not run again: the command fetches its
// outcome and its model.
func TestTheSameJobAgain(t *testing.T) {
	natsURL, redisURL := servers(t)
	var outcomes []job.Outcome
	for range 2 {
		c := &Command{Workers: 1, NATS: access.URL(natsURL), Redis: access.URL(redisURL), Blobs: "nats", Out: filepath.Join(t.TempDir(), "model")}
		o, err := begin(t.Context(), t.Context(), c, worked(t, "line.json"), io.Discard)
		require.NoError(t, err)
		checkFiles(t, c.Out, o)
		o.Out = ""
		outcomes = append(outcomes, *o)
	}
	require.Equal(t, outcomes[0], outcomes[1])

	c := &Command{Workers: 1, NATS: access.URL(natsURL), Redis: access.URL(redisURL), Blobs: "nats", Out: filepath.Join(t.TempDir(), "model")}
	_, err := begin(t.Context(), t.Context(), c, replaced(t, worked(t, "line.json"), `"epochs": 100`, `"epochs": 99`), io.Discard)
	require.ErrorIs(t, err, job.ErrConflict)
	require.ErrorContains(t, err, `id "line": a job of that id with another spec`)
}

// A job of another coordinator gets this command's workers, and the command fetches its
// model at the end.
func TestAJobOfAnotherCoordinator(t *testing.T) {
	natsURL, redisURL := servers(t)
	stores, err := settings.Stores{NATS: broker.Config{URL: access.URL(natsURL)}, Redis: settings.Redis{URL: access.URL(redisURL)}, Blobs: "nats"}.Open(t.Context(), "other", zerolog.Nop())
	require.NoError(t, err)
	defer stores.Close()
	events := stores.Conn.Events()
	defer settings.CloseEvents(events, zerolog.Nop())
	other := serve.New(stores.Conn, stores.Queue(), &ingest.Roots{Anywhere: true}, run.Config{
		Owner: "other", Ledger: stores.Ledger, Blobs: stores.Blobs, Events: events, Log: zerolog.Nop(),
	})
	ctx, stop := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() { require.NoError(t, other.Run(ctx)) })
	defer done.Wait()
	defer stop()

	status, err := other.API.Submit(t.Context(), []byte(short))
	require.NoError(t, err)
	require.Eventually(t, func() bool { // the other coordinator has it, and it waits for workers
		r, err := other.API.Get(t.Context(), []byte(status.ID))
		return err == nil && r.State == job.Running && r.Message != ""
	}, 10*time.Second, 5*time.Millisecond)

	c := &Command{Workers: 2, NATS: access.URL(natsURL), Redis: access.URL(redisURL), Blobs: "nats", Out: filepath.Join(t.TempDir(), "model")}
	o, err := begin(t.Context(), t.Context(), c, short, io.Discard)
	require.NoError(t, err)
	want, _ := reference(t, decoded(t, short))
	require.Equal(t, want, o.ParametersSHA256)
	checkFiles(t, c.Out, o)
}
