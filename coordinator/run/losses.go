package run

import "time"

// losses is what has been seen of a job's losses.
type losses struct {
	known []float64 // per step
	since int64     // steps committed when this coordinator took the job
	rows  int64     // trained on since then
}

func (l *losses) len() int64 { return int64(len(l.known)) }

func (l *losses) add(loss float64, rows int64) {
	if l.len() >= l.since {
		l.rows += rows
	}
	l.known = append(l.known, loss)
}

// latest is the newest step's loss, nil before the first.
func (l *losses) latest() *float64 {
	if len(l.known) == 0 {
		return nil
	}
	loss := l.known[len(l.known)-1]
	return &loss
}

// rate is rows per second of time spent stepping.
func (l *losses) rate(spent time.Duration) float64 {
	if spent <= 0 {
		return 0
	}
	return float64(l.rows) / spent.Seconds()
}

// truncate forgets steps that the ledger has lost.
func (l *losses) truncate(steps int64) {
	l.known = l.known[:min(l.len(), steps)]
}
