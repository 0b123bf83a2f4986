package job

import (
	"encoding/json"
	"time"
)

// State is where a job stands in its life.
type State string

// The states. A job moves forward, but for what a person asks for, see
// [Record.Ask]; the last three are final.
const (
	Submitted State = "submitted" // recorded, no coordinator has taken it yet
	Preparing State = "preparing" // its dataset is being read, cleaned and cut into blocks
	Running   State = "running"   // steps are being taken
	Paused    State = "paused"    // on request: nothing is done until it is resumed
	Succeeded State = "succeeded" // its model is in the registry
	Failed    State = "failed"    // Error says why
	Cancelled State = "cancelled" // on request
)

// Final reports whether a job in this state has ended. Only a person can have it
// go on.
func (s State) Final() bool { return s == Succeeded || s == Failed || s == Cancelled }

// Driven reports whether a coordinator works on a job in this state.
func (s State) Driven() bool { return s == Submitted || s == Preparing || s == Running }

// Record is what is known about a job, as kept in the jobs bucket and answered
// by jobs.get. It is the authority for the job's life; the training state
// itself is the ledger's.
type Record struct {
	ID         ID              `json:"id"`
	Run        Run             `json:"run"`
	Name       string          `json:"name"`
	State      State           `json:"state"`
	Message    string          `json:"message,omitempty"` // what it is waiting for, in a sentence
	Error      string          `json:"error,omitempty"`   // why it failed
	Created    time.Time       `json:"created"`
	Started    *time.Time      `json:"started,omitempty"`  // left Submitted
	Finished   *time.Time      `json:"finished,omitempty"` // became final
	SpecDigest Digest          `json:"spec_digest"`
	Spec       json.RawMessage `json:"spec"` // the spec in canonical JSON, defaults filled in
	Plan       Digest          `json:"plan,omitempty"`
	Numerics   Numerics        `json:"numerics,omitempty"` // chosen at the first step
	Steps      int64           `json:"steps,omitempty"`    // how many it will take
	Need       int64           `json:"need,omitempty"`     // bytes of memory in a worker, by the plan; 0: not known
	// Capabilities are the operations that the job's plan needs beyond the base set, the
	// newest last.
	Capabilities []Capability `json:"capabilities,omitempty"`
	Outcome      *Outcome     `json:"outcome,omitempty"`
	Released     bool         `json:"released,omitempty"` // final, and its training state is deleted
	// Owner is the coordinator that took the job last, Term the number of its
	// lease. A change by the holder of another term is refused.
	Owner string `json:"owner,omitempty"`
	Term  uint64 `json:"term,omitempty"`
	// Priority weighs the job's share of the fleet's slots, 0 standing for
	// DefaultPriority; MaxSlots bounds it, 0 does not.
	Priority int `json:"priority,omitempty"`
	MaxSlots int `json:"max_slots,omitempty"`
	Resumed  int `json:"resumed,omitempty"` // how often it went on after it had failed or was cancelled
	// LedgerNeed is the memory, in bytes, that the job needs in the ledger's store at
	// least, as package ledger works it out; 0 while there is no plan.
	LedgerNeed int64 `json:"ledger_need,omitempty"`
	// Checkpoints are what the training state can be restored from, newest first.
	Checkpoints []Checkpoint `json:"checkpoints,omitempty"`
	Removing    bool         `json:"removing,omitempty"` // final, and all that is kept of it is being deleted
}

// Ref names the record's incarnation of its job.
func (r *Record) Ref() Ref { return Ref{Job: r.ID, Run: r.Run} }

// Class is the class of the job's tasks.
func (r *Record) Class() Class { return ClassFor(r.Capabilities, r.Need) }

// Outcome is what a succeeded job reports; it is also the line `train` prints.
type Outcome struct {
	Job              ID                           `json:"job"`
	Steps            int64                        `json:"steps"`
	TrainLoss        *float64                     `json:"train_loss"`          // loss over the training split at the final parameters; nil where it is undefined
	Metrics          map[Split]map[string]float64 `json:"metrics"`             // by split, then by metric; loss among them
	Undefined        map[Split]map[string]string  `json:"undefined,omitempty"` // as Metrics, a sentence for each metric that could not be computed
	ParametersSHA256 Digest                       `json:"parameters_sha256"`
	SamplesPerSecond float64                      `json:"samples_per_second"` // rows trained on / Seconds
	Seconds          float64                      `json:"seconds"`            // in training steps, without ingest and evaluation
	StepMS           *StepTimes                   `json:"step_ms,omitempty"`  // from one commit to the next, as the job's last coordinator heard of them
	Out              string                       `json:"out,omitempty"`      // folder or bucket path of the model
}

// StepTimes is what steps took, in milliseconds: quantiles within one percent, and
// the mean without the first tenth of the job's steps, in which workers fetch data.
type StepTimes struct {
	Mean float64 `json:"mean"`
	P50  float64 `json:"p50"`
	P99  float64 `json:"p99"`
}
