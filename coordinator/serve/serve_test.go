package serve

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"tributary/coordinator/ingest"
	"tributary/coordinator/run"
	"tributary/shared/blob"
	"tributary/shared/broker"
	"tributary/shared/broker/embedded"
	"tributary/shared/ledger/memory"
)

// client sends requests to a coordinator over NATS, like a user.
type client struct {
	t  *testing.T
	nc *nats.Conn
}

// serving starts a coordinator without workers on its own server.
func serving(t *testing.T) client {
	t.Helper()
	return servingAs(t, func(*broker.Conn) blob.Store { return blob.NewMemory(0) }, func(*Coordinator, run.Config) {})
}

// servingAs starts a coordinator with the caller's blobs, after alter has changed it.
func servingAs(t *testing.T, blobs func(*broker.Conn) blob.Store, alter func(*Coordinator, run.Config)) client {
	t.Helper()
	server, err := embedded.Start(embedded.Config{Dir: t.TempDir(), Log: zerolog.Nop()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Close()) })
	conn, err := broker.Connect(t.Context(), broker.Config{Name: t.Name(), InProcess: server}, zerolog.Nop())
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	require.NoError(t, conn.Setup(t.Context(), broker.SetupConfig{}))
	events := conn.Events()
	cfg := run.Config{Owner: "c", Ledger: memory.New(), Blobs: blobs(conn), Events: events, Log: zerolog.Nop()}
	c := New(conn, conn.Queue(broker.QueueConfig{}), &ingest.Roots{}, cfg)
	alter(c, cfg)
	service, err := c.Answer(conn)
	require.NoError(t, err)
	require.NoError(t, conn.Flush(t.Context()), "the server has the subscriptions before another connection asks")
	ended := make(chan error, 1)
	ctx := t.Context() // ends before the cleanups
	go func() { ended <- c.Run(ctx) }()
	t.Cleanup(func() {
		require.NoError(t, <-ended)
		last, stop := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
		defer stop()
		service.Stop(last)
		require.NoError(t, events.Close(last), "what happened last is still sent")
	})
	nc, err := nats.Connect("", nats.InProcessServer(server))
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	return client{t, nc}
}

// ask makes a request and returns the error code, 0 for none, and the answer.
func (c client) ask(what, payload string) (code string, answer map[string]any) {
	c.t.Helper()
	return c.request("tributary.jobs."+what, payload)
}

// request makes a request on a subject, as ask does.
func (c client) request(subject, payload string) (code string, answer map[string]any) {
	c.t.Helper()
	m, err := c.nc.Request(subject, []byte(payload), 20*time.Second)
	require.NoError(c.t, err)
	require.NoError(c.t, json.Unmarshal(m.Data, &answer), string(m.Data))
	return m.Header.Get("Nats-Service-Error-Code"), answer
}

// reaches waits until the job is in the state.
func (c client) reaches(id, state string) {
	c.t.Helper()
	require.Eventually(c.t, func() bool {
		_, answer := c.ask("get", id)
		return answer["state"] == state
	}, 20*time.Second, 10*time.Millisecond)
}

func TestTheLifeOfAJobOverNATS(t *testing.T) {
	c := serving(t)
	spec := func(rate string) string {
		return fmt.Sprintf(`{"id":"j","name":"line","data":{"inline":{"x":[1,2,3],"y":[2,4,6]}},"model":{"layers":[{"dense":{"units":1}}]},
			"loss":"mse","optimizer":{"sgd":{"learning_rate":%s}},"batch":3,"steps":5}`, rate)
	}
	_, answer := c.ask("submit", spec("0.1"))
	require.Equal(t, map[string]any{"id": "j", "state": "submitted"}, answer)
	c.reaches("j", "running") // the job waits for a worker
	for _, step := range []struct{ what, payload, code, state string }{
		{"pause", "j", "", "paused"},
		{"pause", "j", "", "paused"},
		{"retry", "j", "409", ""},
		{"remove", "j", "409", ""},
		{"priority", `{"id":"j","priority":50,"max_slots":2}`, "", "paused"},
		{"priority", `{"id":"j","priority":1000}`, "400", ""},
		{"continue", `{"id":"j","epochs":2}`, "409", ""},
		{"continue", `{"id":"j","epochs":0}`, "400", ""},
		{"continue", `{"id":"j","epochs":2,"as":"A b"}`, "400", ""},
		{"continue", `{"id":"k","epochs":2}`, "404", ""},
		{"resume", `{"id":"j"}`, "", "running"},
		{"resume", "j", "", "running"},
		{"cancel", "j", "", "cancelled"},
		{"pause", "j", "409", ""},
		{"priority", `{"id":"j","priority":50}`, "409", ""},
		{"retry", "j", "", "running"},
		{"retry", "j", "", "running"},
		{"cancel", "j", "", "cancelled"},
	} {
		code, answer := c.ask(step.what, step.payload)
		require.Equal(t, step.code, code, "%s: %v", step.what, answer)
		if code == "" {
			require.Equal(t, step.state, answer["state"], step.what)
		}
	}
	_, first := c.ask("get", "j")
	require.EqualValues(t, 1, first["resumed"])
	require.EqualValues(t, 50, first["priority"])
	code, _ := c.ask("submit", spec("0.2"))
	require.Equal(t, "409", code, "the id is taken")

	_, answer = c.ask("remove", `{"id":"j","model":true}`)
	require.Equal(t, map[string]any{"id": "j", "removed": true}, answer)
	for _, what := range []string{"get", "remove", "resume"} {
		code, _ := c.ask(what, "j")
		require.Equal(t, "404", code, what)
	}
	_, answer = c.ask("submit", spec("0.2"))
	require.Equal(t, "submitted", answer["state"], "the id is free")
	c.reaches("j", "running")
	_, second := c.ask("get", "j")
	require.NotEqual(t, first["run"], second["run"])
}
