package fleet

import (
	"os"
	"syscall"
)

// peak returns the largest resident memory of an ended program, in bytes. Linux includes
// the memory of its parent at the fork, so the result is at least that.
func peak(s *os.ProcessState) int64 {
	if u, ok := s.SysUsage().(*syscall.Rusage); ok {
		return u.Maxrss << 10
	}
	return 0
}
