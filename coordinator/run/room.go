package run

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"tributary/coordinator/fleet"
	"tributary/coordinator/round"
	"tributary/shared/gradient"
	"tributary/shared/job"
	"tributary/shared/ledger"
)

// roomEvery is how often a coordinator asks the ledger how much memory it has.
const roomEvery = 2 * time.Second

// measureEvery is how often a job's log is sized: it takes a look at all open jobs.
const measureEvery = 500 * time.Millisecond

// lingering is how many halves of its length a log takes: after a trim every other entry
// below the floor stays until the next.
const lingering = 3

// room is what a coordinator knows of the ledger's memory. The service's lock guards it.
type room struct {
	ledger.Room
	asked time.Duration // when it was last asked for; 0: never
}

// size records what a job needs of the ledger's memory, so that every coordinator knows.
func (d *driver) size(ctx context.Context, r job.Record, e *gradient.Engine) (job.Record, error) {
	need := e.Layout(d.ref).Need(1+e.Fold.Vectors(), e.Plan.Steps())
	// A coordinator of an older version that changes a record drops the fields it does not know.
	if r.LedgerNeed != need || !slices.Equal(r.Capabilities, e.Plan.Needs) {
		var err error
		if r, err = d.change(ctx, func(r *job.Record) { r.LedgerNeed, r.Capabilities = need, e.Plan.Needs }); err != nil {
			return r, err
		}
	}
	s := d.service
	s.mu.Lock()
	defer s.mu.Unlock()
	if open, ok := s.open[d.ref]; ok && (open.LedgerNeed != need || !slices.Equal(open.Capabilities, e.Plan.Needs)) { // the watch may be late
		open.LedgerNeed, open.Capabilities = need, e.Plan.Needs
		s.open[d.ref] = open
		s.tellFleet()
	}
	return r, nil
}

// admitted returns the open jobs that may take steps, and the memory that they leave.
// Without a limit all may: ok is false. s.mu is held.
func (s *Service) admitted() (jobs []fleet.Demand, free int64, ok bool) {
	if s.room.Limit <= 0 {
		return nil, 0, false
	}
	var demands []fleet.Demand
	for ref, r := range s.open {
		if r.State.Driven() && r.LedgerNeed > 0 {
			demands = append(demands, fleet.Demand{Ref: ref, Need: r.LedgerNeed})
		}
	}
	jobs, free = fleet.Admit(s.room.Limit, demands)
	return jobs, free, true
}

// held lists the open jobs that wait for room in the ledger. s.mu is held.
func (s *Service) held() map[job.Ref]bool {
	jobs, _, limited := s.admitted()
	if !limited {
		return nil
	}
	held := map[job.Ref]bool{}
	for ref, r := range s.open {
		held[ref] = r.State.Driven() && r.LedgerNeed > 0
	}
	for _, d := range jobs {
		held[d.Ref] = false
	}
	return held
}

// waitsForRoom says what a job that waits for room needs, and what there is; "" when
// it does not wait.
func (s *Service) waitsForRoom(ref job.Ref) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	jobs, free, limited := s.admitted()
	need := s.open[ref].LedgerNeed
	if !limited || need <= 0 || slices.ContainsFunc(jobs, func(d fleet.Demand) bool { return d.Ref == ref }) {
		return ""
	}
	usable := fleet.Usable(s.room.Limit)
	message := fmt.Sprintf("waiting: the job needs %s of Redis memory; jobs may use %s (80 %% of maxmemory, %s)",
		size(need), size(usable), size(s.room.Limit))
	if need > usable {
		return message + fmt.Sprintf("; the job starts when maxmemory is at least %s", size(need/4*5+5))
	}
	return message + fmt.Sprintf(", and %d smaller jobs leave %s of that; the job starts when they end, or with more maxmemory", len(jobs), size(free))
}

// leapSteps is how many steps of a job are better committed by the snapshot after them
// than by their roots, as worker/compute does; 0 when it never does.
func leapSteps(p *prepared) int64 {
	if p.layout.Wire.Lossy() {
		return 0
	}
	return int64(2 + p.engine.Fold.Vectors())
}

// size writes a number of bytes as people do, rounded up.
func size(bytes int64) string {
	value, unit := float64(max(0, bytes))/(1<<10), "KiB"
	for _, next := range []string{"MiB", "GiB", "TiB"} {
		if value < 1<<10 {
			break
		}
		value, unit = value/(1<<10), next
	}
	return fmt.Sprintf("%.1f %s", math.Ceil(10*value)/10, unit)
}

// logSteps is how many steps of log there is room for; 0: as many as there are. The jobs
// that take steps divide equally what their needs leave of the usable memory, and no
// more than is really free.
func (s *Service) logSteps(l ledger.Layout) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	jobs, spare, limited := s.admitted()
	if !limited {
		return 0
	}
	return logSteps(min(spare, s.room.Limit-s.room.Used)/int64(max(1, len(jobs))), l.Entry())
}

// logSteps is how many steps of log go into so many bytes, beside the two that each
// job's need has in it.
func logSteps(bytes, entry int64) int64 {
	return 2 + max(0, bytes)/max(1, entry*lingering/2)
}

// measure keeps what the coordinator knows of the ledger's memory fresh, for all jobs,
// and sizes this job's log by it.
func (t *training) measure(ctx context.Context) error {
	s := t.service
	now := s.now()
	if t.measured != 0 && now-t.measured < measureEvery {
		return nil
	}
	t.measured = max(1, now)
	if s.asksForRoom() {
		c, cancel := context.WithTimeout(ctx, probeTimeout)
		defer cancel()
		if room, err := s.cfg.Ledger.Room(c); err != nil {
			t.log.Debug().Err(err).Msg("ask how much memory the ledger has")
		} else {
			s.hasRoom(room)
		}
	}
	steps := s.logSteps(t.layout)
	if steps == t.logSteps {
		return nil
	}
	t.logSteps = steps
	return t.feed(ctx, round.Room{Steps: steps})
}

// asksForRoom reports whether it is time to ask the ledger, and notes that it is asked.
func (s *Service) asksForRoom() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if s.room.asked != 0 && now-s.room.asked < roomEvery {
		return false
	}
	s.room.asked = max(1, now)
	return true
}

// hasRoom notes the ledger's answer. Another limit may admit other jobs.
func (s *Service) hasRoom(now ledger.Room) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.room.Limit
	if s.room.Room = now; now.Limit != before {
		s.tellFleet()
	}
}

// reshare hears that the slots have changed, or the jobs that may use them. A job that
// may no longer take steps has its log trimmed.
func (t *training) reshare(ctx context.Context) error {
	if err := t.feed(ctx, t.service.share(t.ref, t.numerics())); err != nil {
		return err
	}
	held := t.service.waitsForRoom(t.ref) != ""
	if before := t.held; held == before || !held {
		t.held = held
		return nil
	}
	t.held = true
	return t.feed(ctx, round.Full{})
}
