package compute

import (
	"fmt"
	"sync/atomic"

	"github.com/dustin/go-humanize"

	"tributary/shared/gradient"
	"tributary/shared/job"
)

// account counts the bytes that this worker's programs and scratches take, as
// gradient.Need computes them for each job.
//
// Invariant: if there is a limit, taken is at most the limit.
type account struct {
	limit int64 // bytes; 0: no limit
	taken atomic.Int64
}

// take adds n bytes if there is room, and reports whether there was.
func (m *account) take(n int64) bool {
	for {
		before := m.taken.Load()
		if m.limit > 0 && n > m.limit-before {
			return false
		}
		if m.taken.CompareAndSwap(before, before+n) {
			return true
		}
	}
}

// give subtracts n bytes.
func (m *account) give(n int64) { m.taken.Add(-n) }

// room takes n bytes from the account and reports whether it could. To make room it drops
// first the scratches, then the programs, that no task uses, the least recently used
// first.
func (c *Computer) room(n int64) bool {
	for !c.memory.take(n) {
		if !c.scratch.dropOldest() && !c.programs.drop() {
			return false
		}
	}
	return true
}

// tooLarge returns the error for a job that this worker can never hold. Another worker
// may be able to.
func (c *Computer) tooLarge(ref job.Ref, need int64) error {
	return fmt.Errorf("job %s needs %s of memory in a worker; this one has %s for tasks: %w",
		ref, humanize.Bytes(uint64(need)), humanize.Bytes(uint64(c.memory.limit)), job.ErrUnready)
}

// noRoom returns the error for a job or task for which there is no room now.
func (c *Computer) noRoom(what fmt.Stringer, need int64) error {
	return fmt.Errorf("%s needs %s of memory; other tasks use %s of the %s that this worker has for tasks: %w",
		what, humanize.Bytes(uint64(need)), humanize.Bytes(uint64(c.memory.taken.Load())), humanize.Bytes(uint64(c.memory.limit)), job.ErrUnready)
}

// taskName names a task in an error.
type taskName job.Task

func (t taskName) String() string { return "task " + job.Task(t).Name() }

// mixedBytes is how much the buffers of one scratch may take that have the shapes of
// several jobs.
const mixedBytes = 64 << 20

// minUse bounds how small a task may be to count as a use of a scratch: it needs at
// least 1/minUse of the scratch's bytes.
const minUse = 4

// Trim drops the buffers that no task has filled during the last so many calls of Trim.
// It returns the bytes that programs and buffers take according to the account.
func (c *Computer) Trim(calls int64) (taken int64) {
	c.scratch.trim(calls)
	return c.memory.taken.Load()
}

// borrow returns a scratch for a task of a program. It has as many threads as the memory
// allows, at most threads.
func (c *Computer) borrow(p *program, t job.Task, threads int) (*scratch, error) {
	for {
		s, need := c.scratch.borrow(threads), p.need.Task(t.Kind, threads)
		if s.job != t.Ref && s.bytes+need > mixedBytes {
			// Its buffers have grown to another job's shape. They would keep the largest of
			// each, which is more than either job needs.
			c.scratch.discard(s)
			s = &scratch{Scratch: gradient.NewParallelScratch(threads)}
		}
		s.job = t.Ref
		if need >= s.bytes/minUse {
			c.scratch.fill(s)
		}
		if s.bytes >= need {
			return s, nil
		}
		if c.room(need - s.bytes) {
			s.bytes = need
			return s, nil
		}
		c.scratch.giveBack(s)
		if threads == 1 {
			return nil, c.noRoom(taskName(t), need)
		}
		threads = (threads + 1) / 2
	}
}
