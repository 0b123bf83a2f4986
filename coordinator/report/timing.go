package report

import (
	"bytes"
	"cmp"
	"slices"
	"time"

	"tributary/shared/notice"
)

// TimingFile is the name of the file with the times of a training. It is apart from
// MetricsFile, because times differ from run to run and the metrics do not.
const TimingFile = "timing.jsonl"

// Mark is a moment of a training, as the process that watched it heard of it.
type Mark struct {
	Time             time.Time `json:"time"`
	Step             int64     `json:"step"`                         // steps committed
	SamplesPerSecond float64   `json:"samples_per_second,omitempty"` // rows trained on, on average so far
	Workers          int       `json:"workers,omitempty"`            // workers present
	// GradientNorm is the newest that a worker had reported.
	GradientNorm *notice.GradientNorm `json:"gradient_norm,omitempty"`
}

// Timing holds the marks of a training, in order of Step and Time.
type Timing []Mark

// JSONL returns a JSON object per mark and line.
func (t Timing) JSONL() []byte {
	var out bytes.Buffer
	for _, m := range t {
		line(&out, m)
	}
	return out.Bytes()
}

// At returns the time of a step. Between two marks it is interpolated. Before the first
// mark it is the first mark's time, and after the last one the last mark's. Without marks
// it is the zero of Unix time.
func (t Timing) At(step int64) time.Time {
	i, _ := slices.BinarySearchFunc(t, step, func(m Mark, step int64) int { return cmp.Compare(m.Step, step) })
	switch {
	case len(t) == 0:
		return time.Unix(0, 0)
	case i == len(t):
		return t[i-1].Time
	case i == 0 || t[i].Step == step:
		return t[i].Time
	}
	from, to := t[i-1], t[i]
	part := float64(step-from.Step) / float64(to.Step-from.Step)
	return from.Time.Add(time.Duration(part * float64(to.Time.Sub(from.Time))))
}
