package train

import (
	"bytes"
	"context"
	"encoding/json"
	"path/filepath"
	"sync"
	"testing"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"tributary/coordinator/api"
	"tributary/coordinator/ingest"
	"tributary/coordinator/progress"
	"tributary/coordinator/run"
	"tributary/coordinator/serve"
	"tributary/shared/access"
	"tributary/shared/broker"
	"tributary/shared/job"
	"tributary/shared/lifecycle"
	"tributary/shared/settings"
)

// following returns the command that follows a job, and its error and what it shows.
func following(ctx context.Context, natsURL, id string, lines *trigger) (*job.Outcome, error) {
	display := progress.New(lines, false)
	defer display.Done()
	return (&FollowCommand{Job: id, NATS: broker.Config{URL: access.URL(natsURL)}}).follow(ctx, display, zerolog.Nop())
}

// A job is submitted to a coordinator elsewhere. A user follows it, stops to follow it, and
// follows it again to its end. The job does not notice.
func TestDetachAndAttach(t *testing.T) {
	natsURL, redisURL := servers(t)
	stores, err := settings.Stores{NATS: broker.Config{URL: access.URL(natsURL)}, Redis: settings.Redis{URL: access.URL(redisURL)}, Blobs: "nats"}.Open(t.Context(), "other", zerolog.Nop())
	require.NoError(t, err)
	defer stores.Close()
	events := stores.Conn.Events()
	defer settings.CloseEvents(events, zerolog.Nop())
	other := serve.New(stores.Conn, stores.CoordinatorQueue(), &ingest.Roots{Anywhere: true}, run.Config{
		Owner: "other", Ledger: stores.Ledger, Blobs: stores.Blobs, Events: events, Log: zerolog.Nop(),
	})
	ctx, stop := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() { require.NoError(t, other.Run(ctx)) })
	defer done.Wait()
	defer stop()
	service, err := other.Answer(stores.Conn)
	require.NoError(t, err)
	defer service.Stop(t.Context())

	c := &Command{Detach: true, NATS: access.URL(natsURL), Workers: 1}
	require.NoError(t, c.Validate())
	text := "id: far\n" + worked(t, "digits.yaml")
	var out bytes.Buffer
	require.NoError(t, c.detach(t.Context(), &out, []byte(text), zerolog.Nop(), true))
	var s api.Status
	require.NoError(t, json.Unmarshal(out.Bytes(), &s))
	require.Equal(t, api.Status{ID: "far", State: job.Submitted}, s)
	require.ErrorContains(t, c.detach(t.Context(), &out, []byte("name: x"), zerolog.Nop(), true), "model: missing")
	_, err = following(t.Context(), natsURL, "fat", &trigger{words: "never"})
	require.ErrorIs(t, err, job.ErrNotFound)
	require.ErrorContains(t, err, `there is no job "fat"; did you mean "far"?`)

	soft, leave := context.WithCancelCause(t.Context())
	defer leave(nil)
	o, err := following(soft, natsURL, "far", &trigger{words: "test: 180 rows", act: func() { leave(lifecycle.ErrStopped) }})
	require.Nil(t, o)
	require.ErrorIs(t, err, lifecycle.ErrStopped)
	require.ErrorContains(t, err, "no longer following job far, which goes on")

	worker := &Command{Workers: 1, Slots: 1, NATS: access.URL(natsURL), Redis: access.URL(redisURL), Blobs: "nats", Out: filepath.Join(t.TempDir(), "model")}
	work, rest := context.WithCancel(t.Context())
	var working sync.WaitGroup
	working.Go(func() { require.NoError(t, worker.Work(work, stores, zerolog.Nop())) })
	defer working.Wait()
	defer rest()
	lines := &trigger{words: "never"}
	o, err = following(t.Context(), natsURL, "far", lines)
	require.NoError(t, err)
	require.Equal(t, job.ID("far"), o.Job)
	require.Contains(t, lines.seen.String(), "test: 180 rows", "from the first event on")
	require.Contains(t, lines.seen.String(), "step 6: validation")
	again, err := following(t.Context(), natsURL, "far", &trigger{words: "never"})
	require.NoError(t, err)
	require.Equal(t, o.ParametersSHA256, again.ParametersSHA256)
}

func TestDetachNeedsServers(t *testing.T) {
	for _, c := range []*Command{{Detach: true, Workers: 1}, {Detach: true, NATS: "nats://h", Resume: true}, {Detach: true, NATS: "nats://h", Out: "x"}} {
		require.ErrorContains(t, c.Validate(), "--detach: want --nats")
	}
}
