package run

import (
	"context"
	"strings"
	"time"

	"tributary/coordinator/round"
	"tributary/shared/job"
)

// The interval of probes of a ledger that can be written (probeEvery) and, at most, of
// one that cannot (probeRarely). probeTimeout bounds one probe. refusalBelief is how long
// a worker's report of a refusal counts.
const (
	probeEvery    = 100 * time.Millisecond
	probeRarely   = 2 * time.Second
	probeTimeout  = 2 * time.Second
	refusalBelief = 10 * time.Second
)

// complainEvery is the minimum time between log lines about an unreadable ledger.
const complainEvery = 10 * time.Second

// refusal is the state of a ledger that cannot be written now. No worker and no job
// counts as the cause.
//
// Invariant: while writable is false, no attempt counts as failed and no task is
// published.
type refusal struct {
	reason   string        // "" while nothing is refused
	since    time.Duration // start of the refusal
	seen     time.Duration // time of the last worker report or failed probe
	probed   time.Duration // time of the last probe; 0: never
	every    time.Duration // time until the next probe
	hinted   time.Duration // time of the last worker report of a refused result; 0: never
	writable bool          // the last probe succeeded
}

// note starts a refusal or extends it. The first reason stays.
func (r *refusal) note(now time.Duration, reason string) {
	if r.seen = now; r.reason == "" {
		r.reason, r.since = reason, now
	}
}

// message returns what the job waits for; "" if it does not wait or has not waited long.
func (r *refusal) message(now time.Duration) string {
	if r.reason == "" || now-r.since < reportAfter {
		return ""
	}
	return "waiting: " + r.reason + "; the job goes on by itself"
}

// reachable reports whether the last probe could write the ledger, and probes if one is
// due.
func (t *training) reachable(ctx context.Context) bool {
	if r := &t.refusal; r.probed != 0 && t.service.now()-r.probed < r.every {
		return r.writable
	}
	return t.probe(ctx)
}

// probe writes to the ledger. The time between probes grows while the ledger refuses.
func (t *training) probe(ctx context.Context) bool {
	c, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	err := t.service.cfg.Ledger.Probe(c, t.layout)
	if ctx.Err() != nil {
		return false
	}
	r, now := &t.refusal, t.service.now()
	r.probed, r.writable = max(1, now), err == nil
	if err == nil {
		r.every = probeEvery
		return true
	}
	r.every = min(max(probeEvery, 2*r.every), probeRarely)
	r.note(now, reasonOf(job.Sentence(err)))
	return false
}

// reasonOf removes the step and the task from an error's text: everything before the part
// about Redis. So the same refusal always has the same text.
func reasonOf(sentence string) string {
	if i := strings.Index(sentence, "redis "); i > 0 {
		sentence = sentence[i:]
	}
	if reason, ok := strings.CutPrefix(sentence, "redis "); ok {
		return "Redis " + reason
	}
	return "Redis cannot be reached: " + sentence
}

// refused handles a worker's report of a refused result. A test write by this coordinator
// gives the reason. The log is trimmed early in any case. The coordinator reports the
// refusal to the user only if the job does not go on.
func (t *training) refused(ctx context.Context) error {
	now := t.service.now()
	if t.refusal.hinted != 0 && now-t.refusal.hinted < hintEvery {
		return nil
	}
	t.refusal.hinted = now
	if t.refusal.reason == "" {
		t.refusal.every = probeEvery
	}
	if t.probe(ctx) {
		t.refusal.note(now, "Redis refuses the workers' writes, but accepts those of the coordinator")
	}
	return t.feed(ctx, round.Full{})
}

// hintEvery is the minimum time between two reactions to refused results: a probe of the
// ledger and a trim of the log.
const hintEvery = time.Second

// resume ends a refusal. When the ledger can be written again, it publishes the missing
// tasks at once.
func (t *training) resume(ctx context.Context) error {
	r := &t.refusal
	if r.reason == "" {
		return nil
	}
	if r.writable && t.service.now()-r.seen > refusalBelief {
		r.reason = ""
		t.waitFor(ctx, "")
		return nil
	}
	if before := r.writable || r.probed == 0; !t.reachable(ctx) || before {
		return nil
	}
	t.log.Info().Dur("after", t.service.now()-r.since).Msg("the ledger can be written again")
	return t.inspect(ctx, t.round.Committed())
}
