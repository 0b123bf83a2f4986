// Package history keeps a mark of 8 bytes for every committed step of a job. Marks stay
// when the update log is trimmed and deleted. A verification computes a step again and
// compares its mark.
//
// It owns the order of the marks, their pages beside the ledger and their file in a model.
// Workers write a page before a snapshot trims the log. Checkpoints carry the marks along,
// the coordinator writes the file, and a verification reads them all.
//
// Invariant: a known mark never changes; another mark for the same step fails with
// job.ErrCorrupt. A mark stands for all steps before it too. So a missing mark hides only
// at which step a fault happened, never that it happened.
package history

import (
	"fmt"
	"slices"

	"tributary/shared/job"
	"tributary/shared/ledger"
)

// MaxSteps bounds the steps of a history, which has 80 MiB then. Jobs are shorter.
const MaxSteps = 10 << 20

// MarkBytes is the size of a step's mark, in bytes.
const MarkBytes = len(ledger.Mark{})

// History is the marks of a job's steps: marks[t] is the mark of the chain after step t, or
// the zero Mark where it is not known. The zero History is empty.
type History struct{ marks []ledger.Mark }

// Steps returns one more than the last step with a mark.
func (h *History) Steps() int64 { return int64(len(h.marks)) }

// Known returns the number of steps that have a mark.
func (h *History) Known() int64 {
	n := int64(0)
	for _, m := range h.marks {
		if m != (ledger.Mark{}) {
			n++
		}
	}
	return n
}

// At returns the mark of the chain after step; ok is false when it is not known.
func (h *History) At(step int64) (m ledger.Mark, ok bool) {
	if step < 0 || step >= h.Steps() {
		return m, false
	}
	m = h.marks[step]
	return m, m != ledger.Mark{}
}

// Add adds the marks of the steps from … from+len(marks)-1; a zero mark adds nothing. It
// fails with job.ErrCorrupt when a step has another mark already, or is not below MaxSteps.
func (h *History) Add(from int64, marks []ledger.Mark) error {
	if from < 0 || from > MaxSteps-int64(len(marks)) {
		return fmt.Errorf("history of steps %d to %d: want 0 to %d: %w", from, from+int64(len(marks))-1, MaxSteps-1, job.ErrCorrupt)
	}
	if more := from + int64(len(marks)) - h.Steps(); more > 0 {
		h.marks = append(h.marks, make([]ledger.Mark, more)...)
	}
	for i, m := range marks {
		at := &h.marks[from+int64(i)]
		switch {
		case m == ledger.Mark{}, *at == m:
		case *at == ledger.Mark{}:
			*at = m
		default:
			return fmt.Errorf("step %d is marked %s, and %s elsewhere: there are two histories of the job: %w", from+int64(i), *at, m, job.ErrCorrupt)
		}
	}
	return nil
}

// Marks returns the marks of the first steps, with zeros where they are not known.
func (h *History) Marks(steps int64) []ledger.Mark {
	marks := slices.Clone(h.marks[:min(steps, h.Steps())])
	return append(marks, make([]ledger.Mark, steps-int64(len(marks)))...)
}

// AppendMarks appends the bytes of marks to dst.
func AppendMarks(dst []byte, marks []ledger.Mark) []byte {
	for _, m := range marks {
		dst = append(dst, m[:]...)
	}
	return dst
}

// DecodeMarks reads what AppendMarks wrote.
func DecodeMarks(data []byte) ([]ledger.Mark, error) {
	if len(data)%MarkBytes != 0 {
		return nil, fmt.Errorf("marks of %d bytes: want %d for each step: %w", len(data), MarkBytes, job.ErrCorrupt)
	}
	marks := make([]ledger.Mark, 0, len(data)/MarkBytes)
	for m := range slices.Chunk(data, MarkBytes) {
		marks = append(marks, ledger.Mark(m))
	}
	return marks, nil
}
