package broker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tributary/shared/job"
)

// SetupConfig sets limits on what is kept on the server; a zero field stands
// for its default.
type SetupConfig struct {
	Replicas   int           // copies of every stream and bucket in a cluster, 1 to 5; default 1
	TaskBytes  int64         // of tasks waiting, bytes; default 256 MiB
	TaskFile   bool          // keep tasks in files, so that they outlive the server; default memory
	Duplicates time.Duration // window in which a task published twice counts once; default 5 s
	EventBytes int64         // of events, bytes; the oldest go first; default 256 MiB
	EventAge   time.Duration // age at which an event goes; default 7 days
	JobBytes   int64         // of job records, bytes; an eighth is left for jobs that go on; default 1 GiB
	LeaseTTL   time.Duration // age at which an unrenewed lease ends, at least 1 s; default 2 s
	BlobBytes  int64         // of blobs, bytes; default: the server's limit
	ModelBytes int64         // of models, bytes; default: the server's limit
}

// DefaultLeaseTTL is how long a lease outlives a holder that hangs.
const DefaultLeaseTTL = 2 * time.Second

// eventsPerJob bounds the events kept of one job.
const eventsPerJob = 20_000

// leaseBytes bounds the leases bucket.
const leaseBytes = 16 << 20

// recordHistory is how many values of a job's record are kept: the newest alone. Old
// values would take the room of new jobs, and a full bucket lets a record be replaced
// or removed only if that makes it no longer.
const recordHistory = 1

func (c SetupConfig) withDefaults() SetupConfig {
	set := func(p *int64, v int64) {
		if *p == 0 {
			*p = v
		}
	}
	span := func(p *time.Duration, v time.Duration) {
		if *p == 0 {
			*p = v
		}
	}
	if c.Replicas == 0 {
		c.Replicas = 1
	}
	set(&c.TaskBytes, 256<<20)
	set(&c.EventBytes, 256<<20)
	set(&c.JobBytes, 1<<30)
	set(&c.BlobBytes, -1)
	set(&c.ModelBytes, -1)
	span(&c.Duplicates, 5*time.Second)
	span(&c.EventAge, 7*24*time.Hour)
	span(&c.LeaseTTL, DefaultLeaseTTL)
	return c
}

func (c SetupConfig) taskStream() jetstream.StreamConfig {
	storage := jetstream.MemoryStorage
	if c.TaskFile {
		storage = jetstream.FileStorage
	}
	return jetstream.StreamConfig{
		Name:        TaskStream,
		Description: "Tributary: tasks waiting for a worker",
		Subjects:    []string{taskPrefix + ">"},
		Retention:   jetstream.WorkQueuePolicy,
		Storage:     storage,
		Discard:     jetstream.DiscardNew,
		MaxBytes:    c.TaskBytes,
		MaxMsgSize:  maxTaskBytes + 1024, // and headers
		Duplicates:  c.Duplicates,
		Replicas:    c.Replicas,
	}
}

func (c SetupConfig) eventStream() jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:              EventStream,
		Description:       "Tributary: what happened to each job",
		Subjects:          []string{eventPrefix + ">"},
		Storage:           jetstream.FileStorage,
		Discard:           jetstream.DiscardOld,
		MaxBytes:          c.EventBytes,
		MaxAge:            c.EventAge,
		MaxMsgsPerSubject: eventsPerJob,
		Replicas:          c.Replicas,
		AllowDirect:       true,
	}
}

// The bounds of the stream of dead letters; the oldest go first.
const (
	deadAge    = 30 * 24 * time.Hour
	deadBytes  = 64 << 20
	deadPerJob = 1000
)

func (c SetupConfig) deadStream() jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:              DeadStream,
		Description:       "Tributary: tasks that were given up on, with their jobs",
		Subjects:          []string{deadPrefix + ">"},
		Storage:           jetstream.FileStorage,
		Discard:           jetstream.DiscardOld,
		MaxBytes:          deadBytes,
		MaxAge:            deadAge,
		MaxMsgsPerSubject: deadPerJob,
		Replicas:          c.Replicas,
		AllowDirect:       true,
	}
}

