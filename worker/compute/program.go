package compute

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/sync/singleflight"

	"tributary/shared/blob"
	"tributary/shared/gradient"
	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/lifecycle"
	"tributary/shared/plan"
	"tributary/shared/replica"
)

// program is a job that is ready to compute: its engine and this worker's replica.
type program struct {
	engine   *gradient.Engine
	replica  *replica.Replica
	layout   ledger.Layout
	progress *progress
	norms    norms
	need     gradient.Need

	// Guarded by programs.mu.
	users int         // the number of tasks that use it
	kept  bool        // it is in the cache
	gone  bool        // it is neither in use nor cached: its memory is no longer counted
	stop  func()      // stops listening to the job; the program listens while it has users
	idle  *time.Timer // drops the program; it runs while the program has no users
}

// workPerThread is the work, in multiply-adds, that is worth another thread. To wake a
// thread and wait for it costs about 10 µs.
const workPerThread = 1 << 20

// threads returns how many threads a step of the job is worth, at most most.
func (p *program) threads(most int) int {
	spec := &p.engine.Plan.Spec
	// Forward, and two products backward; frozen parameters have one of these at most.
	work := int64(spec.Batch) * (3*int64(p.layout.Params) + 2*int64(p.engine.Network.Frozen()))
	return int(min(int64(most), 1+work/workPerThread))
}

// programs caches the programs of the jobs that this worker had tasks of lately.
//
// Invariant: held is the sum of the cached replicas' bytes. It is at most limit, unless
// all cached programs but the newest are in use.
type programs struct {
	*Computer
	blocks gradient.Blocks
	limit  int64
	making singleflight.Group
	ears   Listener

	mu   sync.Mutex
	lru  *simplelru.LRU[programKey, *program]
	held int64
}

type programKey struct {
	ref  job.Ref
	plan job.Digest
}

// maxPrograms bounds the number of cached programs, for jobs with tiny models.
const maxPrograms = 256

// forgotten is how long a program is kept after its last task. After that time the job
// has probably ended.
const forgotten = time.Minute

func newPrograms(c *Computer, blocks gradient.Blocks, limit int64, ears Listener) *programs {
	ps := &programs{Computer: c, blocks: blocks, limit: limit, ears: ears}
	ps.lru, _ = simplelru.NewLRU(maxPrograms, func(_ programKey, p *program) { // it fails only for sizes below 1
		ps.held -= p.replica.Bytes()
		p.kept = false
		ps.leave(p)
	})
	return ps
}

// leave stops counting a program's memory if the program is neither in use nor cached.
// The caller holds ps.mu.
func (ps *programs) leave(p *program) {
	if p.users == 0 && !p.kept && !p.gone {
		p.gone = true
		ps.memory.give(p.need.Program)
	}
}

