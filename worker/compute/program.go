package compute

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/rs/zerolog"
	"golang.org/x/sync/singleflight"

	"tributary/shared/blob"
	"tributary/shared/gradient"
	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/lifecycle"
	"tributary/shared/plan"
	"tributary/shared/replica"
)

// program is a job made ready to compute: its engine and this worker's replica.
type program struct {
	engine  *gradient.Engine
	replica *replica.Replica
	layout  ledger.Layout
	horizon *horizon

	// Guarded by programs.mu.
	users int         // tasks that use it
	stop  func()      // ends listening, which goes on while there are users
	idle  *time.Timer // drops it; runs while there are none
}

// worthAThread is the work, in multiply-adds, that makes up for waking a thread and
// waiting for it: some 10 µs.
const worthAThread = 1 << 20

// threads is how many of so many threads a step of the job is worth.
func (p *program) threads(most int) int {
	spec := &p.engine.Plan.Spec
	work := 3 * int64(spec.Batch) * int64(p.layout.Params) // forward, and two products backward
	return int(min(int64(most), 1+work/worthAThread))
}

// programs caches the jobs this worker has met lately.
//
// Invariant: held is the sum of the cached replicas' bytes, at most limit
// unless a single one is larger.
type programs struct {
	store  blob.Store
	blocks gradient.Blocks
	limit  int64
	making singleflight.Group
	ears   Listener
	// confirm fails for a task that is not what its job's record asks for.
	confirm func(context.Context, job.Task) error
	log     zerolog.Logger

	mu   sync.Mutex
	lru  *simplelru.LRU[programKey, *program]
	held int64
}

type programKey struct {
	ref  job.Ref
	plan job.Digest
}

// maxPrograms bounds the cache in number, for jobs with tiny models.
const maxPrograms = 256

// forgotten is how long a job's program is kept of which no task comes any more: the
// job has ended, as like as not.
const forgotten = time.Minute

func newPrograms(store blob.Store, blocks gradient.Blocks, limit int64, ears Listener, log zerolog.Logger) *programs {
	ps := &programs{store: store, blocks: blocks, limit: limit, ears: ears, log: log}
	ps.lru, _ = simplelru.NewLRU(maxPrograms, func(_ programKey, p *program) { // fails for sizes below 1 only
		ps.held -= p.replica.Bytes()
	})
	return ps
}

// get returns the task's program, made once for all slots that ask, after confirm has
// let the task pass.
func (ps *programs) get(ctx context.Context, t job.Task) (*program, error) {
	key := programKey{t.Ref, t.Plan}
	if p, ok := ps.cached(key); ok {
		return p, nil
	}
	made := ps.making.DoChan(t.Ref.String()+string(t.Plan), func() (any, error) {
		if p, ok := ps.cached(key); ok {
			return p, nil // made between the look above and here
		}
		// Not cut off with the first slot that asked: others wait for it too.
		ctx := context.WithoutCancel(ctx)
		var p *program
		err := lifecycle.Contain("compile", func() (err error) {
			if err = ps.confirm(ctx, t); err == nil {
				p, err = ps.make(ctx, t)
			}
			return err
		})
		if err == nil {
			ps.keep(key, p)
		}
		return p, err
	})
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case r := <-made:
		if r.Err != nil {
			return nil, r.Err
		}
		return r.Val.(*program), nil
	}
}

func (ps *programs) cached(key programKey) (*program, bool) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	return ps.lru.Get(key)
}

func (ps *programs) make(ctx context.Context, t job.Task) (*program, error) {
	data, err := blob.Fetch(ctx, ps.store, t.Plan)
	if err != nil {
		if errors.Is(err, job.ErrNotFound) {
			err = errors.Join(err, job.ErrPoison) // it was stored before the task was published
		}
		return nil, fmt.Errorf("read plan %s: %w", t.Plan, err)
	}
	p, err := plan.Decode(data)
	if err != nil {
		return nil, err
	}
	e, err := gradient.Compile(ctx, p, ps.store, ps.blocks)
	if err != nil {
		return nil, err
	}
	layout := e.Layout(t.Ref)
	if layout.Plan != t.Plan {
		// The log's chain begins with the plan's digest. A worker of the version
		// that wrote the plan can do the task.
		return nil, fmt.Errorf("plan %s: this program reads it as %s, so another version wrote it", t.Plan, layout.Plan)
	}
	return &program{engine: e, replica: replica.New(e, t.Ref), layout: layout, horizon: newHorizon(t.Ref)}, nil
}

// begin has a program listen to its job while a task uses it.
func (ps *programs) begin(p *program) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if p.users++; p.users > 1 {
		return
	}
	if p.idle != nil {
		p.idle.Stop()
	}
	p.stop = ps.listen(p.horizon)
}

// end is begin's end. A program that nobody uses for long is dropped.
func (ps *programs) end(t job.Task, p *program) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if p.users--; p.users > 0 {
		return
	}
	p.stop()
	key := programKey{t.Ref, t.Plan}
	if kept, ok := ps.lru.Peek(key); !ok || kept != p {
		return
	}
	p.idle = time.AfterFunc(forgotten, func() {
		ps.mu.Lock()
		defer ps.mu.Unlock()
		if kept, ok := ps.lru.Peek(key); ok && kept == p && p.users == 0 {
			ps.lru.Remove(key)
		}
	})
}

// listen has a job's horizon hear of it, until stop is called.
func (ps *programs) listen(h *horizon) (stop func()) {
	commits, err := ps.ears.SubscribeCommits(h.ref.Job, h.hearCommit)
	if err != nil {
		commits = func() {}
	}
	recalls, failed := ps.ears.SubscribeRecalls(h.ref.Job, h.hearRecall)
	if failed != nil {
		recalls = func() {}
	}
	if err := errors.Join(err, failed); err != nil {
		ps.log.Warn().Err(err).Stringer("job", h.ref).Msg("listen to the job; its steps are looked for instead")
	}
	return func() {
		commits()
		recalls()
	}
}

// drop forgets a program whose task has panicked: the next task makes another.
func (ps *programs) drop(t job.Task, p *program) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	key := programKey{t.Ref, t.Plan}
	if kept, ok := ps.lru.Peek(key); ok && kept == p {
		ps.lru.Remove(key)
	}
}

// close drops every program.
func (ps *programs) close() {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	for _, p := range ps.lru.Values() {
		if p.idle != nil {
			p.idle.Stop()
		}
	}
	ps.lru.Purge()
}

func (ps *programs) keep(key programKey, p *program) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	ps.lru.Add(key, p)
	ps.held += p.replica.Bytes()
	for ps.held > ps.limit && ps.lru.Len() > 1 {
		ps.lru.RemoveOldest()
	}
}
