package pull

import (
	"sync"
	"time"
)

// refusedEvery is the shortest time between two log lines about refused results with the
// same cause. maxCauses bounds the number of causes that are remembered.
const (
	refusedEvery = 10 * time.Second
	maxCauses    = 64
)

// refusals remembers when each cause was last logged.
type refusals struct {
	mu   sync.Mutex
	said map[string]time.Time
}

// due reports whether err must be logged now, and if so records that it was.
func (r *refusals) due(err error) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	cause := rootCause(err).Error()
	if last, known := r.said[cause]; known && time.Since(last) < refusedEvery {
		return false
	}
	if len(r.said) >= maxCauses {
		clear(r.said)
	}
	r.said[cause] = time.Now()
	return true
}

// rootCause returns the first error of the chain. It drops the words that callers put
// before it: they name the step, so they differ each time.
func rootCause(err error) error {
	for {
		switch e := err.(type) { //nolint:errorlint // it walks the tree by hand
		case interface{ Unwrap() error }:
			if e.Unwrap() == nil {
				return err
			}
			err = e.Unwrap()
		case interface{ Unwrap() []error }:
			all := e.Unwrap()
			if len(all) == 0 {
				return err
			}
			err = all[0]
		default:
			return err
		}
	}
}
