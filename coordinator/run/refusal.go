package run

import (
	"context"
	"strings"
	"time"

	"tributary/coordinator/round"
	"tributary/shared/job"
)

// How often a ledger is probed that can be written, and at most how rarely one that
// cannot; how long a probe may take; and how long a refusal that nobody reports again
// is believed.
const (
	probeEvery    = 100 * time.Millisecond
	probeRarely   = 2 * time.Second
	probeTimeout  = 2 * time.Second
	refusalBelief = 10 * time.Second
)

// complainEvery is how often the log says that the ledger cannot be read.
const complainEvery = 10 * time.Second

// refusal is what is known of a ledger that cannot be written now. It is nobody's fault.
//
// Invariant: while writable is false nothing counts as failed and no task is published.
type refusal struct {
	reason   string        // "" while nothing is refused
	since    time.Duration // when it began
	heard    time.Duration // when a worker reported it last, or a probe failed
	probed   time.Duration // when the ledger was last probed; 0: never
	every    time.Duration // until the next probe
	hinted   time.Duration // when a worker said last that it refused a result; 0: never
	writable bool          // the last probe succeeded
}

// note begins a refusal, or has it last. The first reason stays.
func (r *refusal) note(now time.Duration, reason string) {
	if r.heard = now; r.reason == "" {
		r.reason, r.since = reason, now
	}
}

// message says what the job waits for; "" when it does not, or not for long yet.
func (r *refusal) message(now time.Duration) string {
	if r.reason == "" || now-r.since < quiet {
		return ""
	}
	return "waiting: " + r.reason + "; the job goes on by itself"
}

// reachable reports whether the ledger could be written a moment ago.
func (t *training) reachable(ctx context.Context) bool {
	if r := &t.refusal; r.probed != 0 && t.service.now()-r.probed < r.every {
		return r.writable
	}
	return t.probe(ctx)
}

// probe writes to the ledger. It is asked again later and later while it refuses.
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

// reasonOf leaves out of an error what stands before the words about Redis: which step
// and which task met it. So the same refusal is reported in the same words.
func reasonOf(sentence string) string {
	if i := strings.Index(sentence, "redis "); i > 0 {
		sentence = sentence[i:]
	}
	if reason, ok := strings.CutPrefix(sentence, "redis "); ok {
		return "Redis " + reason
	}
	return "Redis cannot be reached: " + sentence
}

// refused takes the hint that a worker's result was refused. A write of this
// coordinator's own shows why; the log is trimmed early in any case. The coordinator
// reports it to people only if the job does not go on.
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
		t.refusal.note(now, "Redis refuses what workers store, and can be written from here")
	}
	return t.feed(ctx, round.Full{})
}

// hintEvery bounds the rate at which workers' words of refused results have the ledger
// probed and the log trimmed.
const hintEvery = time.Second

// resume ends a refusal: when the ledger can be written again, what is missing is
// published at once.
func (t *training) resume(ctx context.Context) error {
	r := &t.refusal
	if r.reason == "" {
		return nil
	}
	if r.writable && t.service.now()-r.heard > refusalBelief {
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
