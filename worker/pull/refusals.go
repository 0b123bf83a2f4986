package pull

import (
	"sync"
	"time"
)

// refusedEvery is how often the log may say that a store refuses results, for each
// cause. maxCauses bounds the causes that are remembered.
const (
	refusedEvery = 10 * time.Second
	maxCauses    = 64
)

// refusals remembers when the log said which cause.
type refusals struct {
	mu   sync.Mutex
	said map[string]time.Time
}

// due reports whether the log is to say this error, and notes that it does.
func (r *refusals) due(err error) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	cause := innermost(err).Error()
	if last, known := r.said[cause]; known && time.Since(last) < refusedEvery {
		return false
	}
	if len(r.said) >= maxCauses {
		clear(r.said)
	}
	r.said[cause] = time.Now()
	return true
}

// innermost returns the error that was there first: without the words that others
// have put before it, which name the step.
func innermost(err error) error {
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
