// Package notice is what the programs tell each other in passing: a step was
// committed, an evaluation arrived, a task failed, a worker is alive, and what
// a person who follows a job is told.
//
// It owns the values, their bounds and their JSON; it moves nothing. Package
// broker carries them over NATS; workers and coordinators make and read them.
//
// Invariant: a notice is a hint. Whatever it says can also be read from the
// ledger or the job's record, so one that is lost costs time, never results.
package notice

import (
	"fmt"
	"unicode/utf8"

	"tributary/shared/job"
)

// MaxBytes bounds an encoded notice; a longer one is refused unread.
const MaxBytes = 64 << 10

// MaxText bounds an error or a message, in bytes. Clip makes it so.
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