// setupTimeout bounds one attempt at one stream or bucket. A server that has no
// leader may not answer at all; one that is slow has made it by the next attempt.
const setupTimeout = 2 * time.Second

// Setup creates the streams and buckets, or brings them to these limits; what
// they hold stays. It may be called by anyone at any time. While JetStream cannot
// serve yet, as in a cluster without a leader, it tries again with back-off, having
// said so once, until ctx ends. It fails at once with job.ErrInvalid when JetStream
// is off or permissions are missing, and with job.ErrFull when the server has too
// little storage for the limits.
func (c *Conn) Setup(ctx context.Context, cfg SetupConfig) error {
	cfg = cfg.withDefaults()
	_, err := await(ctx, func() (struct{}, error) { return struct{}{}, c.setup(ctx, cfg) }, passing, func(err error) {
		c.log.Warn().Err(err).Msg("JetStream is not ready; trying again until it is")
	})
	if err != nil {
		return fmt.Errorf("set up NATS: %w", err)
	}
	return nil
}

// setup tries once; what it has made already, it may make again.
func (c *Conn) setup(ctx context.Context, cfg SetupConfig) error {
	if err := c.attempt(ctx, c.checkJetStream); err != nil {
		return fmt.Errorf("read the account: %w", err)
	}
	for _, p := range c.parts(cfg) {
		if err := c.attempt(ctx, p.ensure); err != nil {
			return fmt.Errorf("%s: %w", p.what, err)
		}
	}
	return nil
}

// part is a stream or a bucket that the programs share.
type part struct {
	what   string                      // for people
	stream string                      // that it is, or lies in
	holds  string                      // what is gone when the server has lost it
	ensure func(context.Context) error // makes it, or brings it to its limits
}

// parts lists everything that Setup makes.
func (c *Conn) parts(cfg SetupConfig) []part {
	return []part{
		{"stream " + TaskStream, TaskStream, "tasks; they are published again", func(ctx context.Context) error {
			return c.ensureTasks(ctx, cfg)
		}},
		{"stream " + EventStream, EventStream, "the history of events", func(ctx context.Context) error {
			_, err := c.js.CreateOrUpdateStream(ctx, cfg.eventStream())
			return err
		}},
		{"stream " + DeadStream, DeadStream, "dead letters", func(ctx context.Context) error {
			_, err := c.js.CreateOrUpdateStream(ctx, cfg.deadStream())
			return err
		}},
		{"bucket " + JobBucket, kvStream + JobBucket, "the records of all jobs: these jobs are gone", func(ctx context.Context) error {
			return c.ensureKV(ctx, jetstream.KeyValueConfig{
				Bucket: JobBucket, Description: "Tributary: the record of each job",
				History: recordHistory, MaxBytes: cfg.JobBytes, Replicas: cfg.Replicas, LimitMarkerTTL: markerTTL,
			})
		}},
		{"bucket " + LeaseBucket, kvStream + LeaseBucket, "leases; they are taken again", func(ctx context.Context) error {
			return c.ensureKV(ctx, jetstream.KeyValueConfig{
				Bucket: LeaseBucket, Description: "Tributary: which coordinator owns a job",
				TTL: cfg.LeaseTTL, MaxBytes: leaseBytes, Replicas: cfg.Replicas,
			})
		}},
		{"bucket " + BlobBucket, objectStream + BlobBucket, "blocks, plans and checkpoints: jobs that need them fail and name them", func(ctx context.Context) error {
			return c.ensureObjects(ctx, BlobBucket, "Tributary: blocks, plans and checkpoints by digest", cfg.BlobBytes, cfg.Replicas)
		}},
		{"bucket " + ModelBucket, objectStream + ModelBucket, "trained models", func(ctx context.Context) error {
			return c.ensureObjects(ctx, ModelBucket, "Tributary: trained models", cfg.ModelBytes, cfg.Replicas)
		}},
	}
}

