// Package lifecycle stops a program in two stages, and waits for every goroutine.
//
// It owns signals, the two contexts that a program runs under, and [Group]. It does not
// know what work a program finishes on the way. The mains of both programs call Run; the
// packages that run the programs use Group.
//
// Invariant: a stop is not a failure. The first signal ends only the soft context: the
// program takes nothing new, and finishes or hands back what it holds. The second signal,
// or the end of the grace period, ends the hard context: the program drops what it holds.
package lifecycle

import (
	"cmp"
	"context"
	"errors"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

var (
	// ErrStopped is the cause of the soft context's end: a person or a program asked for
	// a stop.
	ErrStopped = errors.New("stopped on request")
	// ErrHurried is the cause of the hard context's end: there was a second request, or
	// the grace period is over.
	ErrHurried = errors.New("stopped before the work in hand was finished")
)

// DefaultGrace is the time between a request to stop and the hard stop. It is less than
// the 30 s after which Kubernetes kills a pod.
const DefaultGrace = 20 * time.Second

// Config says how a program stops.
type Config struct {
	// Grace is how long the work in progress may take after the first request. 0:
	// DefaultGrace; negative: no grace period, soft and hard end together.
	Grace time.Duration
	// Signals are the signals that ask for a stop. nil: SIGINT and SIGTERM; empty: none.
	Signals []os.Signal
	// OnStop, when set, is called at the start of each stage: with ErrStopped, then with
	// ErrHurried. It runs on the watching goroutine and must not block.
	OnStop func(stage error)
}

// Run calls main with the two contexts and returns when main returns. The end of parent
// asks for a stop, as the first signal does. After the hard stop, signals have their
// default effect again, so one more signal kills the process.
//
// If main returns an error only because of the stop (a context's error after soft has
// ended), Run returns an error that wraps ErrStopped or ErrHurried.
func Run(parent context.Context, c Config, main func(soft, hard context.Context) error) error {
	base := context.WithoutCancel(parent)
	soft, endSoft := context.WithCancelCause(base)
	hard, endHard := context.WithCancelCause(base)
	signals := make(chan os.Signal, 2)
	if c.Signals == nil {
		c.Signals = []os.Signal{syscall.SIGINT, syscall.SIGTERM}
	}
	if len(c.Signals) > 0 {
		signal.Notify(signals, c.Signals...)
	}
	done := make(chan struct{})
	var watcher sync.WaitGroup
	watcher.Go(func() {
		defer signal.Stop(signals)
		w := watch{c, signals, done}
		first, asked := w.asked(parent)
		if !asked {
			return
		}
		w.end(endSoft, ErrStopped, first)
		if second, hurried := w.hurried(); hurried {
			w.end(endHard, ErrHurried, cmp.Or(second, first))
		}
	})
	err := main(soft, hard)
	close(done)
	watcher.Wait()
	defer endHard(nil)
	defer endSoft(nil)
	return outcome(soft, hard, err)
}

// watch waits for the two stages of a stop.
type watch struct {
	Config
	signals <-chan os.Signal
	done    <-chan struct{} // main has returned
}

// asked waits for the first request. It returns the signal, if a signal was the request,
// and false if main returns before any request.
func (w watch) asked(parent context.Context) (os.Signal, bool) {
	select {
	case s := <-w.signals:
		return s, true
	case <-parent.Done():
		return nil, true
	case <-w.done:
		return nil, false
	}
}

// hurried waits for the second request or the end of the grace period. It returns the
// signal, if a signal was the request, and false if main returns before that.
func (w watch) hurried() (os.Signal, bool) {
	if w.Grace < 0 {
		return nil, true
	}
	grace := w.Grace
	if grace == 0 {
		grace = DefaultGrace
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case s := <-w.signals:
		return s, true
	case <-timer.C:
		return nil, true
	case <-w.done:
		return nil, false
	}
}

// end ends a context. Its cause is the stage, with the signal that asked for it, if any.
func (w watch) end(end context.CancelCauseFunc, stage error, by os.Signal) {
	if w.OnStop != nil {
		w.OnStop(stage)
	}
	if by != nil {
		stage = &signalled{stage, by}
	}
	end(stage)
}

// outcome distinguishes main's failure from the requested stop. An error that wraps the
// cause of the stop stays as it is, because it says more than the cause.
func outcome(soft, hard context.Context, err error) error {
	switch {
	case !errors.Is(err, context.Canceled) || soft.Err() == nil || errors.Is(err, ErrStopped) || errors.Is(err, ErrHurried):
		return err
	case hard.Err() != nil:
		return context.Cause(hard)
	default:
		return context.Cause(soft)
	}
}
