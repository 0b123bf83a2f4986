package trial

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"tributary/shared/job"
)

// State is the state of a submitted sweep.
type State string

// The states. The last three are final.
const (
	Running   State = "running"
	Succeeded State = "succeeded" // it has a best trial
	Failed    State = "failed"    // no trial has a figure, or a fold has failed; Error says why
	Cancelled State = "cancelled" // on request
)

// Final reports whether a sweep in this state has ended.
func (s State) Final() bool { return s != Running }

// Record is what is known about a submitted sweep. It is stored in the sweeps bucket. The
// trials' jobs have their own records; a Record keeps only what it needs of those that have
// ended, so that it outlives them.
type Record struct {
	ID       job.ID          `json:"id"` // the sweep's name
	State    State           `json:"state"`
	Error    string          `json:"error,omitempty"`
	Created  time.Time       `json:"created"`
	Finished *time.Time      `json:"finished,omitempty"`
	Digest   job.Digest      `json:"digest"` // of Sweep
	Sweep    json.RawMessage `json:"sweep"`  // with the defaults filled in and the spec of the trials
	Trials   int             `json:"trials"`
	Rounds   []Round         `json:"rounds"` // one, unless the search is halving
	Best     *Best           `json:"best,omitempty"`
	// Settled: the sweep is final and no job of it is left that has not ended.
	Settled bool `json:"settled,omitempty"`
}

// Round is one job of each of some trials.
type Round struct {
	Epochs int `json:"epochs,omitempty"` // 0: the spec's own
	// Trials are the numbers of the trials, the best of the round before first; null in the
	// first round, which has all.
	Trials []int `json:"trials,omitempty"`
	// Values has the figure of each trial: null if it has not ended or has none. It is empty
	// until the round begins.
	Values []*float64 `json:"values,omitempty"`
	// Failed says by number why a trial has no figure.
	Failed map[int]string `json:"failed,omitempty"`
	// Metrics are the metrics of each trial, for a sweep over folds.
	Metrics []map[job.Split]map[string]float64 `json:"metrics,omitempty"`
}

// Best is the best trial of the newest round that has one.
type Best struct {
	Trial            int                              `json:"trial"`
	Job              job.ID                           `json:"job"` // also the model's id
	Value            float64                          `json:"value"`
	Epochs           int                              `json:"epochs,omitempty"`
	ParametersSHA256 job.Digest                       `json:"parameters_sha256,omitempty"`
	Metrics          map[job.Split]map[string]float64 `json:"metrics,omitempty"`
}

// The bounds of the reasons in a record, so that it fits into a message.
const (
	maxReason  = 200 // bytes of one reason
	maxReasons = 100 // reasons with a text, in each round
	// valueBytes bounds a figure with its trial's number.
	valueBytes = 36
)

// NewRecord returns the record of a sweep that is to be carried out. epochs are those of the
// spec, which successive halving needs.
func NewRecord(s *Sweep, epochs int, now time.Time) (Record, error) {
	content, err := s.JSON()
	if err != nil {
		return Record{}, err
	}
	sum := sha256.Sum256(content)
	r := Record{ID: job.ID(s.Name), State: Running, Created: now, Digest: job.Digest(hex.EncodeToString(sum[:])), Sweep: content, Trials: s.Count()}
	for _, n := range s.Epochs(epochs) {
		r.Rounds = append(r.Rounds, Round{Epochs: n})
	}
	r.Rounds[0].begin(r.Trials)
	return r, nil
}

// Growth returns how many bytes the record may grow by results.
func (r *Record) Growth(s *Sweep) int64 {
	n, all := r.Trials, 0
	for range r.Rounds {
		all += n
		n = s.kept(n)
	}
	perRound := int64(maxReason+16)*maxReasons + 64
	growth := int64(all)*valueBytes + int64(len(r.Rounds))*min(perRound, int64(r.Trials)*(maxReason+16)+64) + 16<<10
	if s.Search == EachFold {
		growth += int64(r.Trials) * 4 << 10
	}
	return growth
}

// Content returns the sweep of the record.
func (r *Record) Content() (*Sweep, error) {
	s, err := decode(r.Sweep)
	if err != nil {
		return nil, fmt.Errorf("sweep %s: its record: %w: %w", r.ID, err, job.ErrCorrupt)
	}
	if s.Count() != r.Trials || len(r.Rounds) == 0 {
		return nil, fmt.Errorf("sweep %s: its record has %d trials and %d rounds, its sweep %d trials: %w", r.ID, r.Trials, len(r.Rounds), s.Count(), job.ErrCorrupt)
	}
	return s, nil
}

// Cancel ends the sweep. It reports whether that changed the record, and fails with
// job.ErrConflict if the sweep has ended otherwise.
func (r *Record) Cancel(now time.Time) (changed bool, err error) {
	switch {
	case r.State == Cancelled:
		return false, nil
	case r.State.Final():
		return false, fmt.Errorf("sweep %q has %s and cannot be cancelled: it has ended: %w", r.ID, r.State, job.ErrConflict)
	}
	r.State, r.Finished = Cancelled, &now
	return true, nil
}

// begin makes room for the results of n trials.
func (o *Round) begin(n int) { o.Values = make([]*float64, n) }

// number returns the number of the round's trial i.
func (o *Round) number(i int) int {
	if o.Trials == nil {
		return i + 1
	}
	return o.Trials[i]
}

// ended reports whether the job of the round's trial i has ended.
func (o *Round) ended(i int) bool {
	_, failed := o.Failed[o.number(i)]
	return failed || o.Values[i] != nil
}

// errRound says that a record's rounds do not fit its trials.
var errRound = errors.New("the rounds do not fit the trials")

// Check fails unless the rounds fit each other, so that a damaged record makes no panic.
func (r *Record) Check() error {
	for k, o := range r.Rounds {
		n := r.Trials
		if o.Trials != nil {
			n = len(o.Trials)
		}
		if k == 0 && o.Trials != nil || n == 0 || (k == 0 || o.Values != nil) && len(o.Values) != n || o.Metrics != nil && len(o.Metrics) != n || k > 0 && o.Values != nil && o.Trials == nil {
			return fmt.Errorf("sweep %s: its record: %w: %w", r.ID, errRound, job.ErrCorrupt)
		}
		for _, number := range o.Trials {
			if number < 1 || number > r.Trials {
				return fmt.Errorf("sweep %s: its record: trial %d: %w: %w", r.ID, number, errRound, job.ErrCorrupt)
			}
		}
	}
	if b := r.Best; b != nil && (b.Trial < 1 || b.Trial > r.Trials) {
		return fmt.Errorf("sweep %s: its record: its best trial is %d of %d: %w", r.ID, b.Trial, r.Trials, job.ErrCorrupt)
	}
	return nil
}

// NeedsDataset reports whether jobs of the sweep may still have to be submitted that read a
// version of a named data set.
func (r *Record) NeedsDataset(name string, version int) bool {
	return !r.State.Final() && bytes.Contains(r.Sweep, fmt.Appendf(nil, "%q", fmt.Sprintf("%s%s@%d", job.DatasetPrefix, name, version)))
}
