package run

import "time"

// losses holds the losses and the row count that this coordinator has seen of a job.
type losses struct {
	known []float64 // one per step
	since int64     // committed steps when this coordinator took the job
	rows  int64     // rows trained on since then
}

func (l *losses) len() int64 { return int64(len(l.known)) }

func (l *losses) add(loss float64, rows int64) {
	if l.len() >= l.since {
		l.rows += rows
	}
	l.known = append(l.known, loss)
}

// latest returns the newest step's loss, nil before the first.
func (l *losses) latest() *float64 {
	if len(l.known) == 0 {
		return nil
	}
	loss := l.known[len(l.known)-1]
	return &loss
}

// rate returns rows per second of the time spent on steps.
func (l *losses) rate(spent time.Duration) float64 {
	if spent <= 0 {
		return 0
	}
	return float64(l.rows) / spent.Seconds()
}

// truncate discards the losses of steps that the ledger has lost.
func (l *losses) truncate(steps int64) {
	l.known = l.known[:min(l.len(), steps)]
}
