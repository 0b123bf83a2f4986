package lifecycle

// Running is work in a goroutine of its own, which its owner waits for.
type Running struct {
	done chan struct{}
	err  error
}

// Start runs f in a goroutine. It is how a task starts one: a panic of f is the error of
// Wait, as Contain has it, and what names f in it. Whoever starts it waits for it.
func Start(what string, f func() error) *Running {
	r := &Running{done: make(chan struct{})}
	go func() {
		defer close(r.done)
		r.err = Contain(what, f)
	}()
	return r
}

// Wait returns when f has, with its error.
func (r *Running) Wait() error {
	<-r.done
	return r.err
}
