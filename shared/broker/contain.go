package broker

import (
	"errors"

	"tributary/shared/lifecycle"
)

// contain runs a handler of something that has arrived. A panic ends this call
// alone: contain logs it with its stack. Every handler of another package runs in it,
// as the client library's goroutines have no other guard.
func (c *Conn) contain(what string, handle func()) {
	c.logPanic(what, lifecycle.Contain(what, func() error { handle(); return nil }))
}

// logPanic logs err if it is a panic, and reports whether it is.
func (c *Conn) logPanic(what string, err error) bool {
	p, panicked := errors.AsType[*lifecycle.PanicError](err)
	if panicked {
		c.log.Error().Interface("panic", p.Value).Bytes("stack", p.Stack).Str("handler", what).Msg("a handler panicked")
	}
	return panicked
}
