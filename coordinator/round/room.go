package round

import (
	"math"
	"time"
)

// trimPatience is snapshotPatience while the next step waits for the snapshot.
const trimPatience = 5 * time.Second

// room is what is known of the ledger's memory.
type room struct {
	steps   int64 // of log that it has room for; 0: no limit
	refused bool  // it has refused what workers store, since the last commit
}

// resize notes how much log there may be. With more room the next step need not wait.
func (r *Round) resize(now time.Duration, e Room) []Action {
	r.room.steps = e.Steps
	if r.phase == Trimming && r.left() > 0 {
		return r.next(now)
	}
	return nil
}

// full has the log trimmed early. Until a step is committed, one worker computes
// each step as a whole, for which it stores no partial.
func (r *Round) full(now time.Duration) []Action {
	r.room.refused = true
	if r.phase == Idle || r.committed <= r.snapshot {
		return nil
	}
	return r.askSnapshot(now)
}

// snapshotted notes a snapshot, which has trimmed the log.
func (r *Round) snapshotted(now time.Duration, e Snapshotted) []Action {
	if e.Steps < r.snapshot {
		return nil
	}
	r.snapshot, r.asking = e.Steps, false
	if r.phase == Trimming {
		return r.next(now)
	}
	return nil
}

// askSnapshot asks for a snapshot unless one is awaited.
func (r *Round) askSnapshot(now time.Duration) []Action {
	if r.asking {
		return nil
	}
	r.asking, r.askedSnap = true, now
	return []Action{Snapshot{Steps: r.committed}}
}

// snapshotEvery is the number of steps between snapshots: a new one is asked for when
// half of the room is taken, as steps go on until it is there.
func (r *Round) snapshotEvery() int64 {
	if r.room.steps == 0 {
		return r.cfg.SnapshotEvery
	}
	return min(r.cfg.SnapshotEvery, max(1, r.room.steps/2))
}

func (r *Round) snapshotPatience() time.Duration {
	if r.phase == Trimming {
		return trimPatience
	}
	return snapshotPatience
}

// left is how many steps of log there is room for.
func (r *Round) left() int64 {
	if r.room.steps == 0 {
		return math.MaxInt64
	}
	return r.snapshot + r.room.steps - r.committed
}

// leaps reports whether the next steps go into a snapshot and leave the log as it is.
func (r *Round) leaps() bool {
	return r.cfg.LeapSteps > 0 && r.share.teams() == 1 && r.within(r.cfg.TellTime) >= r.cfg.LeapSteps
}
