package budget

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// processBounds lists the limits on this process alone. A limit on the address space also
// counts reserved space that is not in memory; the Go runtime reserves more than 1 GiB.
// So processBounds subtracts the reserved space from that limit.
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

// reserved returns how much address space is not in memory, in bytes.
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
