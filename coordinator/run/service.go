// Package run drives jobs from submission to their model. It takes jobs that have no
// owner and prepares their data. It passes events to each job's round machine and
// executes the machine's actions.
//
// It owns the goroutines, clocks and I/O of the coordinator. It leaves decisions to
// package round and the API's answers to package api. Package serve assembles and starts
// it.
//
// Invariant: the records and the ledger hold everything that this package keeps in
// memory, so another coordinator can continue at any moment.
package run

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"golang.org/x/sync/semaphore"

	"tributary/coordinator/fleet"
	"tributary/coordinator/report"
	"tributary/shared/blob"
	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/lifecycle"
	"tributary/shared/notice"
	"tributary/shared/plan"
	"tributary/shared/queue"
	"tributary/shared/telemetry"
)

// Config holds the settings and the ports of a Service.
type Config struct {
	Owner   string // this coordinator's name, unique among coordinators
	Records Records
	Leases  Leases
	Queue   queue.Queue
	Ledger  ledger.Driver
	Blobs   blob.Store
	Models  Models
	Sources Sources
	Events  Events
	// Keep, if set, also stores a finished model's files and returns the location.
	Keep func(id job.ID, files map[string][]byte) (string, error)
	// SetAside, if set, tells a worker to take no tasks for a while.
	SetAside func(notice.Aside) error
	// Gone, if set, reports whether a worker's connection is known to be closed. It
	// reports false for a worker that only hangs.
	Gone func(ctx context.Context, worker string) bool
	// Recall, if set, notifies workers which tasks they must stop.
	Recall func(notice.Recall) error
	// DeadLetter, if set, stores the task that made its job fail.
	DeadLetter func(context.Context, notice.DeadLetter) error
	// Collecting, if set, reports whether a process is deleting blobs that no job needs.
	Collecting func(context.Context) (bool, error)
	// Collect, if set, requests such a deletion soon, because a job was removed or a job
	// waits for space.
	Collect func()
	// Forget, if set, deletes the published events of a job that is removed.
	Forget func(ctx context.Context, id job.ID) error
	// Retain is how long a job is kept after its end; 0 means forever. The job's model is
	// kept longer unless RetireModels is set.
	Retain       time.Duration
	RetireModels bool
	// Volatile means that the blobs, like the ledger, exist only as long as this process.
	// Then only Saved uses checkpoints, and a job writes none at its end.
	Volatile bool
	// Saved, if set, receives the record of each job that has a new checkpoint.
	Saved func(job.Record) error
	// Only, if set, reports which jobs this coordinator takes.
	Only func(job.ID) bool
	// Memory limits the memory of this process that ending jobs use, in bytes; 0:
	// unknown, no limit.
	Memory int64
	// ChunkLen is the number of parameters in a chunk of the ledger. The default is
	// 65,536, which is 256 KiB.
	ChunkLen int
	// SnapshotEvery is the number of steps between snapshots. The default depends on the
	// bytes of log per step.
	SnapshotEvery int64
	// AnnounceTime is the approximate time of work that a worker with whole steps may keep
	// unannounced; default job.Ahead.
	AnnounceTime time.Duration
	// TryFewer makes the coordinator periodically try whether a job's steps are faster on
	// fewer workers, and then use fewer. Otherwise all workers of the job work on each
	// step.
	TryFewer bool
	// Report makes the files that show the course of training; default report.Files.
	Report func(report.Curves) (map[string][]byte, error)
	// Now is this machine's clock, which may differ from other machines' clocks; default
	// time.Now.
	Now func() time.Time
	Log zerolog.Logger
}

// Service drives the jobs that this coordinator has leases for.
type Service struct {
	cfg   Config
	start time.Time
	steps prometheus.Counter // committed steps
	// census counts the jobs of all coordinators.
	census *census

	mu          sync.Mutex
	fleet       *fleet.Fleet
	room        room
	open        map[job.Ref]job.Record // records that still need work
	jobs        map[job.Ref]*driver    // jobs that this coordinator drives
	due         map[job.Ref]time.Time  // when to remove jobs that have ended
	tidy        time.Duration          // time of the last check of due
	lateLedgers []lateLedger           // ledgers to delete once more

	probing     map[string]bool        // workers with a probe in flight
	lastProbe   time.Duration          // time of the last probes
	unconfirmed map[string]notice.Beat // newest heartbeats of workers that a probe must confirm before they count
	busy        sync.WaitGroup

	leasing   leasing
	confirmed time.Duration // time of the last call to confirm
	standings *standings
	ends      *semaphore.Weighted // limits the use of Config.Memory; nil if that is unknown
}

