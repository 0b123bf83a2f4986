// Package run carries jobs from submission to their model: it takes jobs that
// nobody owns, prepares their data, feeds each one's round machine with what
// happens, and carries its actions out.
//
// It owns goroutines, clocks and I/O of the coordinator; decisions are package
// round's, and what the API answers is package api's. The programs' mains
// start it.
//
// Invariant: everything it holds in memory can be read again from the records
// and the ledger, so that another coordinator can go on at any moment.
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

// Config is what a Service works with.
type Config struct {
	Owner   string // this coordinator's name, unique among them
	Records Records
	Leases  Leases
	Queue   queue.Queue
	Ledger  ledger.Driver
	Blobs   blob.Store
	Models  Models
	Sources Sources
	Events  Events
	// Keep, when set, also stores a finished model's files and returns where.
	Keep func(id job.ID, files map[string][]byte) (string, error)
	// SetAside, when set, tells a worker to take no tasks for a while.
	SetAside func(notice.Aside) error
	// Gone, when set, reports whether a worker's connection is known to be gone; a worker
	// that only hangs is not.
	Gone func(ctx context.Context, worker string) bool
	// Recall, when set, tells workers which tasks to leave off.
	Recall func(notice.Recall) error
	// DeadLetter, when set, keeps a task that its job fails of.
	DeadLetter func(context.Context, notice.DeadLetter) error
	// Collecting, when set, reports whether somebody deletes blobs that no job needs.
	Collecting func(context.Context) (bool, error)
	// Collect, when set, asks for that soon: a job was removed, or one waits for room.
	Collect func()
	// Forget, when set, deletes what people were told of a job that is removed.
	Forget func(ctx context.Context, id job.ID) error
	// Retain is how long a job is kept after its end; 0 for ever. Its model is
	// kept longer unless RetireModels is set.
	Retain       time.Duration
	RetireModels bool
	// Volatile: the blobs live and die with this process, as the ledger does, so
	// that checkpoints are of use to Saved alone, and a job's end needs none.
	Volatile bool
	// Saved, when set, is given the record of each job that has a new checkpoint.
	Saved func(job.Record) error
	// Only, when set, says which jobs this coordinator takes.
	Only func(job.ID) bool
	// Memory is how many bytes of this process the ends of jobs may take; 0: it is not known.
	Memory int64
	// ChunkLen is the number of parameters in a chunk of the ledger; default
	// 65,536, which is 256 KiB.
	ChunkLen int
	// SnapshotEvery is the number of steps between snapshots; default: by the
	// bytes of log that they make.
	SnapshotEvery int64
	// Ahead is about how much of its work a worker that has whole steps by itself may keep
	// to itself; default job.Ahead.
	Ahead time.Duration
	// TryFewer: it is tried now and then whether a job's steps are faster parted among
	// fewer of its workers, and then they are. Otherwise all share them always.
	TryFewer bool
	// Report makes the files that show how training went; default report.Files.
	Report func(report.Curves) (map[string][]byte, error)
	// Now is this machine's clock, which may differ from that of others; default
	// time.Now.
	Now func() time.Time
	Log zerolog.Logger
}

// Service owns the jobs this coordinator has leases for.
type Service struct {
	cfg   Config
	start time.Time
	steps prometheus.Counter // committed
	// census is of the jobs of all coordinators.
	census *census

	mu    sync.Mutex
	fleet *fleet.Fleet
	room  room
	open  map[job.Ref]job.Record // records with something left to do
	jobs  map[job.Ref]*driver    // those that are being driven here
	due   map[job.Ref]time.Time  // when jobs that have ended are to be removed
	tidy  time.Duration          // when due was last looked at
	late  []straggling           // ledgers to be deleted once more

	asking    map[string]bool        // workers that are being probed
	probed    time.Duration          // when they were last
	strangers map[string]notice.Beat // newest beats of workers that are to be probed before they count
	busy      sync.WaitGroup

	leasing   leasing
	confirmed time.Duration       // when confirm was last done
	ends      *semaphore.Weighted // of Config.Memory; nil when that is not known
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
		ends: ends, census: newCensus(),
		cfg: cfg, start: time.Now(), fleet: fleet.New(), open: map[job.Ref]job.Record{}, jobs: map[job.Ref]*driver{},
		due:    map[job.Ref]time.Time{},
		asking: map[string]bool{}, strangers: map[string]notice.Beat{}, leasing: newLeasing(cfg.Log),
		steps: prometheus.NewCounter(prometheus.CounterOpts{Name: "steps_total"}), // until Measure
	}
}

// now is a monotonic time, as the pure packages want it.
func (s *Service) now() time.Duration { return time.Since(s.start) }

