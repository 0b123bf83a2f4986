package job

import (
	"encoding/json"
	"time"
)

// State is the state of a job's life.
type State string

// The states. A job only moves forward, except on a person's request, see [Record.Ask].
// The last three are final.
const (
	Submitted State = "submitted" // recorded; no coordinator has taken it yet
	Preparing State = "preparing" // its dataset is being read, cleaned and split into blocks
	Running   State = "running"   // workers compute its steps
	Paused    State = "paused"    // on request: no work is done until it is resumed
	Succeeded State = "succeeded" // its model is in the registry
	Failed    State = "failed"    // Error says why
	Cancelled State = "cancelled" // on request
)

// Final reports whether a job in this state has ended. Only a person can make it go on.
func (s State) Final() bool { return s == Succeeded || s == Failed || s == Cancelled }

// Driven reports whether a coordinator works on a job in this state.
func (s State) Driven() bool { return s == Submitted || s == Preparing || s == Running }

// Record is what is known about a job. It is stored in the jobs bucket, and jobs.get
// answers with it. It decides the job's state; the training state itself is in the
// ledger.
type Record struct {
	ID         ID              `json:"id"`
	Run        Run             `json:"run"`
	Name       string          `json:"name"`
	Tags       []string        `json:"tags,omitempty"` // from the spec
	State      State           `json:"state"`
	Message    string          `json:"message,omitempty"` // what the job waits for, in a sentence
	Error      string          `json:"error,omitempty"`   // why the job failed
	Created    time.Time       `json:"created"`
	Started    *time.Time      `json:"started,omitempty"`  // when it left Submitted
	Finished   *time.Time      `json:"finished,omitempty"` // when it became final
	SpecDigest Digest          `json:"spec_digest"`
	Spec       json.RawMessage `json:"spec"` // the spec in canonical JSON, with the defaults filled in
	Plan       Digest          `json:"plan,omitempty"`
	Numerics   Numerics        `json:"numerics,omitempty"` // chosen at the first step
	Steps      int64           `json:"steps,omitempty"`    // how many steps it takes in all
	Need       int64           `json:"need,omitempty"`     // bytes of memory that it needs in a worker, by the plan; 0: not known
	// Capabilities are the operations that the job's plan needs beyond the base set, the
	// newest last.
	Capabilities []Capability `json:"capabilities,omitempty"`
	Outcome      *Outcome     `json:"outcome,omitempty"`
	Released     bool         `json:"released,omitempty"` // the job is final, and its training state is deleted
	// Owner is the coordinator that last took the job. Term is the number of its lease. A
	// change by a coordinator with another term is refused.
	Owner string `json:"owner,omitempty"`
	Term  uint64 `json:"term,omitempty"`
	// Priority is the weight of the job when the fleet's slots are divided among jobs; 0
	// means DefaultPriority. MaxSlots is the most slots that it gets; 0 means no bound.
	Priority int `json:"priority,omitempty"`
	MaxSlots int `json:"max_slots,omitempty"`
	Resumed  int `json:"resumed,omitempty"` // how often it went on after it had failed or was cancelled
	// LedgerNeed is the least memory, in bytes, that the job needs in the ledger's store.
	// Package ledger computes it. It is 0 while there is no plan.
	LedgerNeed int64 `json:"ledger_need,omitempty"`
	// StopAt is the number of steps after which the job ends because its time was over (see
	// Stop); 0: that was not decided.
	StopAt int64 `json:"stop_at,omitempty"`
	// Checkpoints lists what the training state can be restored from, newest first.
	Checkpoints []Checkpoint `json:"checkpoints,omitempty"`
	// Datasets are the versions of named data sets that the job reads.
	Datasets []Dataset `json:"datasets,omitempty"`
	// Profile is the blob that describes the training rows, or "".
	Profile  Digest `json:"profile,omitempty"`
	Removing bool   `json:"removing,omitempty"` // the job is final, and everything stored about it is being deleted
}

// Ref returns the incarnation of the job that the record is about.
func (r *Record) Ref() Ref { return Ref{Job: r.ID, Run: r.Run} }

// Class returns the class of the job's tasks.
func (r *Record) Class() Class { return ClassFor(r.Capabilities, r.Need) }

// Outcome is the report of a job that has succeeded. `train` prints it as one line.
type Outcome struct {
	Job              ID                           `json:"job"`
	Steps            int64                        `json:"steps"`
	BestStep         int64                        `json:"best_step,omitempty"` // with early stopping: the model has the parameters after so many steps; 0: after all
	Choice           string                       `json:"choice,omitempty"`    // with early stopping: which step the model is from and why, in a sentence
	Threshold        *Threshold                   `json:"threshold,omitempty"` // the decision threshold, if the spec asks for one
	TrainLoss        *float64                     `json:"train_loss"`          // loss over the training split with the final parameters; nil if it is undefined
	Metrics          map[Split]map[string]float64 `json:"metrics"`             // by split, then by metric; includes the loss
	Undefined        map[Split]map[string]string  `json:"undefined,omitempty"` // by split, then by metric: why the metric could not be computed, in a sentence
	ParametersSHA256 Digest                       `json:"parameters_sha256"`
	SamplesPerSecond float64                      `json:"samples_per_second"` // rows trained on / Seconds
	Seconds          float64                      `json:"seconds"`            // seconds spent in training steps, without ingest and evaluation
	StepMS           *StepTimes                   `json:"step_ms,omitempty"`  // from one commit to the next, as the job's last coordinator heard of the commits
	Out              string                       `json:"out,omitempty"`      // folder or bucket path of the model
}

// StepTimes is how long steps took, in milliseconds. The quantiles are exact within one
// percent. Mean leaves out the first tenth of the job's steps, in which workers fetch
// data.
type StepTimes struct {
	Mean float64 `json:"mean"`
	P50  float64 `json:"p50"`
	P99  float64 `json:"p99"`
}