// New returns a service that has no jobs yet.
func New(cfg Config) *Service {
	cfg.ChunkLen = cmp.Or(cfg.ChunkLen, chunkLen)
	if cfg.Report == nil {
		cfg.Report = report.Files
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	var ends *semaphore.Weighted
	if cfg.Memory > 0 {
		ends = semaphore.NewWeighted(cfg.Memory)
	}
	return &Service{
		ends: ends, census: newCensus(), standings: newStandings(&cfg),
		cfg: cfg, start: time.Now(), fleet: fleet.New(), open: map[job.Ref]job.Record{}, jobs: map[job.Ref]*driver{},
		due:     map[job.Ref]time.Time{},
		probing: map[string]bool{}, unconfirmed: map[string]notice.Beat{}, leasing: newLeasing(cfg.Log),
		steps: prometheus.NewCounter(prometheus.CounterOpts{Name: "steps_total"}), // not registered until Measure
	}
}

// now returns a monotonic time since the start, which the pure packages use.
func (s *Service) now() time.Duration { return time.Since(s.start) }

// Run takes and drives jobs until ctx ends. Then it releases them, so that another
// coordinator or a later start can continue them.
func (s *Service) Run(ctx context.Context) error {
	defer s.busy.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	s.busy.Go(func() { s.maintain(ctx) })
	err := s.cfg.Records.Watch(ctx, func(r job.Record) {
		_ = s.contain("act on a job's record", r.Ref(), func() error { s.recordChanged(ctx, r); return nil })
	})
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// recordChanged acts on a record. It stops the driver of a job that must not run. It
// takes a job that has no driver and still needs work. A paused job has no owner and
// costs nothing; when a user resumes it, any running coordinator takes it.
func (s *Service) recordChanged(ctx context.Context, r job.Record) {
	if s.cfg.Only != nil && !s.cfg.Only(r.ID) {
		return
	}
	s.census.record(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	d, driven := s.jobs[r.Ref()]
	if driven && !r.State.Driven() && !d.ending.Load() {
		d.stop(errHalted)
	}
	s.schedule(r)
	before, known := s.open[r.Ref()]
	maps.DeleteFunc(s.open, func(ref job.Ref, _ job.Record) bool { return ref.Job == r.ID && ref != r.Ref() }) // replaced by this record
	if r.Released || r.State == job.Paused {
		delete(s.open, r.Ref())
	} else {
		s.open[r.Ref()] = r
		if !driven {
			s.take(ctx, r)
		}
	}
	if !known || before.State != r.State || before.Priority != r.Priority || before.MaxSlots != r.MaxSlots || before.LedgerNeed != r.LedgerNeed {
		s.notifyDrivers() // the shares of other jobs change
	}
}

// takeFreeJobs tries to take the jobs of other coordinators, which may be free now. The
// caller holds s.mu.
func (s *Service) takeFreeJobs(ctx context.Context) {
	for ref, r := range s.open {
		if s.jobs[ref] == nil {
			s.take(ctx, r)
		}
	}
}

// forget discards a job whose record was removed.
func (s *Service) forget(ref job.Ref) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, ref)
	delete(s.due, ref)
	s.census.forget(ref)
	s.leasing.forget(ref)
}

// take starts a driver for the job. If another coordinator holds the job's lease, the
// driver ends, and takeFreeJobs tries again. If the job is not final and needs a
// capability that this program does not know, take leaves it to a coordinator of another
// version. The caller holds s.mu.
func (s *Service) take(service context.Context, r job.Record) {
	if r.State.Driven() && len(plan.Unknown(r.Capabilities)) > 0 || !s.leasing.due(s.now(), r.Ref()) {
		return
	}
	ctx, stop := context.WithCancelCause(service)
	d := &driver{
		service: s, ref: r.Ref(), stop: stop,
		inbox: make(chan any, 1024), notes: telemetry.NewLimit(),
		log: s.cfg.Log.With().Str("job", string(r.ID)).Logger(),
	}
	s.jobs[r.Ref()] = d
	s.busy.Go(func() {
		defer func() {
			stop(nil)
			s.mu.Lock()
			s.fleet.Forget(r.Ref())
			delete(s.jobs, r.Ref())
			s.mu.Unlock()
		}()
		lease, err := s.cfg.Leases.Acquire(ctx, string(r.ID), s.cfg.Owner)
		d.leased(ctx, err)
		if err != nil {
			return
		}
		defer func() {
			c, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
			defer cancel()
			if err := lease.Release(c); err != nil {
				d.log.Debug().Err(err).Msg("release lease")
			}
		}()
		go func() {
			select {
			case <-lease.Lost():
				stop(errLeaseLost)
			case <-ctx.Done():
			}
		}()
		if s.contain("drive the job", r.Ref(), func() error { d.own(ctx, lease.Term()); return nil }) != nil {
			s.forget(r.Ref()) // until its record changes or the next start, because it would panic again
		}
	})
}

// background runs f for one job in its own goroutine and logs its error. The service
// waits for it when it stops.
func (s *Service) background(what string, ref job.Ref, f func() error) {
	s.busy.Go(func() {
		if err := s.contain(what, ref, f); err != nil {
			s.cfg.Log.Warn().Err(err).Stringer("job", ref).Msg(what)
		}
	})
}

// contain runs f for one job and returns its error. A panic becomes an error and is
// logged with its stack, so it does no harm to other jobs.
func (s *Service) contain(what string, ref job.Ref, f func() error) error {
	err := lifecycle.Contain(what, f)
	if p := (*lifecycle.PanicError)(nil); errors.As(err, &p) {
		s.cfg.Log.Error().Err(err).Stringer("job", ref).Bytes("stack", p.Stack).Msg("panic")
	}
	return err
}

// takeEvery is how often a coordinator tries to take the jobs of others. It adds to the
// time between an owner's death and the job's next step.
const takeEvery = 100 * time.Millisecond

// maintain periodically drops silent workers, takes free jobs and cleans up after jobs
// that have ended.
func (s *Service) maintain(ctx context.Context) {
	tick := time.NewTicker(takeEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			_ = s.contain("check the jobs", job.Ref{}, func() error { s.tick(ctx); return nil })
		}
	}
}

