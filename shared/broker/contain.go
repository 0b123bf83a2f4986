package broker

import (
	"errors"

	"tributary/shared/lifecycle"
)

// contain runs a handler of something that has arrived. A panic ends this call
// alone: contain logs it with its stack and reports it. Every handler of another
// package runs in it, as the client library's goroutines have no other guard.
func (c *Conn) contain(what string, handle func()) (panicked bool) {
	err := lifecycle.Contain(what, func() error { handle(); return nil })
	p, panicked := errors.AsType[*lifecycle.PanicError](err)
	if panicked {
		c.log.Error().Interface("panic", p.Value).Bytes("stack", p.Stack).Str("handler", what).Msg("a handler panicked")
	}
	return panicked
}
