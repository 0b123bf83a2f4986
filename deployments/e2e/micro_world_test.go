// Package e2e runs the programs against servers as people do, and breaks them. The micro
// tests run the programs inside the test process, with the same wiring. The tests with
// the build tag e2e run the real processes.
package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	goredis "github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"tributary/coordinator/ingest"
	coordinator "tributary/coordinator/serve"
	"tributary/shared/access"
	"tributary/shared/blob"
	"tributary/shared/broker"
	"tributary/shared/broker/embedded"
	"tributary/shared/dataset"
	"tributary/shared/gradient"
	"tributary/shared/job"
	"tributary/shared/ledger/redis/redistest"
	"tributary/shared/lifecycle"
	"tributary/shared/notice"
	"tributary/shared/plan"
	"tributary/shared/registry"
	"tributary/shared/serial"
	"tributary/shared/settings"
	"tributary/shared/spec"
	worker "tributary/worker/serve"
)

// patience is how long a test waits while nothing happens.
const patience = 30 * time.Second

// world is a test's own servers, and a plain client like the nats CLI.
type world struct {
	t     *testing.T
	dir   string // folder of the NATS server
	nats  *embedded.Server
	url   string // URL of NATS
	redis string // URL
	nc    *nats.Conn
	js    jetstream.JetStream
	roots []string
}

// newWorld starts a NATS server and, when redis is "", a miniredis.
func newWorld(t *testing.T, redis string) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), redis: redis, roots: []string{t.TempDir()}}
	if w.redis == "" {
		w.redis = redistest.Mini(t)
	}
	w.startNATS(-1)
	t.Cleanup(func() { require.NoError(t, w.nats.Close()) })
	w.url = w.nats.URL()
	var err error
	w.nc, err = nats.Connect(w.url, nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond))
	require.NoError(t, err)
	t.Cleanup(w.nc.Close)
	w.js, err = jetstream.New(w.nc)
	require.NoError(t, err)
	return w
}

func (w *world) startNATS(port int) {
	w.t.Helper()
	var err error
	w.nats, err = embedded.Start(embedded.Config{Dir: w.dir, Host: "127.0.0.1", Port: port, Log: zerolog.Nop()})
	require.NoError(w.t, err)
}

// restartNATS stops the server and starts it again at the same address with its files.
func (w *world) restartNATS() {
	w.t.Helper()
	u, err := url.Parse(w.url)
	require.NoError(w.t, err)
	port, err := strconv.Atoi(u.Port())
	require.NoError(w.t, err)
	require.NoError(w.t, w.nats.Close())
	w.startNATS(port)
}

func (w *world) stores(natsURL string) settings.Stores {
	return settings.Stores{NATS: broker.Config{URL: access.URL(natsURL)}, Redis: settings.Redis{URL: access.URL(w.redis)}, Blobs: "nats"}
}

func logs() settings.Log {
	level := os.Getenv("TRIBUTARY_TEST_LOG") // for a person who searches for a fault
	if level == "" {
		level = "disabled"
	}
	return settings.Log{Level: level, Format: "json"}
}

// program runs a program until the returned function stops it, as SIGTERM would.
func (w *world) program(run func(lifecycle.Contexts) error) (stop func()) {
	soft, endSoft := context.WithCancel(context.Background())
	hard, endHard := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		if err := run(lifecycle.Contexts{Soft: soft, Hard: hard}); err != nil {
			w.t.Errorf("a program failed: %v", err)
		}
	})
	stop = sync.OnceFunc(func() { endSoft(); done.Wait(); endHard() })
	w.t.Cleanup(func() { endHard(); stop() })
	return stop
}

// coordinate runs a coordinator that reaches NATS at an address; "" means the server's
// own address.
func (w *world) coordinate(at string) (stop func()) {
	if at == "" {
		at = w.url
	}
	c := &coordinator.Command{Log: logs(), Stores: w.stores(at), DataRoots: w.roots, HTTP: "127.0.0.1:0"}
	return w.program(c.Run)
}

