package job

import (
	"errors"
	"strings"
)

// The error classes, named by what the caller does with them.
var (
	// ErrStale: the work is already done or no longer wanted. Ack and forget.
	ErrStale = errors.New("stale")
	// ErrPoison: it will fail again wherever it is tried. Terminate; the job fails.
	ErrPoison = errors.New("poison")
	// ErrCorrupt: bytes that must be equal differ, or a checksum does not hold.
	// The job fails with the cause; nothing is averaged.
	ErrCorrupt = errors.New("corrupt")
	// ErrFull: a limit in bytes is reached. Back off and try again.
	ErrFull = errors.New("full")
	// ErrUnready: it cannot be done here now, and is nobody's failure. Hand it back for
	// somewhere else, or for later.
	ErrUnready = errors.New("not ready")
	// ErrUnsupported: this program does not know what it asks for, and a program of another
	// version may. Leave it to that one; it is no failed attempt.
	ErrUnsupported = errors.New("not supported by this version")
	// ErrNotFound: there is no such thing, as far as the store knows.
	ErrNotFound = errors.New("not found")
	// ErrConflict: somebody else changed it first, or it exists and differs.
	ErrConflict = errors.New("conflict")
	// ErrInvalid: what a person asked for cannot be done as written. Tell them.
	ErrInvalid = errors.New("invalid")
)

// ErrStopped says that the worker is stopping and hands the rest of a task back. It is no
// failure, so it is no class either.
var ErrStopped = errors.New("stopped")

// TaskError is what went wrong with one step of a task of several.
type TaskError struct {
	Task Task // that step's
	Err  error
}

// Error implements error.
func (e *TaskError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *TaskError) Unwrap() error { return e.Err }

var classes = []error{ErrStale, ErrCorrupt, ErrPoison, ErrFull, ErrUnready, ErrUnsupported, ErrNotFound, ErrConflict, ErrInvalid}

// Sentence is an error as people read it: without the words of its classes at
// the end of its lines, which are for programs.
func Sentence(err error) string {
	lines := strings.Split(err.Error(), "\n")
	for i, line := range lines {
		for trimmed := ""; trimmed != line; {
			trimmed = line
			for _, c := range classes {
				line = strings.TrimSuffix(line, ": "+c.Error())
			}
		}
		lines[i] = line
	}
	return strings.Join(lines, "\n")
}

// ClassOf names an error's class in a word, for metrics and logs.
func ClassOf(err error) string {
	if err == nil {
		return "ok"
	}
	for _, c := range classes {
		if errors.Is(err, c) {
			return c.Error()
		}
	}
	return "failed"
}
