package lifecycle

import (
	"fmt"
	"runtime/debug"

	"tributary/shared/job"
)

// PanicError is a panic that Contain turned into an error. It wraps job.ErrPoison,
// because the same input panics on every worker.
type PanicError struct {
	What  string // what panicked
	Value any    // the panic's value
	Stack []byte // the stack trace of the goroutine, for the log
}

// Error names what panicked and the panic's value, without the stack.
func (e *PanicError) Error() string { return fmt.Sprintf("%s: panic: %v", e.What, e.Value) }

// Unwrap returns job.ErrPoison.
func (e *PanicError) Unwrap() error { return job.ErrPoison }

// Contain runs f and turns a panic into a [*PanicError], which wraps job.ErrPoison and
// carries the stack trace. what is the name of f in the error.
func Contain(what string, f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{What: what, Value: v, Stack: debug.Stack()}
		}
	}()
	return f()
}
