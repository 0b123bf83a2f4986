package broker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
	"github.com/stretchr/testify/require"

	"tributary/shared/job"
)

func serve(t *testing.T, c *Conn, cfg ServiceConfig, endpoints ...Endpoint) *Service {
	t.Helper()
	cfg.Name, cfg.Version, cfg.Description = "tributary", "1.2.3", "trains models"
	s, err := c.Serve(cfg, endpoints...)
	require.NoError(t, err)
	t.Cleanup(func() { s.Stop(context.Background()) })
	flush(t, c)
	return s
}

func ask(t *testing.T, c *Conn, subject, data string) *nats.Msg {
	t.Helper()
	m, err := c.nc.Request(subject, []byte(data), patience)
	require.NoError(t, err)
	return m
}

func TestServiceAnswers(t *testing.T) {
	_, c := open(t, SetupConfig{})
	serve(t, c, ServiceConfig{}, Endpoint{Name: "predict", Subject: "tributary.predict.*", Handler: func(_ context.Context, r Request) ([]byte, error) {
		return fmt.Appendf(nil, "%s: %s", r.Subject, r.Data), nil
	}})
	m := ask(t, c, "tributary.predict.digits", "rows")
	require.Equal(t, "tributary.predict.digits: rows", string(m.Data))
	require.Empty(t, m.Header.Get(micro.ErrorCodeHeader))
}

func TestServiceErrors(t *testing.T) {
	_, c := open(t, SetupConfig{})
	var fail error
	s := serve(t, c, ServiceConfig{}, Endpoint{Name: "get", Subject: "tributary.jobs.get", Handler: func(context.Context, Request) ([]byte, error) {
		if fail == nil {
			panic("a bug")
		}
		return nil, fail
	}})
	for _, test := range []struct {
		err  error
		code string
		want string
	}{
		{fmt.Errorf("spec: batch is 0; it must be 1 or more: %w", job.ErrInvalid), "400", "spec: batch is 0"},
		{fmt.Errorf("job x: there is none: %w", job.ErrNotFound), "404", "job x: there is none"},
		{fmt.Errorf("job x\nis final: %w", job.ErrConflict), "409", "job x is final"},
		{fmt.Errorf("the queue has no room: %w", job.ErrFull), "503", "the queue has no room"},
		{context.DeadlineExceeded, "504", "deadline exceeded"},
		{errors.New("disk on fire"), "500", "disk on fire"},
		{nil, "500", "internal error"},
	} {
		fail = test.err
		m := ask(t, c, "tributary.jobs.get", "")
		require.Equal(t, test.code, m.Header.Get(micro.ErrorCodeHeader))
		require.Contains(t, m.Header.Get(micro.ErrorHeader), test.want)
		var body failure
		require.NoError(t, json.Unmarshal(m.Data, &body))
		require.Equal(t, test.code, fmt.Sprint(body.Error.Code))
		require.NotContains(t, string(m.Data), "a bug", "a panic tells nothing of the inside")
	}
	stats := s.Stats().Endpoints[0]
	require.Equal(t, 7, stats.NumRequests)
	require.Equal(t, 7, stats.NumErrors)
	require.Contains(t, stats.LastError, "500:")
}

func TestServiceIsDiscovered(t *testing.T) {
	_, c := open(t, SetupConfig{})
	s := serve(t, c, ServiceConfig{Metadata: map[string]string{"build": "x"}}, Endpoint{
		Name: "list", Subject: "tributary.jobs.list", Metadata: map[string]string{"reply": "array of records"},
		Handler: func(context.Context, Request) ([]byte, error) { return []byte("[]"), nil },
	})
	ask(t, c, "tributary.jobs.list", "")
	for _, of := range []string{"", ".tributary", ".tributary." + s.id} {
		var ping micro.Ping
		require.NoError(t, json.Unmarshal(ask(t, c, "$SRV.PING"+of, "").Data, &ping))
		require.Equal(t, micro.PingResponseType, ping.Type)
		require.Equal(t, micro.ServiceIdentity{Name: "tributary", ID: s.id, Version: "1.2.3", Metadata: map[string]string{"build": "x"}}, ping.ServiceIdentity)
		var info micro.Info
		require.NoError(t, json.Unmarshal(ask(t, c, "$SRV.INFO"+of, "").Data, &info))
		require.Equal(t, "trains models", info.Description)
		require.Equal(t, []micro.EndpointInfo{{Name: "list", Subject: "tributary.jobs.list", QueueGroup: "q", Metadata: map[string]string{"reply": "array of records"}}}, info.Endpoints)
		var stats micro.Stats
		require.NoError(t, json.Unmarshal(ask(t, c, "$SRV.STATS"+of, "").Data, &stats))
		require.Equal(t, 1, stats.Endpoints[0].NumRequests)
		require.Positive(t, stats.Endpoints[0].ProcessingTime)
		require.WithinDuration(t, time.Now(), stats.Started, time.Minute)
	}
}

