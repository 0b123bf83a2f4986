package notice

import (
	"errors"
	"fmt"
	"time"

	"tributary/shared/job"
)

// MaxSlots bounds the slots one worker may claim, and maxCapabilities its capabilities.
const (
	MaxSlots        = 4096
	maxCapabilities = 256
)

// Beat is a worker's sign of life. The worker sends it at a steady rate, at once when a
// program asks for it, and a last time when it leaves.
type Beat struct {
	Worker   string       `json:"worker"`           // unique for each process
	Host     string       `json:"host,omitempty"`   // host name, for people
	Version  string       `json:"version"`          // version of the worker's program
	Numerics job.Numerics `json:"numerics"`         // fingerprint of the worker's arithmetic
	Slots    int          `json:"slots"`            // gradient tasks that the worker computes at the same time
	Busy     int          `json:"busy"`             // slots in use
	Started  time.Time    `json:"started,omitzero"` // start of the process
	// Leaving says that the worker takes no more tasks, and that this is its last beat.
	Leaving bool `json:"leaving,omitempty"`
	// Aside says that the worker takes no tasks for a while, because a coordinator has set
	// it aside; see type Aside.
	Aside bool `json:"aside,omitempty"`
	// Memory is how many bytes all tasks of one job may take; 0: the worker does not know.
	Memory int64 `json:"memory,omitempty"`
	// Capabilities are what the worker serves beyond the base set: operations and memory
	// classes. A worker whose version knows no capabilities serves the base set only.
	Capabilities []job.Capability `json:"capabilities,omitempty"`
}

// About implements Notice: a beat is about no job.
func (b Beat) About() job.ID { return "" }

// Validate implements Notice.
func (b Beat) Validate() error {
	err := errors.Join(
		checkText("worker", b.Worker, maxName),
		checkText("host", b.Host, maxName),
		checkText("version", b.Version, maxName),
		checkText("numerics", string(b.Numerics), maxName),
		checkCount("busy", b.Busy),
		checkCount("memory", b.Memory),
	)
	if len(b.Capabilities) > maxCapabilities {
		err = errors.Join(err, fmt.Errorf("capabilities has %d entries; at most %d are allowed: %w", len(b.Capabilities), maxCapabilities, job.ErrInvalid))
	}
	for _, c := range b.Capabilities {
		err = errors.Join(err, job.Class(c).Validate())
	}
	if b.Worker == "" {
		err = errors.Join(err, fmt.Errorf("worker is empty: %w", job.ErrInvalid))
	}
	if b.Slots < 0 || b.Slots > MaxSlots {
		err = errors.Join(err, fmt.Errorf("slots is %d; it must be within 0 … %d: %w", b.Slots, MaxSlots, job.ErrInvalid))
	}
	return err
}
