package fleet

import (
	"os"
	"syscall"
)

// peak is the most memory a program that is gone had held, in bytes. Linux
// counts what its parent had held at the fork, so it is no less than that.
func peak(s *os.ProcessState) int64 {
	if u, ok := s.SysUsage().(*syscall.Rusage); ok {
		return u.Maxrss << 10
	}
	return 0
}