// get returns the task's program. It makes the program once for all tasks that ask at the
// same time, after confirm has accepted the task.
func (ps *programs) get(ctx context.Context, t job.Task) (*program, error) {
	key := programKey{t.Ref, t.Plan}
	if p, ok := ps.cached(key); ok {
		return p, nil
	}
	made := ps.making.DoChan(t.Ref.String()+string(t.Plan), func() (any, error) {
		if p, ok := ps.cached(key); ok {
			return p, nil // made since the check above
		}
		// The end of the first caller's context must not end this: other callers wait for
		// it too.
		ctx := context.WithoutCancel(ctx)
		var p *program
		err := lifecycle.Contain("prepare", func() (err error) {
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
	data, err := blob.Fetch(ctx, ps.blobs, t.Plan)
	if err != nil {
		if errors.Is(err, job.ErrNotFound) {
			err = errors.Join(err, job.ErrPoison) // the plan is stored before its tasks are published
		}
		return nil, fmt.Errorf("read plan %s: %w", t.Plan, err)
	}
	p, err := plan.Decode(data)
	if err != nil {
		return nil, err
	}
	need, err := gradient.NeedOf(p)
	if err != nil {
		return nil, err
	}
	if all := need.Worker(); ps.memory.limit > 0 && all > ps.memory.limit {
		return nil, ps.tooLarge(t.Ref, all)
	}
	if !ps.room(need.Program) {
		return nil, ps.noRoom(t.Ref, need.Program)
	}
	var made *program
	err = lifecycle.Contain("compile", func() (err error) {
		made, err = ps.compile(ctx, t, p)
		return err
	})
	if err != nil {
		ps.memory.give(need.Program)
		return nil, err
	}
	made.need = need
	return made, nil
}

// compile makes the program.
func (ps *programs) compile(ctx context.Context, t job.Task, p *plan.Plan) (*program, error) {
	e, err := gradient.Compile(ctx, p, ps.blobs, ps.blocks)
	if err != nil {
		return nil, err
	}
	layout := e.Layout(t.Ref)
	if layout.Plan != t.Plan {
		// The log's chain begins with the plan's digest. Only a worker of the version
		// that wrote the plan can do the task.
		return nil, fmt.Errorf("plan %s: this program reads it as %s, so another version wrote it: %w", t.Plan, layout.Plan, job.ErrUnsupported)
	}
	return &program{engine: e, replica: replica.New(e, t.Ref), layout: layout, progress: newProgress(t.Ref)}, nil
}

// begin returns the task's program. Until end is called, the program listens to its job
// and stays in memory.
func (ps *programs) begin(ctx context.Context, t job.Task) (*program, error) {
	for {
		p, err := ps.get(ctx, t)
		if err != nil {
			return nil, err
		}
		if ps.use(p) {
			return p, nil
		}
	}
}

// use counts one more task that uses the program. It returns false if the program was
// dropped before.
func (ps *programs) use(p *program) bool {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if p.gone {
		return false
	}
	if p.users++; p.users > 1 {
		return true
	}
	if p.idle != nil {
		p.idle.Stop()
	}
	p.stop = ps.listen(p.progress)
	return true
}

// end ends what begin began. A program without users is dropped after the time forgotten.
func (ps *programs) end(t job.Task, p *program) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if p.users--; p.users > 0 {
		return
	}
	p.stop()
	if !p.kept {
		ps.leave(p)
		return
	}
	key := programKey{t.Ref, t.Plan}
	p.idle = time.AfterFunc(forgotten, func() {
		ps.mu.Lock()
		defer ps.mu.Unlock()
		if kept, ok := ps.lru.Peek(key); ok && kept == p && p.users == 0 {
			ps.lru.Remove(key)
		}
	})
}

// listen passes a job's notices to its progress until stop is called.
func (ps *programs) listen(on *progress) (stop func()) {
	commits, err := ps.ears.SubscribeCommits(on.ref.Job, on.receiveCommit)
	if err != nil {
		commits = func() {}
	}
	recalls, failed := ps.ears.SubscribeRecalls(on.ref.Job, on.receiveRecall)
	if failed != nil {
		recalls = func() {}
	}
	if err := errors.Join(err, failed); err != nil {
		ps.log.Warn().Err(err).Stringer("job", on.ref).Msg("cannot subscribe to the job's commits; the worker polls the ledger instead")
	}
	return func() {
		commits()
		recalls()
	}
}

// discard removes a program whose task panicked from the cache. The next task makes a new
// one.
func (ps *programs) discard(t job.Task, p *program) {
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
	p.kept = true
	ps.lru.Add(key, p)
	ps.held += p.replica.Bytes()
	for ps.held > ps.limit && ps.dropIdle(p) {
	}
}

// drop drops the least recently used program that no task uses. It returns false if there
// is none.
func (ps *programs) drop() bool {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	return ps.dropIdle(nil)
}

// dropIdle does what drop does, but never drops the program except. It skips programs in
// use, because dropping them frees no memory. The caller holds ps.mu.
func (ps *programs) dropIdle(except *program) bool {
	for _, key := range ps.lru.Keys() { // the least recently used first
		if p, _ := ps.lru.Peek(key); p != except && p.users == 0 {
			return ps.lru.Remove(key)
		}
	}
	return false
}
