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

// SetupConfig sets limits for the data on the server. A zero field means its default.
type SetupConfig struct {
	Replicas   int           // copies of every stream and bucket in a cluster, 1 to 5; default 1
	TaskBytes  int64         // of waiting tasks, in bytes; default 256 MiB
	TaskFile   bool          // whether tasks are stored in files, so that they survive a restart of the server; default: in memory
	Duplicates time.Duration // window in which a task that is published twice counts once; default 5 s
	EventBytes int64         // of events, in bytes; the oldest are deleted first; default 256 MiB
	EventAge   time.Duration // age at which an event is deleted; default 7 days
	JobBytes   int64         // of job records, in bytes; an eighth is reserved for existing jobs; default 1 GiB
	SweepBytes int64         // of the records of sweeps, in bytes; default 64 MiB
	LeaseTTL   time.Duration // age at which a lease ends if it is not renewed, at least 1 s; default 2 s
	BlobBytes  int64         // of blobs, in bytes; default: the server's limit
	ModelBytes int64         // of models, in bytes; default: the server's limit
}

// DefaultLeaseTTL is how long a holder that hangs keeps its lease.
const DefaultLeaseTTL = 2 * time.Second

// eventsPerJob bounds the number of stored events of one job.
const eventsPerJob = 20_000

// leaseBytes bounds the leases bucket, in bytes.
const leaseBytes = 16 << 20

// recordHistory is how many values of a job's record are stored: only the newest. Old
// values would take the space of new jobs. And in a full bucket, a record can be replaced
// or removed only if the new value is not longer.
const recordHistory = 1