// Run takes and drives jobs until ctx ends; then it lets go of them, for
// another coordinator or a later start to go on with.
func (s *Service) Run(ctx context.Context) error {
	defer s.busy.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	s.busy.Go(func() { s.keepUp(ctx) })
	err := s.cfg.Records.Watch(ctx, func(r job.Record) {
		_ = s.contain("act on a job's record", r.Ref(), func() error { s.see(ctx, r); return nil })
	})
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// see acts on a record: it stops a job that is to stand still and takes one that
// nobody drives and that is not over and done with. A paused job is nobody's: it
// costs nothing, and whoever is there when it is resumed takes it.
func (s *Service) see(ctx context.Context, r job.Record) {
	if s.cfg.Only != nil && !s.cfg.Only(r.ID) {
		return
	}
	s.census.see(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	d, driven := s.jobs[r.Ref()]
	if driven && !r.State.Driven() && !d.ending.Load() {
		d.stop(errHalted)
	}
	s.schedule(r)
	before, known := s.open[r.Ref()]
	maps.DeleteFunc(s.open, func(ref job.Ref, _ job.Record) bool { return ref.Job == r.ID && ref != r.Ref() }) // replaced
	if r.Released || r.State == job.Paused {
		delete(s.open, r.Ref())
	} else {
		s.open[r.Ref()] = r
		if !driven {
			s.take(ctx, r)
		}
	}
	if !known || before.State != r.State || before.Priority != r.Priority || before.MaxSlots != r.MaxSlots || before.LedgerNeed != r.LedgerNeed {
		s.tellFleet() // of other shares
	}
}

// look takes jobs that were another coordinator's and may be free by now.
// s.mu is held.
func (s *Service) look(ctx context.Context) {
	for ref, r := range s.open {
		if s.jobs[ref] == nil {
			s.take(ctx, r)
		}
	}
}

// forget drops a job whose record was removed.
func (s *Service) forget(ref job.Ref) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, ref)
	delete(s.due, ref)
	s.census.forget(ref)
	s.leasing.forget(ref)
}

// take starts a driver for the job. The driver ends by itself when another
// coordinator holds the job's lease; look tries again. A job that needs what this program
// does not know is left to a coordinator of another version. s.mu is held.
func (s *Service) take(service context.Context, r job.Record) {
	if len(plan.Unknown(r.Capabilities)) > 0 || !s.leasing.due(s.now(), r.Ref()) {
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
		if s.contain("drive the job", r.Ref(), func() error { d.live(ctx, lease.Term()); return nil }) != nil {
			s.forget(r.Ref()) // until its record changes or the next start: it would panic again
		}
	})
}

// background runs what is done for one job beside everything else, and logs what
// became of it. The service waits for it when it stops.
func (s *Service) background(what string, ref job.Ref, f func() error) {
	s.busy.Go(func() {
		if err := s.contain(what, ref, f); err != nil {
			s.cfg.Log.Warn().Err(err).Stringer("job", ref).Msg(what)
		}
	})
}

// contain does something for one job and returns its error. A panic is such an error,
// and is logged with its stack: it harms no other job.
func (s *Service) contain(what string, ref job.Ref, f func() error) error {
	err := lifecycle.Contain(what, f)
	if p := (*lifecycle.PanicError)(nil); errors.As(err, &p) {
		s.cfg.Log.Error().Err(err).Stringer("job", ref).Bytes("stack", p.Stack).Msg("panic")
	}
	return err
}

// takeEvery is how often a coordinator tries to take the jobs of others: what it
// adds to the time from an owner's death to its job's next step.
const takeEvery = 100 * time.Millisecond

// keepUp forgets silent workers, looks for free jobs and clears up behind those
// that have ended.
func (s *Service) keepUp(ctx context.Context) {
	tick := time.NewTicker(takeEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			_ = s.contain("look after the jobs", job.Ref{}, func() error { s.tick(ctx); return nil })
		}
	}
}

// tick is keepUp's work at one time.
func (s *Service) tick(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fleet.Expire(s.now()) {
		s.tellFleet()
	}
	s.probeStrangers(ctx)
	s.probeWorkers(ctx)
	s.look(ctx)
	s.sweep(ctx)
	s.retire(ctx)
	s.confirm(ctx)
}

// tellFleet tells every job that the slots have changed. s.mu is held.
func (s *Service) tellFleet() {
	for _, d := range s.jobs {
		d.tell(fleetChanged{})
	}
}

// Committed takes the news of a committed step.
func (s *Service) Committed(n notice.Commit) { s.route(n.Ref, n) }

// Evaluated takes the news of a stored evaluation unit.
func (s *Service) Evaluated(n notice.Evaluated) { s.route(n.Ref, n) }

// Snapshotted takes the news of a stored snapshot.
func (s *Service) Snapshotted(n notice.Snapshotted) { s.route(n.Ref, n) }

// Checkpointed takes the news of a checkpoint in the blob store.
func (s *Service) Checkpointed(n notice.Checkpointed) { s.route(n.Ref, n) }

// Failed takes a worker's report of a failed attempt.
func (s *Service) Failed(n notice.Failure) { s.route(n.Ref, n) }

// Exhausted takes a task that the queue has given up on.
func (s *Service) Exhausted(t job.Task, deliveries int) { s.route(t.Ref, exhausted{t, deliveries}) }

func (s *Service) route(ref job.Ref, message any) {
	s.mu.Lock()
	d := s.jobs[ref]
	s.mu.Unlock()
	if d != nil {
		d.tell(message)
	}
}
