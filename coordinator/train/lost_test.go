package train

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"tributary/coordinator/ingest"
	"tributary/coordinator/run"
	"tributary/coordinator/serve"
	"tributary/shared/broker"
	"tributary/shared/broker/embedded"
	"tributary/shared/broker/embedded/embeddedtest"
	"tributary/shared/job"
	"tributary/shared/ledger"
	ledgermemory "tributary/shared/ledger/memory"
	worker "tributary/worker/run"
)

// site is a coordinator on a real NATS server, with a ledger in memory.
type site struct {
	t      *testing.T
	nats   *embeddedtest.Server
	conn   *broker.Conn
	ledger ledger.Ledger
	api    *serve.Coordinator
}

// openSite starts a site. store bounds the bytes of NATS on disk; 0 means practically no
// limit.
func openSite(t *testing.T, store int64, limits broker.SetupConfig) *site {
	t.Helper()
	s := &site{t: t, nats: embeddedtest.New(t, embedded.Config{Store: store}), ledger: ledgermemory.New()}
	s.nats.Start()
	s.conn = s.connect(t.Name())
	require.NoError(t, s.conn.Setup(t.Context(), limits))
	events := s.conn.Events()
	s.api = serve.New(s.conn, s.conn.Queue(broker.QueueConfig{Recreate: &limits}), &ingest.Roots{}, run.Config{
		Owner: "c", Ledger: s.ledger, Blobs: s.conn.Blobs(), Events: events, Log: zerolog.Nop(),
	})
	ctx, stop := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() {
		if err := s.api.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		stop()
		done.Wait()
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
		defer cancel()
		require.NoError(t, events.Close(last))
	})
	return s
}

func (s *site) connect(name string) *broker.Conn {
	s.t.Helper()
	c, err := broker.Connect(s.t.Context(), broker.Config{Name: name, InProcess: s.nats}, zerolog.Nop())
	require.NoError(s.t, err)
	s.t.Cleanup(c.Close)
	return c
}

// work runs a worker until the test ends.
func (s *site) work() {
	s.t.Helper()
	conn := s.connect("worker")
	ctx, stop := context.WithCancel(s.t.Context())
	var done sync.WaitGroup
	done.Go(func() {
		err := worker.Run(ctx, ctx, worker.Config{
			ID: "w", Slots: 1, Numerics: "test", Queue: conn.Queue(broker.QueueConfig{}), Ledger: s.ledger, Blobs: conn.Blobs(),
			Bus: conn.Notices(), BlockBytes: 1 << 20, ReplicaBytes: 1 << 20, Log: zerolog.Nop(),
		})
		if err != nil {
			s.t.Error(err)
		}
	})
	s.t.Cleanup(func() { stop(); done.Wait() })
}

// limit bounds every wait in these tests.
const limit = time.Minute

// submit submits a job like a user, and retries while NATS has no bucket for it.
func (s *site) submit(spec string) {
	s.t.Helper()
	var err error
	require.Eventually(s.t, func() bool {
		_, err = s.api.API.Submit(s.t.Context(), []byte(spec))
		return err == nil
	}, limit, 50*time.Millisecond, "%v", &err)
}

// until waits until a job's record fulfils is.
func (s *site) until(id string, is func(job.Record) bool) job.Record {
	s.t.Helper()
	var r job.Record
	var err error
	if !assertEventually(func() bool {
		r, err = s.api.API.Get(s.t.Context(), []byte(id))
		return err == nil && is(r)
	}) {
		require.Fail(s.t, "waited in vain", "%s: %s %q %q %v", id, r.State, r.Message, r.Error, err)
	}
	return r
}

func assertEventually(is func() bool) bool {
	for began := time.Now(); time.Since(began) < limit; <-time.After(20 * time.Millisecond) {
		if is() {
			return true
		}
	}
	return false
}

func ended(r job.Record) bool { return r.State.Final() }

// lineOf is a small job.
func lineOf(id, steps string) string {
	return `{"id":"` + id + `","name":"` + id + `","data":{"inline":{"x":[1,2,3,4,5],"y":[2,4,5,6,8]}},
		"model":{"layers":[{"dense":{"units":1}}]},"loss":"mse","optimizer":{"sgd":{"learning_rate":0.01}},"batch":5,"steps":` + steps + `}`
}

// streams are the streams and buckets that Setup creates.
var streams = []string{
	broker.TaskStream, broker.EventStream, broker.DeadStream, "KV_" + broker.JobBucket, "KV_" + broker.LeaseBucket,
	"OBJ_" + broker.BlobBucket, "OBJ_" + broker.ModelBucket,
}

// If any stream or bucket is deleted while a coordinator runs, a job submitted after that
// still runs and gives the same parameters.
func TestAJobRunsAfterAStreamOrBucketWasDeleted(t *testing.T) {
	t.Parallel()
	s := openSite(t, 0, broker.SetupConfig{})
	s.work()
	js, err := jetstream.New(s.client())
	require.NoError(t, err)
	s.submit(lineOf("before", "20"))
	want := s.until("before", ended).Outcome.ParametersSHA256
	for _, stream := range streams {
		require.NoError(t, js.DeleteStream(t.Context(), stream))
		id := "j" + strings.ToLower(strings.ReplaceAll(strings.ReplaceAll(stream, "_", ""), "-", ""))
		s.submit(lineOf(id, "20"))
		r := s.until(id, ended)
		require.Equal(t, job.Succeeded, r.State, "%s: %s", stream, r.Error)
		require.Equal(t, want, r.Outcome.ParametersSHA256, stream)
		require.Eventually(t, func() bool { return s.conn.Missing(t.Context()) == nil }, limit, 10*time.Millisecond, stream)
	}
}

