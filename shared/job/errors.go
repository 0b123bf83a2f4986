package job

import (
	"errors"
	"strings"
)

// The error classes. Each is named by what the caller does about it.
var (
	// ErrStale: the work is already done or no longer wanted. Acknowledge the task and go
	// on.
	ErrStale = errors.New("stale")
	// ErrPoison: the work fails on every worker. Terminate the task; the job fails.
	ErrPoison = errors.New("poison")
	// ErrCorrupt: bytes that must be equal differ, or a checksum is wrong. The job fails
	// with this cause; the program never averages different results.
	ErrCorrupt = errors.New("corrupt")
	// ErrFull: a limit in bytes is reached. Wait and try again.
	ErrFull = errors.New("full")
	// ErrUnready: this program cannot do the work now, and that is not a failure. Hand
	// the task back for another worker, or for later.
	ErrUnready = errors.New("not ready")
	// ErrUnsupported: this program does not know what the task asks for; a program of
	// another version may. Leave the task to that program. The attempt has not failed.
	ErrUnsupported = errors.New("not supported by this version")
	// ErrNotFound: the store has no such thing.
	ErrNotFound = errors.New("not found")
	// ErrConflict: another client changed it first, or it exists and differs.
	ErrConflict = errors.New("conflict")
	// ErrInvalid: a person's request cannot be carried out as written. Report it to that
	// person.
	ErrInvalid = errors.New("invalid")
)

// ErrStopped means that the worker is stopping and hands back the rest of a task. It is
// not a failure, so it is not an error class either.
var ErrStopped = errors.New("stopped")

// TaskError is the error of one step of a task of several steps.
type TaskError struct {
	Task Task // the task of that step alone
	Err  error
}

// Error implements error.
func (e *TaskError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *TaskError) Unwrap() error { return e.Err }

var classes = []error{ErrStale, ErrCorrupt, ErrPoison, ErrFull, ErrUnready, ErrUnsupported, ErrNotFound, ErrConflict, ErrInvalid}

// Sentence returns an error's text for people: it drops the names of error classes at the
// end of each line, because those are for programs.
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

// ClassOf returns an error's class as one word, for metrics and logs.
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
