package lifecycle

// Running is work in a goroutine of its own. Its owner must wait for it.
type Running struct {
	done chan struct{}
	err  error
}

// Start runs f in a goroutine. It is the only way in which a task starts a goroutine. If
// f panics, Wait returns the panic as an error, as Contain does; what is the name of f in
// it. The caller must call Wait.
func Start(what string, f func() error) *Running {
	r := &Running{done: make(chan struct{})}
	go func() {
		defer close(r.done)
		r.err = Contain(what, f)
	}()
	return r
}

// Wait waits until f returns, and returns its error. Several goroutines may call it, more
// than once.
func (r *Running) Wait() error {
	<-r.done
	return r.err
}
