package telemetry

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// checkTimeout bounds one readiness check; a probe gives up soon after.
const checkTimeout = 2 * time.Second

// Check tells whether something the program needs is there.
type Check struct {
	Name string                          // in the answer: nats, redis, …
	Ask  func(ctx context.Context) error // nil: it is there; must return when ctx ends
}

// readiness is the answer of /readyz.
type readiness struct {
	Ready  bool              `json:"ready"`
	Checks map[string]string `json:"checks"` // name → "ok" or what is wrong
}

// ask runs the checks side by side.
func ask(ctx context.Context, checks []Check) readiness {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	errs := make([]error, len(checks))
	var all sync.WaitGroup
	for i, c := range checks {
		all.Go(func() { errs[i] = c.Ask(ctx) })
	}
	all.Wait()
	r := readiness{Ready: true, Checks: make(map[string]string, len(checks))}
	for i, c := range checks {
		r.Checks[c.Name] = "ok"
		if errs[i] != nil {
			r.Ready = false
			r.Checks[c.Name] = errs[i].Error()
		}
	}
	return r
}

func readyHandler(checks []Check) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		r := ask(req.Context(), checks)
		w.Header().Set("Content-Type", "application/json")
		if !r.Ready {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		// An error here means the prober is gone.
		_ = json.NewEncoder(w).Encode(r)
	}
}

func aliveHandler(w http.ResponseWriter, _ *http.Request) {
	fmt.Fprintln(w, "ok")
}
