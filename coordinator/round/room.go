package round

import (
	"math"
	"time"
)

// trimPatience replaces snapshotPatience while the next step waits for the snapshot.
const trimPatience = 5 * time.Second

// room holds what the machine knows about the ledger's memory.
type room struct {
	maxLog  int64 // steps of log that fit; 0: no limit
	refused bool  // since the last commit, the ledger refused something that a worker stored
}

// resize records how many steps of log fit. If there is more room, the next step does not
// wait any longer.
func (r *Round) resize(now time.Duration, e Room) []Action {
	r.room.maxLog = e.Steps
	if r.phase == Trimming && r.logSpace() > 0 {
		return r.next(now)
	}
	return nil
}

// full asks for a snapshot early, which trims the log. Until the next commit, one worker
// computes each step as a whole, because it then stores no partial.
func (r *Round) full(now time.Duration) []Action {
	r.room.refused = true
	if r.phase == Idle || r.committed <= r.snapshot {
		return nil
	}
	return r.requestSnapshot(now)
}

// snapshotted records a snapshot, which has trimmed the log.
func (r *Round) snapshotted(now time.Duration, e Snapshotted) []Action {
	if e.Steps < r.snapshot {
		return nil
	}
	r.snapshot, r.snapshotPending = e.Steps, false
	if r.phase == Trimming {
		return r.next(now)
	}
	return nil
}

// requestSnapshot asks for a snapshot, unless the machine already waits for one.
func (r *Round) requestSnapshot(now time.Duration) []Action {
	if r.snapshotPending {
		return nil
	}
	r.snapshotPending, r.snapshotRequested = true, now
	return []Action{Snapshot{Steps: r.committed}}
}

// snapshotEvery returns the number of steps between snapshots. It is at most half of the
// room, because the steps go on until the snapshot arrives.
func (r *Round) snapshotEvery() int64 {
	if r.room.maxLog == 0 {
		return r.cfg.SnapshotEvery
	}
	return min(r.cfg.SnapshotEvery, max(1, r.room.maxLog/2))
}

func (r *Round) snapshotPatience() time.Duration {
	if r.phase == Trimming {
		return trimPatience
	}
	return snapshotPatience
}

// logSpace returns how many more steps fit into the log.
func (r *Round) logSpace() int64 {
	if r.room.maxLog == 0 {
		return math.MaxInt64
	}
	return r.snapshot + r.room.maxLog - r.committed
}

// commitsInBatches reports whether the next steps go into a snapshot and not into the log.
func (r *Round) commitsInBatches() bool {
	return r.cfg.BatchCommitSteps > 0 && r.split.teams() == 1 && r.stepsIn(r.cfg.AnnounceTime) >= r.cfg.BatchCommitSteps
}
