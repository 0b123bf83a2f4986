package broker

import (
	"errors"

	"tributary/shared/lifecycle"
)

// contain calls a handler of something that has arrived. A panic ends only this call:
// contain logs it with its stack. Every handler of another package must run in contain,
// because the goroutines of the client library do not catch panics.
func (c *Conn) contain(what string, handle func()) {
	c.logPanic(what, lifecycle.Contain(what, func() error { handle(); return nil }))
}

// logPanic logs err if it is a panic, and reports whether it is one.
func (c *Conn) logPanic(what string, err error) bool {
	p, panicked := errors.AsType[*lifecycle.PanicError](err)
	if panicked {
		c.log.Error().Interface("panic", p.Value).Bytes("stack", p.Stack).Str("handler", what).Msg("a handler panicked")
	}
	return panicked
}