// work runs a worker with two slots.
func (w *world) work() (stop func()) {
	c := &worker.Command{Log: logs(), Stores: w.stores(w.url), Slots: 2, BlockCache: 64, ReplicaCache: 64, ModelCache: 64, HTTP: "127.0.0.1:0"}
	return w.program(c.Run)
}

// ask does what `nats req` does; it repeats the request until the service is up.
func (w *world) ask(subject, payload string) *nats.Msg {
	w.t.Helper()
	until := time.Now().Add(patience)
	for {
		m, err := w.nc.Request(subject, []byte(payload), patience)
		if err == nil {
			return m
		}
		require.ErrorIs(w.t, err, nats.ErrNoResponders, subject)
		require.True(w.t, time.Now().Before(until), "nobody answers %s", subject)
		<-time.After(10 * time.Millisecond)
	}
}

// refused sends a request that must be refused with a code, and returns the error's text.
func (w *world) refused(subject, payload string, code int) string {
	w.t.Helper()
	m := w.ask(subject, payload)
	require.Equal(w.t, strconv.Itoa(code), m.Header.Get("Nats-Service-Error-Code"), "%s: %s", subject, m.Data)
	var body struct {
		Error struct {
			Code    int    `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
	}
	require.NoError(w.t, json.Unmarshal(m.Data, &body))
	require.Equal(w.t, code, body.Error.Code)
	require.Equal(w.t, strings.Join(strings.Fields(body.Error.Message), " "), m.Header.Get("Nats-Service-Error"))
	return body.Error.Message
}

func decode[T any](t *testing.T, data []byte) T {
	t.Helper()
	var v T
	require.NoError(t, json.Unmarshal(data, &v), "%s", data)
	return v
}

// submit submits a spec, which must be accepted.
func (w *world) submit(text string) job.ID {
	w.t.Helper()
	m := w.ask("tributary.jobs.submit", text)
	require.Empty(w.t, m.Header, "%s", m.Data)
	return decode[job.Record](w.t, m.Data).ID
}

func (w *world) record(id job.ID) job.Record {
	w.t.Helper()
	return decode[job.Record](w.t, w.ask("tributary.jobs.get", string(id)).Data)
}

// story is a job's events, from the first one on.
type story struct {
	w      *world
	events chan notice.Event
	told   []notice.Event
}

// follow reads a job's events from the stream, from the beginning.
func (w *world) follow(id job.ID) *story {
	w.t.Helper()
	s := &story{w: w, events: make(chan notice.Event, 1<<14)}
	c, err := w.js.OrderedConsumer(w.t.Context(), broker.EventStream, jetstream.OrderedConsumerConfig{
		FilterSubjects: []string{"tributary.events." + string(id)},
	})
	require.NoError(w.t, err)
	consuming, err := c.Consume(func(m jetstream.Msg) { s.events <- decode[notice.Event](w.t, m.Data()) })
	require.NoError(w.t, err)
	w.t.Cleanup(consuming.Stop)
	return s
}

// until waits for an event, as long as events keep coming.
func (s *story) until(what string, want func(notice.Event) bool) notice.Event {
	s.w.t.Helper()
	for {
		select {
		case e := <-s.events:
			s.told = append(s.told, e)
			if want(e) {
				return e
			}
		case <-time.After(patience):
			require.Failf(s.w.t, "waited in vain for "+what, "the last events: %+v", s.told[max(0, len(s.told)-5):])
		}
	}
}

// underway waits until events report a good number of committed steps.
func (s *story) underway() {
	s.w.t.Helper()
	s.until("progress", func(e notice.Event) bool { return e.Type == notice.ProgressEvent && e.Step > 10 })
}

// end waits for the job's final event.
func (s *story) end() notice.Event {
	s.w.t.Helper()
	return s.until("the end", func(e notice.Event) bool { return e.State.Final() })
}

// succeeded waits for the end. The job must have succeeded with the given parameters.
func (s *story) succeeded(want job.Digest) {
	s.w.t.Helper()
	e := s.end()
	require.Equal(s.w.t, job.Succeeded, e.State, e.Message)
	require.Equal(s.w.t, want, e.Outcome.ParametersSHA256)
	s.w.eventually("the training state is deleted", func() bool { return s.w.record(e.Job).Released })
}

// long returns a job of small steps; one worker needs about 20 µs for each. With the race
// detector, which makes steps slow, it has fewer steps.
func long(id string, steps int) string {
	if raced {
		steps = max(steps/4, 10)
	}
	return fmt.Sprintf(`
id: %s
name: long
data: {inline: {x: [[1, 0], [2, 1], [3, 0], [4, 2], [5, 1], [6, 0], [7, 3], [8, 1]], y: [2, 4, 5, 6, 8, 9, 12, 13]}}
model: {layers: [{dense: {units: 8, activation: tanh}}, {dense: {units: 1}}]}
loss: mse
optimizer: {adam: {learning_rate: 0.001}}
batch: 8
microbatches: 4
steps: %d
seed: 11
`, id, steps)
}

// reference trains a spec in the plain loop and returns the digest.
func reference(t *testing.T, text string) job.Digest {
	t.Helper()
	s, err := spec.Decode([]byte(text))
	require.NoError(t, err)
	blobs := blob.NewMemory(0)
	manifest, err := ingest.Run(t.Context(), s, &ingest.Roots{Anywhere: true}, blobs, nil)
	require.NoError(t, err)
	p := &plan.Plan{Version: plan.Version, Spec: *s, Dataset: *manifest, ChunkLen: 1 << 16}
	e, err := gradient.Compile(t.Context(), p, blobs, dataset.NewCache(blobs, 1<<26))
	require.NoError(t, err)
	r, err := serial.Train(t.Context(), e)
	require.NoError(t, err)
	return registry.ParametersDigest(r.Params)
}

// keys lists the keys that Redis holds of a job.
func (w *world) keys(id job.ID) []string {
	w.t.Helper()
	opts, err := goredis.ParseURL(w.redis)
	require.NoError(w.t, err)
	c := goredis.NewClient(opts)
	defer func() { _ = c.Close() }()
	var keys []string
	for it := c.Scan(w.t.Context(), 0, "tributary:{"+string(id)+".*", 1000).Iterator(); it.Next(w.t.Context()); {
		keys = append(keys, it.Val())
	}
	return keys
}

// eventually repeats the check until it is true.
func (w *world) eventually(what string, is func() bool) {
	w.t.Helper()
	require.Eventually(w.t, is, patience, 20*time.Millisecond, what)
}

// cable is one client's connection to NATS, which the test can cut.
type cable struct {
	listener net.Listener
	mu       sync.Mutex
	ends     []net.Conn
	cutOff   bool
}

func (w *world) cable() *cable {
	w.t.Helper()
	var listen net.ListenConfig
	l, err := listen.Listen(w.t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(w.t, err)
	c := &cable{listener: l}
	to := strings.TrimPrefix(w.url, "nats://")
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", to)
			if err != nil || !c.keep(near, far) {
				_ = near.Close()
				continue
			}
			go func() { _, _ = io.Copy(near, far); _ = near.Close() }()
			go func() { _, _ = io.Copy(far, near); _ = far.Close() }()
		}
	}()
	w.t.Cleanup(c.cut)
	return c
}

func (c *cable) url() string { return "nats://" + c.listener.Addr().String() }

func (c *cable) keep(ends ...net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ends = append(c.ends, ends...)
	return !c.cutOff
}

// cut ends every connection and allows no new one.
func (c *cable) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cutOff = true
	_ = c.listener.Close()
	for _, e := range c.ends {
		_ = e.Close()
	}
}
