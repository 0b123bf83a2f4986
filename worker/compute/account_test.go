package compute

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tributary/shared/gradient"
	"tributary/shared/job"
	"tributary/shared/plan"
	"tributary/shared/tree"
)

// limited returns a worker with so much memory for tasks.
func (f *fixture) limited(memory int64) *Computer {
	c := f.worker(nil)
	c.Limit(memory)
	return c
}

func (f *fixture) need() gradient.Need {
	f.t.Helper()
	n, err := gradient.NeedOf(f.plan)
	require.NoError(f.t, err)
	return n
}

// of returns the same task of another job with the same plan.
func of(id job.ID, t job.Task) job.Task {
	t.Job = id
	return t
}

func TestAJobThatTheWorkerCannotHoldIsLeftToAnother(t *testing.T) {
	f := batched(t, 22)
	need := f.need()
	c := f.limited(need.Worker() - 1)
	for _, task := range []job.Task{f.far(5), f.evaluate(0, job.Test, 0), f.task(job.Snapshot, 0)} {
		err := c.Handle(t.Context(), task, none)
		require.ErrorIs(t, err, job.ErrUnready)
		require.ErrorContains(t, err, "of memory in a worker; this one has")
	}
	require.Zero(t, c.memory.taken.Load())
	require.Zero(t, f.state().Committed)

	c = f.limited(need.Worker())
	f.do(c, f.far(5), f.task(job.Snapshot, 22), f.task(job.Save, 22), f.evaluate(22, job.Test, 0))
	f.requireWalked(t)
	require.LessOrEqual(t, c.memory.taken.Load(), need.Worker())
	c.Close()
	require.Zero(t, c.memory.taken.Load(), "all that was counted is given back")
}

// Buffers that no task has filled for a while are freed, also those of a large job when
// the worker goes on with small jobs.
func TestBuffersThatNoTaskFillsAreDropped(t *testing.T) {
	f := newFixture(t)
	c := f.limited(1 << 30)
	f.do(c, f.gradient(0, tree.Root))
	before := c.memory.taken.Load()
	require.Equal(t, before, c.Trim(1), "it was filled since")
	s := c.scratch.free[0]
	programs := before - s.bytes
	require.Equal(t, programs, c.Trim(1))
	require.Empty(t, c.scratch.free)

	f.do(c, f.evaluate(1, job.Test, 0))
	s = c.scratch.free[0]
	require.True(t, c.memory.take(64<<20))
	s.bytes += 64 << 20 // as if a large task had been there
	f.do(c, f.evaluate(1, job.Test, 0))
	require.Same(t, s, c.scratch.free[0], "it is used by small tasks")
	require.Equal(t, programs, c.Trim(0))
}

// wide makes the vectors of the first layer some MB large.
func wide(p *plan.Plan) {
	p.Spec.Model.Layers[0].Dense.Units, p.ChunkLen = 100_000, 1<<16
}

func TestABusyJobMakesNoRoom(t *testing.T) {
	f := newFixture(t)
	need := f.need()
	c := f.limited(need.Worker())
	defer c.Close()
	a, b := of("a", f.gradient(0, tree.Root)), of("b", f.gradient(0, tree.Root))
	busy, err := c.programs.begin(t.Context(), a)
	require.NoError(t, err)
	s, err := c.borrow(busy, a, 1)
	require.NoError(t, err)
	err = c.Handle(t.Context(), b, none)
	require.ErrorIs(t, err, job.ErrUnready)
	require.ErrorContains(t, err, "task b.r/0/1 needs")
	c.scratch.giveBack(s)
	c.programs.end(a, busy)
	f.do(c, b, a)
}

// The programs of idle jobs are kept while there is room. After that they are dropped,
// the oldest first.
func TestIdleJobsMakeRoom(t *testing.T) {
	f := newFixture(t, wide)
	need := f.need()
	c := New(f.ledger, f.blobs, f.blocks, &f.notices, 1, 1<<40, zerolog.Nop())
	c.Limit(need.Worker())
	defer c.Close()
	room := int((need.Worker() - need.Task(job.Gradient, 1)) / need.Program)
	require.Greater(t, room, 1)
	for n := range room + 3 {
		f.do(c, of(job.ID(fmt.Sprint("job", n)), f.gradient(0, tree.Root)))
		require.Equal(t, min(n+1, room), c.programs.lru.Len())
	}
	_, kept := c.programs.cached(programKey{job.Ref{Job: "job2", Run: "r"}, f.digest})
	require.False(t, kept)
	_, kept = c.programs.cached(programKey{job.Ref{Job: "job3", Run: "r"}, f.digest})
	require.True(t, kept)
}

// With less memory, a task has fewer threads.
func TestATaskHasAsManyThreadsAsThereIsMemoryFor(t *testing.T) {
	f := newFixture(t, wide)
	need := f.need()
	task := f.gradient(0, tree.Root)
	require.Greater(t, need.Task(job.Gradient, 4), need.Task(job.Gradient, 1)+100<<20)
	for want, room := range map[int]int64{4: need.Task(job.Gradient, 4), 2: need.Task(job.Gradient, 4) - 1, 1: need.Task(job.Gradient, 2) - 1} {
		c := f.limited(room)
		s, err := c.borrow(&program{need: need}, task, 4)
		require.NoError(t, err)
		require.Equal(t, want, s.Team().Threads())
		c.scratch.giveBack(s)
		c.Close()
		require.Zero(t, c.memory.taken.Load())
	}
	c := f.limited(need.Task(job.Gradient, 1) - 1)
	_, err := c.borrow(&program{need: need}, task, 4)
	require.ErrorIs(t, err, job.ErrUnready)
	require.ErrorContains(t, err, "task j.r/0/1 needs")
	c.Close()
}

// For any number of jobs at the same time, the account stays within the limit, all tasks
// end, and in the end nothing is counted.
func TestManyJobsWithinTheLimit(t *testing.T) {
	f := newFixture(t)
	need := f.need()
	c := f.limited(2*need.Worker() - 1)
	var all sync.WaitGroup
	for i := range 12 {
		all.Go(func() {
			task := of(job.ID(fmt.Sprint("job", i%6)), f.gradient(0, tree.Root))
			for {
				err := c.Handle(t.Context(), task, none)
				assert.LessOrEqual(t, c.memory.taken.Load(), c.memory.limit)
				if errors.Is(err, job.ErrUnready) {
					continue
				}
				if !errors.Is(err, job.ErrStale) {
					assert.NoError(t, err)
				}
				return
			}
		})
	}
	all.Wait()
	c.Close()
	require.Zero(t, c.memory.taken.Load())
}

// A program that is dropped before its task uses it is made again.
func TestAProgramThatIsGoneIsMadeAgain(t *testing.T) {
	f := newFixture(t)
	need := f.need()
	c := f.limited(need.Worker())
	defer c.Close()
	task := f.gradient(0, tree.Root)
	p, err := c.programs.get(context.Background(), task)
	require.NoError(t, err)
	require.True(t, c.programs.drop())
	require.False(t, c.programs.drop())
	require.False(t, c.programs.use(p))
	require.Zero(t, c.memory.taken.Load())
	f.do(c, task)
}
