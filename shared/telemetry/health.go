package telemetry

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"tributary/shared/job"
	"tributary/shared/readable"
)

// checkTimeout bounds the answer of /readyz, and askTimeout bounds one check. A probe
// waits only a little longer than checkTimeout.
const (
	checkTimeout = 2 * time.Second
	askTimeout   = checkTimeout * 3 / 4
)

// faultKept is the longest time that a failure is kept, so that a recovery shows soon.
const faultKept = time.Second

// Check finds out whether something that the program needs is available.
type Check struct {
	Name string                          // its name in the answer: nats, redis, …
	Ask  func(ctx context.Context) error // nil means available; it should return when ctx ends
	Keep time.Duration                   // how long an answer is kept, for a check that is expensive
}

// asked is a check with its last answer. It runs once at a time: a store that hangs holds
// only one goroutine, however many probes come.
type asked struct {
	Check
	running singleflight.Group

	mu  sync.Mutex
	at  time.Time // time of the last answer; zero before the first
	err error
}

// answer returns the last answer if it is fresh enough. Otherwise it returns the next
// answer, or an error when ctx ends before that.
func (a *asked) answer(ctx context.Context) error {
	if fresh, err := a.kept(); fresh {
		return err
	}
	coming := a.running.DoChan("", func() (any, error) {
		// The check serves all callers that wait, so it must not end with the first
		// caller's context.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTimeout)
		defer cancel()
		err := a.Ask(ctx)
		a.mu.Lock()
		defer a.mu.Unlock()
		a.at, a.err = time.Now(), err
		return nil, err
	})
	select {
	case r := <-coming:
		return r.Err
	case <-ctx.Done():
		return fmt.Errorf("no answer within %s", checkTimeout)
	}
}

// kept returns the last answer, and whether it is fresh enough.
func (a *asked) kept() (fresh bool, answer error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	keep := a.Keep
	if a.err != nil {
		keep = min(keep, faultKept)
	}
	return !a.at.IsZero() && time.Since(a.at) < keep, a.err
}

// readiness is the answer of /readyz.
type readiness struct {
	Ready  bool              `json:"ready"`
	Checks map[string]string `json:"checks"` // name → "ok" or what is wrong
}

// ask runs all checks at the same time.
func ask(ctx context.Context, checks []*asked) readiness {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	errs := make([]error, len(checks))
	var all sync.WaitGroup
	for i, c := range checks {
		all.Go(func() { errs[i] = c.answer(ctx) })
	}
	all.Wait()
	r := readiness{Ready: true, Checks: make(map[string]string, len(checks))}
	for i, c := range checks {
		r.Checks[c.Name] = "ok"
		if errs[i] != nil {
			r.Ready = false
			r.Checks[c.Name] = job.Sentence(errs[i])
		}
	}
	return r
}

func readyHandler(checks []Check) http.HandlerFunc {
	all := make([]*asked, len(checks))
	for i, c := range checks {
		all[i] = &asked{Check: c}
	}
	return func(w http.ResponseWriter, req *http.Request) {
		r := ask(req.Context(), all)
		w.Header().Set("Content-Type", "application/json")
		if !r.Ready {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		// An error here means that the prober has disconnected.
		_ = readable.Print(w, r)
	}
}

func aliveHandler(w http.ResponseWriter, _ *http.Request) {
	fmt.Fprintln(w, "ok")
}
