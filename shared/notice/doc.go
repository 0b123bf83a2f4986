// Package notice defines the short messages that the programs send to each other: a worker
// committed a step, stored an evaluation, failed a task, or is alive. The events that
// people read while they follow a job are notices too.
//
// The package owns the values, their bounds and their JSON. It does not send them: package
// broker carries them over NATS. Workers and coordinators create and read them.
//
// Invariant: a notice is a hint. The ledger or the job's record holds the same facts, so a
// lost notice costs time, never results.
package notice

import (
	"fmt"
	"unicode/utf8"

	"tributary/shared/job"
)

// MaxBytes bounds an encoded notice, in bytes. A receiver refuses a longer one without
// reading it.
const MaxBytes = 64 << 10

// MaxText bounds an error or a message, in bytes. Clip cuts a text to it.
const MaxText = 4 << 10

// maxName bounds the name of a worker, a host or a version, in bytes.
const maxName = 256

// Clip cuts s to at most MaxText bytes, at the end of a character.
func Clip(s string) string {
	if len(s) <= MaxText {
		return s
	}
	const more = "…"
	end := MaxText - len(more)
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + more
}

func checkRef(r job.Ref) error {
	if err := r.Job.Validate(); err != nil {
		return fmt.Errorf("job: %w", err)
	}
	return checkText("run", string(r.Run), maxName)
}

func checkCount[N int | int64](field string, n N) error {
	if n < 0 {
		return fmt.Errorf("%s is %d; it must be 0 or more: %w", field, n, job.ErrInvalid)
	}
	return nil
}

func checkText(field, s string, limit int) error {
	if len(s) > limit {
		return fmt.Errorf("%s has %d bytes; at most %d are allowed: %w", field, len(s), limit, job.ErrInvalid)
	}
	return nil
}
