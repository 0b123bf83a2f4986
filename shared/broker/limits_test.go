package broker

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"tributary/shared/notice"
)

// inbox subscribes to replies.
func inbox(t *testing.T, c *Conn) (subject string, replies chan *nats.Msg) {
	t.Helper()
	subject, replies = c.nc.NewInbox(), make(chan *nats.Msg, 100)
	_, err := c.nc.ChanSubscribe(subject, replies)
	require.NoError(t, err)
	return subject, replies
}

func code(m *nats.Msg) string { return m.Header.Get(micro.ErrorCodeHeader) }

// holding returns an endpoint whose handler waits until release is closed.
func holding(name string) (e Endpoint, entered, release chan bool) {
	entered, release = make(chan bool, 100), make(chan bool)
	return Endpoint{Name: name, Subject: name, Handler: func(context.Context, Request) ([]byte, error) {
		entered <- true
		<-release
		return []byte("done"), nil
	}}, entered, release
}

func TestServiceBoundsTheBytesOfRequests(t *testing.T) {
	_, c := open(t, SetupConfig{})
	slow, entered, release := holding("slow")
	other, _, _ := holding("other")
	other.Handler = func(context.Context, Request) ([]byte, error) { return []byte("done"), nil }
	serve(t, c, ServiceConfig{MaxBytes: 64 << 10}, slow, other)
	subject, replies := inbox(t, c)
	body := make([]byte, 20<<10)
	for range 2 { // one endpoint may use 48 KiB
		require.NoError(t, c.nc.PublishRequest("slow", subject, body))
		receive(t, entered)
	}
	for range 3 {
		require.Equal(t, "503", code(ask(t, c, "slow", string(body))), "refused at once")
	}
	require.Empty(t, code(ask(t, c, "other", string(body[:10<<10]))), "others still have room")
	require.Equal(t, "503", code(ask(t, c, "other", string(body)+string(body))), "the bound is over all endpoints")
	close(release)
	for range 2 {
		require.Equal(t, "done", string(receive(t, replies).Data))
	}
	require.Equal(t, "done", string(ask(t, c, "slow", string(body)).Data), "the bytes come back")
}

func TestServiceRefusesALargeRequest(t *testing.T) {
	_, c := open(t, SetupConfig{})
	called := false
	serve(t, c, ServiceConfig{}, Endpoint{Name: "get", Subject: "get", MaxRequest: 100, Handler: func(context.Context, Request) ([]byte, error) {
		called = true
		return nil, nil
	}})
	m := ask(t, c, "get", string(make([]byte, 101)))
	require.Equal(t, "400", code(m))
	require.Contains(t, string(m.Data), "request of 101 bytes: want at most 100")
	require.False(t, called)
	require.Empty(t, code(ask(t, c, "get", string(make([]byte, 100)))))
}

// A verification that a user waits for must not keep others from submitting jobs.
func TestServiceSlotsAreAnEndpointsOwn(t *testing.T) {
	_, c := open(t, SetupConfig{})
	slow, entered, release := holding("slow")
	defer close(release)
	serve(t, c, ServiceConfig{Concurrent: 1}, slow, Endpoint{Name: "quick", Subject: "quick", Handler: func(context.Context, Request) ([]byte, error) {
		return []byte("done"), nil
	}})
	require.NoError(t, c.nc.Publish("slow", nil))
	receive(t, entered)
	require.Equal(t, "done", string(ask(t, c, "quick", "").Data))
}

func TestServiceDiscardsWhatNobodyWaitsFor(t *testing.T) {
	_, c := open(t, SetupConfig{})
	var asked []string
	s := serve(t, c, ServiceConfig{}, Endpoint{Name: "get", Subject: "get", ReplyOnly: true, Handler: func(_ context.Context, r Request) ([]byte, error) {
		asked = append(asked, string(r.Data))
		return nil, nil
	}})
	require.NoError(t, c.nc.Publish("get", []byte("lost")))
	ask(t, c, "get", "kept") // it arrives after the other one
	require.Equal(t, []string{"kept"}, asked)
	require.Equal(t, 1, s.Stats().Endpoints[0].NumErrors)
}

