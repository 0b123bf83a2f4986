package api

import (
	"context"
	"fmt"
	"time"

	"tributary/coordinator/verify"
	"tributary/shared/job"
)

// Verifier verifies jobs.
type Verifier interface {
	// Ask returns the result, or the current state after wait.
	Ask(ctx context.Context, id job.ID, r verify.Request, wait time.Duration) (job.Verification, error)
}

// How long an answer may wait for the verification, in seconds. The default is shorter
// than the timeout of the nats command. The maximum is shorter than the timeout of a
// request.
const (
	defaultWait = 2
	maxWait     = 50
)

// Verify recomputes steps of a job: the given steps, a sample, or all.
func (a *API) Verify(ctx context.Context, payload []byte) (job.Verification, error) {
	var request struct {
		ID     job.ID   `json:"id"`
		Steps  []int64  `json:"steps"`
		Sample *int     `json:"sample"`
		All    bool     `json:"all"`
		Wait   *float64 `json:"wait"`
	}
	if err := parse(payload, &request, &request.ID, `, "steps": [41] or "sample": 3 or "all": true, "wait": seconds`); err != nil {
		return job.Verification{}, err
	}
	wait := float64(defaultWait)
	if request.Wait != nil {
		wait = *request.Wait
	}
	if !(wait >= 0 && wait <= maxWait) {
		return job.Verification{}, fmt.Errorf("wait: %v: want 0 to %d seconds: %w", wait, maxWait, job.ErrInvalid)
	}
	r := verify.Request{Steps: request.Steps, All: request.All}
	if err := r.SetSample(request.Sample); err != nil {
		return job.Verification{}, err
	}
	return a.Verifier.Ask(ctx, request.ID, r, time.Duration(wait*float64(time.Second)))
}