// tick does one round of maintain's work.
func (s *Service) tick(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fleet.Expire(s.now()) {
		s.notifyDrivers()
	}
	s.probeUnconfirmed(ctx)
	s.probeWorkers(ctx)
	s.takeFreeJobs(ctx)
	s.sweep(ctx)
	s.retire(ctx)
	s.confirm(ctx)
}

// notifyDrivers notifies every driver that the slots have changed. The caller holds s.mu.
func (s *Service) notifyDrivers() {
	for _, d := range s.jobs {
		d.notify(fleetChanged{})
	}
}

// Committed receives the notice of a committed step.
func (s *Service) Committed(n notice.Commit) { s.route(n.Ref, n) }

// Evaluated receives the notice of a stored evaluation unit.
func (s *Service) Evaluated(n notice.Evaluated) { s.route(n.Ref, n) }

// Snapshotted receives the notice of a stored snapshot.
func (s *Service) Snapshotted(n notice.Snapshotted) { s.route(n.Ref, n) }

// Checkpointed receives the notice of a checkpoint in the blob store.
func (s *Service) Checkpointed(n notice.Checkpointed) { s.route(n.Ref, n) }

// Failed receives a worker's report of a failed attempt.
func (s *Service) Failed(n notice.Failure) { s.route(n.Ref, n) }

// Exhausted receives a task that the queue has given up after that many deliveries.
func (s *Service) Exhausted(t job.Task, deliveries int) { s.route(t.Ref, exhausted{t, deliveries}) }

func (s *Service) route(ref job.Ref, message any) {
	s.mu.Lock()
	d := s.jobs[ref]
	s.mu.Unlock()
	if d != nil {
		d.notify(message)
	}
}