// Otherwise anyone who may send requests could make the program delete a stream, write a
// record, or send a notice.
func TestRepliesGoToInboxesOnly(t *testing.T) {
	_, c := open(t, SetupConfig{})
	fork, err := c.Fork("requests")
	require.NoError(t, err)
	defer fork.Close()
	body := []byte(`{"id":"x"}`)
	serve(t, fork, ServiceConfig{}, Endpoint{Name: "get", Subject: "get", Handler: func(context.Context, Request) ([]byte, error) { return body, nil }})
	lease, err := c.Leases().Acquire(t.Context(), "job", "me")
	require.NoError(t, err)
	defer func() { require.NoError(t, lease.Release(t.Context())) }()
	notices := make(chan *nats.Msg, 100)
	_, err = c.nc.ChanSubscribe("tributary.commit.*", notices)
	require.NoError(t, err)
	_, err = c.nc.ChanSubscribe("$KV.evil.x", notices)
	require.NoError(t, err)
	flush(t, c)
	for _, subject := range []string{"get", "$SRV.PING", alivePrefix + token("me")} {
		for _, reply := range []string{"tributary.commit.x", "$KV.evil.x", "$JS.API.STREAM.DELETE." + EventStream} {
			require.NoError(t, c.nc.PublishRequest(subject, reply, nil))
		}
		ask(t, c, subject, "") // the answer shows that the service has seen the requests before
	}
	flush(t, fork)
	flush(t, c)
	_, err = c.js.Stream(t.Context(), EventStream)
	require.NoError(t, err)
	require.Empty(t, notices)
}

func TestAPanicInANoticesHandlerEndsThatCallAlone(t *testing.T) {
	var log bytes.Buffer
	_, c := open(t, SetupConfig{})
	c.log = zerolog.New(&log)
	got := make(chan string, 10)
	stop, err := c.Notices().SubscribeBeats(func(b notice.Beat) {
		if b.Worker == "w0" {
			panic("a bug")
		}
		got <- b.Worker
	})
	require.NoError(t, err)
	defer stop()
	for _, worker := range []string{"w0", "w1"} {
		require.NoError(t, c.Notices().PublishBeat(notice.Beat{Worker: worker, Host: "h", Version: "v", Numerics: "n", Slots: 1}))
	}
	require.Equal(t, "w1", receive(t, got))
	require.Contains(t, log.String(), "a bug")
	require.Contains(t, log.String(), "limits_test.go", "the log has the stack")
}

func TestForkServesThoughTheServerIsAway(t *testing.T) {
	s, c := open(t, SetupConfig{})
	s.Stop()
	fork, err := c.Fork("requests")
	require.NoError(t, err)
	serve := func(context.Context, Request) ([]byte, error) { return []byte("done"), nil }
	svc, err := fork.Serve(ServiceConfig{Name: "n", Version: "1.0.0"}, Endpoint{Name: "get", Subject: "get", Handler: serve})
	require.NoError(t, err)
	s.Start()
	require.Eventually(t, fork.Connected, patience, 10*time.Millisecond)
	require.NoError(t, fork.Flush(t.Context()))
	require.Eventually(t, c.Connected, patience, 10*time.Millisecond)
	require.Equal(t, "done", string(ask(t, c, "get", "").Data))
	a, err := c.nc.GetClientID()
	require.NoError(t, err)
	b, err := fork.nc.GetClientID()
	require.NoError(t, err)
	require.NotEqual(t, a, b, "the server bounds what waits by connection")
	svc.Stop(t.Context())
	fork.Close()
	require.Eventually(t, c.Connected, patience, 10*time.Millisecond, "the other connection is not the fork's")
}
