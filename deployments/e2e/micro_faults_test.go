package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"tributary/shared/access"
	"tributary/shared/broker"
	"tributary/shared/job"
	"tributary/shared/ledger/redis/redistest"
	"tributary/shared/lifecycle"
	"tributary/shared/notice"
	"tributary/shared/plan"
	workerrun "tributary/worker/run"
)

func objectBucket(name string) jetstream.ObjectStoreConfig {
	return jetstream.ObjectStoreConfig{Bucket: name}
}

func waiting(e notice.Event) bool { return e.Type == notice.WaitingEvent }

func TestAJobWaitsForAWorkerAndSaysSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	w.coordinate("")
	text := long("patient", 200)
	w.submit(text)
	s := w.follow("patient")
	require.Equal(t, "waiting: no worker is present", s.until("waiting", waiting).Message)
	w.eventually("the record says so", func() bool { return w.record("patient").Message == "waiting: no worker is present" })

	stop := w.work()
	w.eventually("the message is gone", func() bool { return w.record("patient").Message == "" })
	s.succeeded(reference(t, text))

	// The same when the last worker leaves in the middle of the job.
	text = long("deserted", 200_000)
	w.submit(text)
	s = w.follow("deserted")
	s.underway()
	stop()
	require.Equal(t, "waiting: no worker is present", s.until("waiting", waiting).Message)
	w.work()
	s.succeeded(reference(t, text))
}

func TestAJobWaitsForItsNumericsAndSaysSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	stopCoordinator := w.coordinate("")
	stop := w.workWith("avx512")
	w.submit(long("strict", 1_000_000))
	s := w.follow("strict")
	s.underway()
	stop()
	require.Equal(t, "waiting: no worker is present", s.until("waiting", waiting).Message)
	w.workWith("neon")
	const lacking = "waiting: the job is computed with numerics avx512, and no worker present has it (1 have neon)"
	require.Equal(t, lacking, s.until("waiting for another reason", waiting).Message)
	require.EqualValues(t, "avx512", w.record("strict").Numerics)

	// A coordinator that takes over the job must not repeat the message.
	stopCoordinator()
	require.Equal(t, lacking, w.bucketRecord("strict").Message)
	w.workWith("avx512")
	w.coordinate("")
	w.eventually("the message is gone", func() bool { return w.record("strict").Message == "" })
	s.underway()
	w.ask("tributary.jobs.cancel", "strict")
}

// workWith runs a worker that claims to have other arithmetic.
func (w *world) workWith(n job.Numerics) (stop func()) {
	w.t.Helper()
	stores, err := w.stores(w.url).Open(w.t.Context(), "test", zerolog.Nop())
	require.NoError(w.t, err)
	w.t.Cleanup(stores.Close)
	return w.program(func(c lifecycle.Contexts) error {
		return workerrun.Run(c.Soft, c.Hard, workerrun.Config{
			ID: string(n), Slots: 1, Numerics: n, Queue: stores.Queue(), Ledger: stores.Ledger, Blobs: stores.Blobs,
			Bus: stores.Conn.Notices(), BlockBytes: 1 << 20, ReplicaBytes: 1 << 20, Log: zerolog.Nop(),
		})
	})
}

func TestACoordinatorStopsAndTheNextGoesOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	stop := w.coordinate("")
	w.work()
	text := long("resumed", 200_000)
	w.submit(text)
	s := w.follow("resumed")
	s.underway()
	stop()
	require.Equal(t, job.Running, w.bucketRecord("resumed").State, "it released the job")
	w.coordinate("")
	s.underway()
	s.succeeded(reference(t, text))
}

// bucketRecord reads a job's record without a coordinator.
func (w *world) bucketRecord(id job.ID) job.Record {
	w.t.Helper()
	kv, err := w.js.KeyValue(w.t.Context(), broker.JobBucket)
	require.NoError(w.t, err)
	e, err := kv.Get(w.t.Context(), string(id))
	require.NoError(w.t, err)
	return decode[job.Record](w.t, e.Value())
}

func TestAJobHasOneOwnerAndAnotherTakesOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	first := w.cable()
	w.coordinate(first.url())
	rest := w.work()
	w.ask("tributary.jobs.list", "")
	text := long("owned", 200_000)
	w.submit(text)
	s := w.follow("owned")
	s.underway()
	rest() // so that the job stays in the middle as long as the test needs
	was := w.bucketRecord("owned").Owner
	require.NotEmpty(t, was)
	w.coordinate("")
	w.eventually("the second answers", func() bool { return w.instances() == 2 })
	require.Equal(t, was, w.bucketRecord("owned").Owner, "the job has an owner")

	first.cut() // it still runs, but its messages do not arrive
	w.eventually("the second owns the job", func() bool { return w.bucketRecord("owned").Owner != was })
	w.work()
	s.succeeded(reference(t, text))
	require.Equal(t, 1, count(s.told, func(e notice.Event) bool { return e.State.Final() }))
}

