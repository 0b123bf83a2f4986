package budget

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// processBounds lists the limits on this process alone. What a limit on the address
// space counts and nobody uses, above a GiB that the runtime reserves, is taken off.
func processBounds() []bound {
	var all []bound
	var l unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_DATA, &l) == nil && l.Cur < unix.RLIM_INFINITY {
		all = append(all, bound{"ulimit -d", l.Cur})
	}
	if unix.Getrlimit(unix.RLIMIT_AS, &l) == nil && l.Cur < unix.RLIM_INFINITY {
		all = append(all, bound{"ulimit -v", l.Cur - min(reserved(), l.Cur-1)})
	}
	return all
}

// reserved is the address space that is not in memory, in bytes.
func reserved() uint64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var size, resident uint64 // pages
	if _, err := fmt.Sscan(string(text), &size, &resident); err != nil || size < resident {
		return 0
	}
	return (size - resident) * uint64(os.Getpagesize())
}
