package run

import "time"

// history is what has been seen of a job's losses.
type history struct {
	losses []float64 // per step
	since  int64     // steps committed when this coordinator took the job
	rows   int64     // trained on since then
}

func (h *history) len() int64 { return int64(len(h.losses)) }

func (h *history) add(loss float64, rows int64) {
	if h.len() >= h.since {
		h.rows += rows
	}
	h.losses = append(h.losses, loss)
}

// latest is the newest step's loss, nil before the first.
func (h *history) latest() *float64 {
	if len(h.losses) == 0 {
		return nil
	}
	loss := h.losses[len(h.losses)-1]
	return &loss
}

// rate is rows per second of time spent stepping.
func (h *history) rate(spent time.Duration) float64 {
	if spent <= 0 {
		return 0
	}
	return float64(h.rows) / spent.Seconds()
}

// truncate forgets steps that the ledger has lost.
func (h *history) truncate(steps int64) {
	h.losses = h.losses[:min(h.len(), steps)]
}