func (c SetupConfig) withDefaults() SetupConfig {
	set := func(p *int64, v int64) {
		if *p == 0 {
			*p = v
		}
	}
	setTime := func(p *time.Duration, v time.Duration) {
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
	set(&c.SweepBytes, 64<<20)
	set(&c.BlobBytes, -1)
	set(&c.ModelBytes, -1)
	setTime(&c.Duplicates, 5*time.Second)
	setTime(&c.EventAge, 7*24*time.Hour)
	setTime(&c.LeaseTTL, DefaultLeaseTTL)
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
		MaxMsgSize:  maxTaskBytes + 1024, // plus headers
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

// The bounds of the stream of dead letters; the oldest are deleted first.
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

// setupTimeout bounds one attempt at one stream or bucket. A server without a leader may
// not answer at all. A slow server has created it by the next attempt.
const setupTimeout = 2 * time.Second

// Setup creates the streams and buckets, or updates their limits; their content stays. Any
// process may call it at any time. While JetStream is not ready, for example in a cluster
// without a leader, Setup retries with back-off until ctx ends, and logs that once. It
// fails at once with job.ErrInvalid when JetStream is off or permissions are missing, and
// with job.ErrFull when the server has too little storage for the limits.
func (c *Conn) Setup(ctx context.Context, cfg SetupConfig) error {
	cfg = cfg.withDefaults()
	_, err := await(ctx, func() (struct{}, error) { return struct{}{}, c.setup(ctx, cfg) }, temporary, func(err error) {
		c.log.Warn().Err(err).Msg("JetStream is not ready; trying again until it is")
	})
	if err != nil {
		return fmt.Errorf("set up NATS: %w", err)
	}
	return nil
}

// setup makes one attempt. A later attempt may repeat all of it.
func (c *Conn) setup(ctx context.Context, cfg SetupConfig) error {
	if err := c.attempt(ctx, c.checkJetStream); err != nil {
		return fmt.Errorf("read the account: %w", err)
	}
	for _, p := range c.resources(cfg) {
		if err := c.attempt(ctx, p.ensure); err != nil {
			return fmt.Errorf("%s: %w", p.what, err)
		}
	}
	return nil
}

// resource is one stream or bucket that the programs share.
type resource struct {
	what   string                      // its name, for people
	stream string                      // the stream itself, or the stream of the bucket
	file   bool                        // whether the server stores it in a directory, not in memory
	holds  string                      // what is gone when the server has lost it, for people
	ensure func(context.Context) error // creates it, or updates its limits
}

// resources returns everything that Setup creates.
func (c *Conn) resources(cfg SetupConfig) []resource {
	return []resource{
		{"stream " + TaskStream, TaskStream, cfg.TaskFile, "tasks; they are published again", func(ctx context.Context) error {
			return c.ensureTasks(ctx, cfg)
		}},
		{"stream " + EventStream, EventStream, true, "the history of events", func(ctx context.Context) error {
			_, err := c.js.CreateOrUpdateStream(ctx, cfg.eventStream())
			return err
		}},
		{"stream " + DeadStream, DeadStream, true, "dead letters", func(ctx context.Context) error {
			_, err := c.js.CreateOrUpdateStream(ctx, cfg.deadStream())
			return err
		}},
		{"bucket " + JobBucket, kvStream + JobBucket, true, "the records of all jobs: these jobs are gone", func(ctx context.Context) error {
			return c.ensureKV(ctx, jetstream.KeyValueConfig{
				Bucket: JobBucket, Description: "Tributary: the record of each job",
				History: recordHistory, MaxBytes: cfg.JobBytes, Replicas: cfg.Replicas, LimitMarkerTTL: markerTTL,
			})
		}},
		{"bucket " + DatasetBucket, kvStream + DatasetBucket, true, "the names of data sets: jobs that read them fail", func(ctx context.Context) error {
			return c.ensureKV(ctx, jetstream.KeyValueConfig{
				Bucket: DatasetBucket, Description: "Tributary: named data sets and their versions",
				MaxBytes: datasetBytes, Replicas: cfg.Replicas,
			})
		}},
		{"bucket " + SweepBucket, kvStream + SweepBucket, true, "the sweeps: their trials are jobs and stay", func(ctx context.Context) error {
			return c.ensureKV(ctx, jetstream.KeyValueConfig{
				Bucket: SweepBucket, Description: "Tributary: the record of each submitted sweep",
				History: recordHistory, MaxBytes: cfg.SweepBytes, Replicas: cfg.Replicas, LimitMarkerTTL: markerTTL,
			})
		}},
		{"bucket " + LeaseBucket, kvStream + LeaseBucket, true, "leases; they are taken again", func(ctx context.Context) error {
			return c.ensureKV(ctx, jetstream.KeyValueConfig{
				Bucket: LeaseBucket, Description: "Tributary: which coordinator owns a job",
				TTL: cfg.LeaseTTL, MaxBytes: leaseBytes, Replicas: cfg.Replicas,
			})
		}},
		{"bucket " + BlobBucket, objectStream + BlobBucket, true, "blocks, plans and checkpoints: jobs that need them fail and name them", func(ctx context.Context) error {
			return c.ensureObjects(ctx, BlobBucket, "Tributary: blocks, plans and checkpoints by digest", cfg.BlobBytes, cfg.Replicas)
		}},
		{"bucket " + ModelBucket, objectStream + ModelBucket, true, "trained models", func(ctx context.Context) error {
			return c.ensureObjects(ctx, ModelBucket, "Tributary: trained models", cfg.ModelBytes, cfg.Replicas)
		}},
	}
}

// Prefixes with which the client library turns a bucket's name into the name of its stream.
const (
	kvStream     = "KV_"
	objectStream = "OBJ_"
)

// attempt calls do with a timeout. Its error says what a user can do.
func (c *Conn) attempt(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, setupTimeout)
	defer cancel()
	err := classify(do(ctx))
	switch {
	case errors.Is(err, job.ErrFull):
		return fmt.Errorf("%w: raise JetStream's max_memory_store and max_file_store, or lower the limits asked for", err)
	case errors.Is(err, context.DeadlineExceeded) && errors.Is(c.nc.LastError(), nats.ErrPermissionViolation):
		// The server does not answer a forbidden request. It reports the violation to the
		// connection.
		return fmt.Errorf("%w: %w: %w", err, c.nc.LastError(), job.ErrInvalid)
	}
	return err
}

// checkJetStream checks whether the server has JetStream.
func (c *Conn) checkJetStream(ctx context.Context) error {
	_, err := c.js.AccountInfo(ctx)
	if errors.Is(err, jetstream.ErrJetStreamNotEnabled) || errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount) {
		return fmt.Errorf("%w: start nats-server with -js, or enable it for this account: %w", err, job.ErrInvalid)
	}
	return err
}

// ensureTasks creates the task stream or updates its limits. The first sequence number of a
// new stream is the time in microseconds. So a task that a worker still holds from a lost
// stream never has the number of a task in the new one.
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

// ensureKV creates a bucket or updates its limits. The first sequence number of a new
// bucket's stream is the time in microseconds. So every revision is greater than all
// revisions of a lost bucket: a lease's term still grows, a watcher recognizes a new record
// as new, and an update of a lost record conflicts.
func (c *Conn) ensureKV(ctx context.Context, cfg jetstream.KeyValueConfig) error {
	cfg.Storage = jetstream.FileStorage
	_, err := c.js.Stream(ctx, kvStream+cfg.Bucket)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		// The client library cannot create a bucket with a first revision. It later sets
		// all other properties that a bucket's stream needs.
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