func TestServiceWorksOnSeveralRequestsAndRefusesTooMany(t *testing.T) {
	_, c := open(t, SetupConfig{})
	entered, release := make(chan bool, 10), make(chan bool)
	serve(t, c, ServiceConfig{Concurrent: 2, MaxWaiting: 1}, Endpoint{Name: "slow", Subject: "slow", Handler: func(context.Context, Request) ([]byte, error) {
		entered <- true
		<-release
		return []byte("done"), nil
	}})
	replies := make(chan *nats.Msg, 100)
	inbox := c.nc.NewInbox()
	_, err := c.nc.ChanSubscribe(inbox, replies)
	require.NoError(t, err)
	const n = 20
	for i := range n {
		require.NoError(t, c.nc.PublishRequest("slow", inbox, nil))
		if i < 2 {
			receive(t, entered) // two requests at the same time
		}
	}
	codes := map[string]int{}
	for range n - 4 { // two are being handled, the dispatcher has one, one waits in the queue
		m := receive(t, replies)
		require.Equal(t, "503", m.Header.Get(micro.ErrorCodeHeader))
	}
	close(release)
	for range 4 {
		codes[receive(t, replies).Header.Get(micro.ErrorCodeHeader)]++
	}
	require.GreaterOrEqual(t, codes[""], 3, "the dispatcher may have been late for one")
}

func TestServiceStopAnswersWhatHasArrived(t *testing.T) {
	s, c := open(t, SetupConfig{})
	client := s.connect(t)
	entered, release := make(chan bool, 10), make(chan bool)
	svc := serve(t, c, ServiceConfig{Concurrent: 1}, Endpoint{Name: "slow", Subject: "slow", Handler: func(context.Context, Request) ([]byte, error) {
		entered <- true
		<-release
		return []byte("done"), nil
	}})
	replies := make(chan *nats.Msg, 10)
	inbox := client.nc.NewInbox()
	_, err := client.nc.ChanSubscribe(inbox, replies)
	require.NoError(t, err)
	for range 3 {
		require.NoError(t, client.nc.PublishRequest("slow", inbox, nil))
	}
	flush(t, client)
	receive(t, entered)
	stopped := make(chan bool)
	go func() { svc.Stop(t.Context()); close(stopped) }()
	close(release)
	for range 3 {
		require.Equal(t, "done", string(receive(t, replies).Data))
	}
	receiveClosed(t, stopped)
	_, err = client.nc.Request("slow", nil, patience)
	require.ErrorIs(t, err, nats.ErrNoResponders)
}

func TestServiceStopThatIsHurriedEndsRequests(t *testing.T) {
	_, c := open(t, SetupConfig{})
	entered := make(chan bool, 1)
	svc := serve(t, c, ServiceConfig{}, Endpoint{Name: "slow", Subject: "slow", Handler: func(ctx context.Context, _ Request) ([]byte, error) {
		entered <- true
		<-ctx.Done()
		return nil, ctx.Err()
	}})
	require.NoError(t, c.nc.Publish("slow", nil))
	receive(t, entered)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	svc.Stop(ctx)
}

func TestServiceTimeoutAndReplyLimit(t *testing.T) {
	_, c := open(t, SetupConfig{})
	serve(t, c, ServiceConfig{Timeout: 20 * time.Millisecond},
		Endpoint{Name: "slow", Subject: "slow", Handler: func(ctx context.Context, _ Request) ([]byte, error) {
			<-ctx.Done()
			return nil, fmt.Errorf("predict: %w", ctx.Err())
		}},
		Endpoint{Name: "big", Subject: "big", Handler: func(context.Context, Request) ([]byte, error) {
			return make([]byte, 9<<20), nil
		}},
	)
	require.Equal(t, "504", ask(t, c, "slow", "").Header.Get(micro.ErrorCodeHeader))
	require.Equal(t, "503", ask(t, c, "big", "").Header.Get(micro.ErrorCodeHeader))
}

func TestServiceBadConfig(t *testing.T) {
	_, c := open(t, SetupConfig{})
	nop := func(context.Context, Request) ([]byte, error) { return nil, nil }
	for _, test := range []struct {
		cfg ServiceConfig
		end Endpoint
	}{
		{ServiceConfig{Name: "a b", Version: "1.0.0"}, Endpoint{Name: "x", Subject: "x", Handler: nop}},
		{ServiceConfig{Name: "a"}, Endpoint{Name: "x", Subject: "x", Handler: nop}},
		{ServiceConfig{Name: "a", Version: "1.0.0"}, Endpoint{Name: "x.y", Subject: "x", Handler: nop}},
		{ServiceConfig{Name: "a", Version: "1.0.0"}, Endpoint{Name: "x", Subject: "x"}},
		{ServiceConfig{Name: "a", Version: "1.0.0"}, Endpoint{Name: "x", Subject: "x..y", Handler: nop}},
	} {
		_, err := c.Serve(test.cfg, test.end)
		require.ErrorIs(t, err, job.ErrInvalid, "%+v", test.cfg)
		require.True(t, strings.HasPrefix(err.Error(), "serve"), err)
	}
}
