package broker

import (
	"fmt"
	"strings"

	"tributary/shared/job"
	"tributary/shared/queue"
)

// The names of all subjects, streams and buckets on the server.
const (
	TaskStream  = "TRIBUTARY_TASKS"
	EventStream = "TRIBUTARY_EVENTS"
	DeadStream  = "TRIBUTARY_DEAD"

	JobBucket   = "tributary-jobs"
	LeaseBucket = "tributary-leases"
	// DatasetBucket has the entries of named data sets.
	DatasetBucket = "tributary-datasets"
	// SweepBucket has the records of submitted sweeps.
	SweepBucket = "tributary-sweeps"
	BlobBucket  = "tributary-blobs"
	ModelBucket = "tributary-models"

	taskPrefix  = "tributary.tasks."
	eventPrefix = "tributary.events."
	deadPrefix  = "tributary.dead."

	alivePrefix  = "tributary.coordinators."
	workerPrefix = "tributary.workers.alive."
	beatSubject  = "tributary.workers.beat"
	callSubject  = "tributary.workers.call"
	asideSubject = "tributary.workers.aside"
)

// maxToken bounds a subject token that is made from a fingerprint.
const maxToken = 128

// token turns any text into a subject token. Different texts have different tokens. A byte
// that is not a letter, digit, '-' or '_' becomes =XX, with XX in hexadecimal.
func token(text string) string {
	var b strings.Builder
	for i := range len(text) {
		c := text[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_':
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "=%02X", c)
		}
	}
	return b.String()
}

// classNames returns the subject of a class's tasks and the name of its consumer.
func classNames(c queue.Class) (subject, consumer string, err error) {
	numerics := token(string(c.Numerics))
	if numerics == "" || len(numerics) > maxToken {
		return "", "", fmt.Errorf("numerics %.160q: want 1 to %d characters: %w", string(c.Numerics), maxToken, job.ErrInvalid)
	}
	if c.Lane != queue.GradientLane && c.Lane != queue.BackgroundLane {
		return "", "", fmt.Errorf("lane %.40q: want %q or %q: %w", string(c.Lane), queue.GradientLane, queue.BackgroundLane, job.ErrInvalid)
	}
	subject, consumer = taskPrefix+string(c.Lane)+"."+numerics, string(c.Lane)+"-"+numerics
	if c.Job != "" {
		if err := c.Job.Validate(); err != nil {
			return "", "", err
		}
		subject, consumer = subject+"."+string(c.Job), consumer+"=="+string(c.Job) // no token contains "=="
	}
	return subject, consumer, nil
}