// The same during a job: the job goes on, except for what only the jobs bucket had.
func TestARunningJobOutlivesTheLossOfAStreamOrBucket(t *testing.T) {
	t.Parallel()
	s := openSite(t, 0, broker.SetupConfig{})
	s.work()
	js, err := jetstream.New(s.client())
	require.NoError(t, err)
	s.submit(lineOf("long", "3000"))
	s.until("long", func(r job.Record) bool { return r.State == job.Running && r.Numerics != "" })
	for _, stream := range streams {
		if stream == "KV_"+broker.JobBucket {
			continue
		}
		require.NoError(t, js.DeleteStream(t.Context(), stream))
		require.Eventually(t, func() bool { return s.conn.Missing(t.Context()) == nil }, limit, 10*time.Millisecond, stream)
	}
	r := s.until("long", ended)
	if r.State == job.Failed { // its plan or a needed block is lost
		require.Contains(t, r.Error, "blob ")
		return
	}
	require.Equal(t, job.Succeeded, r.State)
	want, _ := reference(t, decoded(t, lineOf("long", "3000")))
	require.Equal(t, want, r.Outcome.ParametersSHA256)
}

// A job whose blocks are lost reports which ones and does not wait forever.
func TestAJobWithoutItsBlocksSaysSo(t *testing.T) {
	t.Parallel()
	s := openSite(t, 0, broker.SetupConfig{})
	js, err := jetstream.New(s.client())
	require.NoError(t, err)
	s.submit(lineOf("a", "10"))
	r := s.until("a", func(r job.Record) bool { return r.Message != "" }) // no worker is present
	require.NoError(t, js.DeleteStream(t.Context(), "OBJ_"+broker.BlobBucket))
	require.Eventually(t, func() bool { return s.conn.Missing(t.Context()) == nil }, limit, 10*time.Millisecond)
	s.work()
	end := s.until("a", ended)
	require.Equal(t, job.Failed, end.State)
	require.Contains(t, end.Error, string(r.Plan))
	s.submit(lineOf("b", "10"))
	require.Equal(t, job.Succeeded, s.until("b", ended).State)
}

// NATS returns with an empty store while a job runs. The job is lost, no driver of it
// remains, and its id can be used again.
func TestNATSComesBackEmpty(t *testing.T) {
	t.Parallel()
	s := openSite(t, 0, broker.SetupConfig{})
	s.work()
	s.submit(lineOf("a", "1000000"))
	s.until("a", func(r job.Record) bool { return r.State == job.Running && r.Numerics != "" })
	s.nats.Stop()
	s.nats.Config.Dir = t.TempDir()
	s.nats.Start()
	s.submit(lineOf("a", "20"))
	r := s.until("a", ended)
	require.Equal(t, job.Succeeded, r.State, r.Error)
	require.EqualValues(t, 20, r.Outcome.Steps)
}

// A full bucket of blobs stops a job with a message, and the job goes on when there is
// room.
func TestAFullBucketOfBlobsIsWaitedFor(t *testing.T) {
	t.Parallel()
	s := openSite(t, 0, broker.SetupConfig{BlobBytes: 300})
	s.work()
	s.submit(lineOf("a", "20"))
	r := s.until("a", func(r job.Record) bool {
		return r.State == job.Submitted && r.Message != "" && !strings.Contains(r.Message, "no worker")
	})
	require.Contains(t, r.Message, "waiting: store ")
	require.Contains(t, r.Message, "maximum bytes exceeded")
	require.NoError(t, s.conn.Setup(t.Context(), broker.SetupConfig{}))
	r = s.until("a", ended)
	require.Equal(t, job.Succeeded, r.State, r.Error)
	require.Empty(t, r.Message)
}

// A server whose disk quota is used up takes no job and loses none. Running jobs go on
// when there is room.
func TestANATSServerWithoutRoomIsWaitedFor(t *testing.T) {
	t.Parallel()
	s := openSite(t, 96<<20, broker.SetupConfig{EventBytes: 1 << 20, JobBytes: 1 << 20, SweepBytes: 1 << 20})
	s.work()
	s.submit(lineOf("runs", "3000"))
	s.until("runs", func(r job.Record) bool { return r.State == job.Running && r.Numerics != "" })
	js, err := jetstream.New(s.client())
	require.NoError(t, err)
	_, err = js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "FILL", Subjects: []string{"fill"}})
	require.NoError(t, err)
	for err == nil {
		_, err = js.Publish(t.Context(), "fill", make([]byte, 7<<20))
	}
	_, err = s.api.API.Submit(t.Context(), []byte(lineOf("refused", "20")))
	require.ErrorIs(t, err, job.ErrFull)
	require.ErrorIs(t, s.conn.Leases().Probe(t.Context()), job.ErrFull)

	s.nats.Stop()
	s.nats.Config.Store = 1 << 30
	s.nats.Start()
	s.submit(lineOf("refused", "20"))
	require.Equal(t, job.Succeeded, s.until("refused", ended).State)
	r := s.until("runs", ended)
	require.Equal(t, job.Succeeded, r.State, r.Error)
	want, _ := reference(t, decoded(t, lineOf("runs", "3000")))
	require.Equal(t, want, r.Outcome.ParametersSHA256)
}

func (s *site) client() *nats.Conn {
	s.t.Helper()
	nc, err := nats.Connect("", nats.InProcessServer(s.nats))
	require.NoError(s.t, err)
	s.t.Cleanup(nc.Close)
	return nc
}