// instances counts the coordinators that answer.
func (w *world) instances() int {
	w.t.Helper()
	inbox := w.nc.NewInbox()
	sub, err := w.nc.SubscribeSync(inbox)
	require.NoError(w.t, err)
	defer func() { _ = sub.Unsubscribe() }()
	require.NoError(w.t, w.nc.PublishRequest("$SRV.PING.tributary", inbox, nil))
	n := 0
	for {
		if _, err := sub.NextMsg(100 * time.Millisecond); err != nil {
			return n
		}
		n++
	}
}

func count(events []notice.Event, is func(notice.Event) bool) int {
	n := 0
	for _, e := range events {
		if is(e) {
			n++
		}
	}
	return n
}

func TestACancelledJobLeavesNothingAndDisturbsNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	w.coordinate("")
	w.work()
	text := long("kept", 1000)
	w.submit(long("dropped", 1_000_000))
	w.submit(text)
	dropped, kept := w.follow("dropped"), w.follow("kept")
	dropped.underway()
	kept.underway()
	require.JSONEq(t, `{"id":"dropped","state":"cancelled"}`, string(w.ask("tributary.jobs.cancel", "dropped").Data))
	require.Equal(t, job.Cancelled, dropped.end().State)
	w.eventually("its training state is deleted", func() bool { return w.record("dropped").Released })
	kept.succeeded(reference(t, text))
	w.eventually("nothing of a straggler's is left", func() bool { return len(w.keys("dropped")) == 0 })
	r := w.record("dropped")
	require.Equal(t, job.Cancelled, r.State)
	require.NotNil(t, r.Finished)
	require.Nil(t, r.Outcome)
}

func TestAPoisonedJobFailsWithItsCause(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	w.coordinate("")
	w.submit(long("poisoned", 100))
	text := strings.Replace(long("healthy", 500), "[8, 1]", "[8, 2]", 1) // other data, other blocks
	w.submit(text)
	w.follow("poisoned").until("waiting", waiting)

	// The data is ready, and no worker has read it yet.
	conn, err := broker.Connect(t.Context(), broker.Config{URL: access.URL(w.url)}, zerolog.Nop())
	require.NoError(t, err)
	defer conn.Close()
	data, err := conn.Blobs().Get(t.Context(), w.record("poisoned").Plan)
	require.NoError(t, err)
	p, err := plan.Decode(data)
	require.NoError(t, err)
	block := p.Dataset.Splits[job.Train][0].Digest
	require.NoError(t, conn.Blobs().Delete(t.Context(), block))

	w.work()
	end := w.follow("poisoned").end()
	require.Equal(t, job.Failed, end.State)
	require.Contains(t, end.Message, "read block 0 of the train split")
	require.Equal(t, end.Message, w.record("poisoned").Error)
	w.follow("healthy").succeeded(reference(t, text))
}

func TestRedisGoesAndComesBack(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	if redis == nil {
		return
	}
	w := newWorld(t, redis.URL)
	w.coordinate("")
	w.work()
	text := long("outage", 200_000)
	w.submit(text)
	s := w.follow("outage")
	s.underway()
	redis.Stop()
	s.until("that the job waits", func(e notice.Event) bool { return e.Type == notice.WaitingEvent })
	require.Equal(t, job.Running, w.record("outage").State)
	redis.Restart()
	s.underway()
	s.succeeded(reference(t, text))
}

func TestRedisLosesEverything(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	if redis == nil {
		return
	}
	w := newWorld(t, redis.URL)
	w.coordinate("")
	w.work()
	text := long("amnesia", 200_000)
	w.submit(text)
	s := w.follow("amnesia")
	s.underway()
	redis.Stop()
	redis.Restart()
	s.succeeded(reference(t, text))
}

// The task stream is in memory, so it is lost too.
func TestNATSGoesAndComesBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	w.coordinate("")
	w.work()
	text := long("restart", 200_000)
	w.submit(text)
	s := w.follow("restart")
	s.underway()
	w.restartNATS()
	s.succeeded(reference(t, text))
}
