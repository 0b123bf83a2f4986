package compute

import (
	"fmt"
	"sync/atomic"

	"github.com/dustin/go-humanize"

	"tributary/shared/job"
)

// account counts what this worker's programs and scratches take, as the account of
// their jobs says (gradient.Need).
//
// Invariant: with a limit, taken is at most that.
type account struct {
	limit int64 // bytes; 0: there is none
	taken atomic.Int64
}

// take counts n bytes more, if there is room.
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

// give counts n bytes less.
func (m *account) give(n int64) { m.taken.Add(-n) }

// room takes n bytes. To make room it drops what is only kept: scratches that no task uses,
// then programs, each the one that was not used for the longest.
func (c *Computer) room(n int64) bool {
	for !c.memory.take(n) {
		if !c.scratch.dropOldest() && !c.programs.drop() {
			return false
		}
	}
	return true
}

// tooLarge is the error of a job that this worker can never hold: another may.
func (c *Computer) tooLarge(ref job.Ref, need int64) error {
	return fmt.Errorf("job %s needs %s of memory in a worker; this one has %s for tasks: %w",
		ref, humanize.Bytes(uint64(need)), humanize.Bytes(uint64(c.memory.limit)), job.ErrUnready)
}

// noRoom is the error of a job or task for which there is no room now.
func (c *Computer) noRoom(what fmt.Stringer, need int64) error {
	return fmt.Errorf("%s takes %s of memory; other tasks take %s of the %s that this worker has for tasks: %w",
		what, humanize.Bytes(uint64(need)), humanize.Bytes(uint64(c.memory.taken.Load())), humanize.Bytes(uint64(c.memory.limit)), job.ErrUnready)
}

// taskName names a task in an error.
type taskName job.Task

func (t taskName) String() string { return "task " + job.Task(t).Name() }

// goodPart is the part of a scratch that a task needs for the scratch to be worth its
// memory.
const goodPart = 4

// Trim drops buffers that no task has filled during so many calls of it, and returns the
// bytes that programs and buffers take, as they are accounted for.
func (c *Computer) Trim(calls int64) (taken int64) {
	c.scratch.trim(calls)
	return c.memory.taken.Load()
}

// borrow returns a scratch for a task of a program, with as many of the threads that it may
// have as there is memory for.
func (c *Computer) borrow(p *program, t job.Task, threads int) (*scratch, error) {
	for {
		s, need := c.scratch.borrow(threads), p.need.Task(t.Kind, threads)
		if need >= s.bytes/goodPart {
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
