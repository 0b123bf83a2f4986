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

// roomEvery is how often a coordinator asks the ledger for its memory.
const roomEvery = 2 * time.Second

// measureEvery is how often a job's log is sized, which reads all open jobs.
const measureEvery = 500 * time.Millisecond

// logHalves is the space that a log takes, in halves of its length. After a trim, every
// second entry below the floor stays until the next trim.
const logHalves = 3

// room is what a coordinator knows about the ledger's memory. The service's lock guards
// it.
type room struct {
	ledger.Room
	asked time.Duration // time of the last request; 0: never
}

// recordNeed records what a job needs of the ledger's memory, so that every coordinator
// knows it.
func (d *driver) recordNeed(ctx context.Context, r job.Record, e *gradient.Engine) (job.Record, error) {
	need := e.Layout(d.ref).Need(e.Vectors(), e.Plan.Steps())
	// A coordinator of an older version drops record fields that it does not know.
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
		s.notifyDrivers()
	}
	return r, nil
}

// admitted returns the open jobs that may take steps and the memory that they leave, in
// bytes. Without a memory limit all jobs may, and ok is false. The caller holds s.mu.
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

// held returns the open jobs that wait for room in the ledger. The caller holds s.mu.
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

// waitsForRoom returns a message with what a waiting job needs and what is free; "" if
// the job does not wait for room.
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

// batchCommitSteps is the minimum number of steps for which a snapshot is a cheaper
// commit than the log entries of the steps. worker/compute follows the same rule. 0:
// never.
func batchCommitSteps(p *prepared) int64 {
	if p.layout.Wire.Lossy() {
		return 0
	}
	return int64(1 + p.engine.Vectors())
}

// size formats a number of bytes for people, rounded up.
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

// logSteps returns how many steps of log fit; 0: no limit. The needs of the jobs that
// take steps are subtracted from the usable memory. These jobs divide the rest equally,
// up to the memory that is really free.
func (s *Service) logSteps(l ledger.Layout) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	jobs, spare, limited := s.admitted()
	if !limited {
		return 0
	}
	return logSteps(min(spare, s.room.Limit-s.room.Used)/int64(max(1, len(jobs))), l.Entry())
}

// logSteps returns how many log entries fit into that many bytes, plus the two entries
// that each job's need includes.
func logSteps(bytes, entry int64) int64 {
	return 2 + max(0, bytes)/max(1, entry*logHalves/2)
}

// measure updates what the coordinator knows about the ledger's memory, for all jobs. It
// then sizes this job's log.
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

// asksForRoom reports whether it is time to ask the ledger, and records the request.
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

// hasRoom records the ledger's answer. A new limit may admit other jobs.
func (s *Service) hasRoom(now ledger.Room) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.room.Limit
	if s.room.Room = now; now.Limit != before {
		s.notifyDrivers()
	}
}

// reshare handles a change of the slots or of the jobs that may use them. If the job may
// no longer take steps, its log is trimmed.
func (t *training) reshare(ctx context.Context) error {
	if err := t.feed(ctx, t.service.slotShare(t.ref, t.numerics())); err != nil {
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