// What the client library puts before a bucket's name to name its stream.
const (
	kvStream     = "KV_"
	objectStream = "OBJ_"
)

// attempt does one step in bounded time and says what can be done when it fails.
func (c *Conn) attempt(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, setupTimeout)
	defer cancel()
	err := classify(do(ctx))
	switch {
	case errors.Is(err, job.ErrFull):
		return fmt.Errorf("%w: raise JetStream's max_memory_store and max_file_store, or lower the limits asked for", err)
	case errors.Is(err, context.DeadlineExceeded) && errors.Is(c.nc.LastError(), nats.ErrPermissionViolation):
		// What is forbidden gets no reply; the server tells the connection.
		return fmt.Errorf("%w: %w: %w", err, c.nc.LastError(), job.ErrInvalid)
	}
	return err
}

// checkJetStream tells a server without JetStream from one that has it.
func (c *Conn) checkJetStream(ctx context.Context) error {
	_, err := c.js.AccountInfo(ctx)
	if errors.Is(err, jetstream.ErrJetStreamNotEnabled) || errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount) {
		return fmt.Errorf("%w: start nats-server with -js, or enable it for this account: %w", err, job.ErrInvalid)
	}
	return err
}

// ensureTasks creates the task stream or updates its limits. A new stream
// starts numbering at the time in microseconds: a task held since before the
// stream was lost can then never be confused with one of its successor.
func (c *Conn) ensureTasks(ctx context.Context, cfg SetupConfig) error {
	stream := cfg.taskStream()
	found, err := c.js.Stream(ctx, TaskStream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		stream.FirstSeq = uint64(time.Now().UnixMicro())
		_, err = c.js.CreateStream(ctx, stream)
		if !errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			return err
		}
		found, err = c.js.Stream(ctx, TaskStream)
	}
	if err != nil {
		return err
	}
	stream.FirstSeq = found.CachedInfo().Config.FirstSeq
	_, err = c.js.UpdateStream(ctx, stream)
	return err
}

// ensureKV creates a bucket or updates its limits. The stream of a new bucket
// starts numbering at the time in microseconds, so that every revision is greater
// than all of a bucket that was lost: a lease's term still grows, a watcher
// takes a new record for new, and a change of a lost record conflicts.
func (c *Conn) ensureKV(ctx context.Context, cfg jetstream.KeyValueConfig) error {
	cfg.Storage = jetstream.FileStorage
	_, err := c.js.Stream(ctx, kvStream+cfg.Bucket)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		// The client library cannot create a bucket with a first revision. It
		// brings the rest of this stream to what it wants a bucket to be.
		_, err = c.js.CreateStream(ctx, jetstream.StreamConfig{
			Name: kvStream + cfg.Bucket, Description: cfg.Description, Subjects: []string{"$KV." + cfg.Bucket + ".>"},
			MaxMsgsPerSubject: max(1, int64(cfg.History)), MaxAge: cfg.TTL, MaxBytes: cfg.MaxBytes,
			AllowMsgTTL: cfg.LimitMarkerTTL > 0, SubjectDeleteMarkerTTL: cfg.LimitMarkerTTL,
			Storage: cfg.Storage, Replicas: cfg.Replicas, Discard: jetstream.DiscardNew,
			AllowRollup: true, DenyDelete: true, AllowDirect: true,
			FirstSeq: uint64(time.Now().UnixMicro()),
		})
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			err = nil // another process was faster
		}
	}
	if err != nil {
		return err
	}
	_, err = c.js.CreateOrUpdateKeyValue(ctx, cfg)
	return err
}

func (c *Conn) ensureObjects(ctx context.Context, bucket, description string, size int64, replicas int) error {
	_, err := c.js.CreateOrUpdateObjectStore(ctx, jetstream.ObjectStoreConfig{
		Bucket: bucket, Description: description, MaxBytes: size, Replicas: replicas, Storage: jetstream.FileStorage,
	})
	return err
}
