package lifecycle

import (
	"errors"
	"os"
	"syscall"
)

// signalled is a stage of a stop that a signal asked for.
type signalled struct {
	stage  error
	signal os.Signal
}

func (s *signalled) Error() string { return s.stage.Error() }

// Unwrap returns ErrStopped or ErrHurried.
func (s *signalled) Unwrap() error { return s.stage }

// ExitStatus returns the status with which a program ends after err, the error of Run: 0
// for nil. If a signal stopped the program before its work was done, it is 128 plus the
// number of the signal, as in a shell: 130 for Ctrl-C. Otherwise it is 1.
func ExitStatus(err error) int {
	if err == nil {
		return 0
	}
	if s, ok := errors.AsType[*signalled](err); ok {
		if n, ok := s.signal.(syscall.Signal); ok {
			return 128 + int(n)
		}
	}
	return 1
}
