package job

// VerifyState is the state of a verification.
type VerifyState string

// The states of a verification; the last three are final.
const (
	Verifying VerifyState = "running"
	Verified  VerifyState = "verified" // everything that was compared is equal
	Differs   VerifyState = "differs"  // Difference says what differs
	Unknown   VerifyState = "failed"   // the verification could not finish; Error says why
)

// Verification is the result of computing steps of a job, or of a saved model, again.
// Steps count from 0, as in tasks and errors.
type Verification struct {
	ID        ID          `json:"id"`
	Ticket    string      `json:"verification,omitempty"` // its name in NATS requests
	State     VerifyState `json:"state"`
	Committed int64       `json:"committed"`          // number of steps that the job has committed
	Asked     int64       `json:"asked"`              // number of steps to check
	Sample    []int64     `json:"sample,omitempty"`   // the steps that were chosen at random among these
	Computed  int64       `json:"computed"`           // number of steps computed again so far, including intermediate ones
	Compared  int64       `json:"compared"`           // how many of these had a mark to compare with
	Partials  int         `json:"partials,omitempty"` // how many partials of the running step were computed again
	// ParametersSHA256 is the digest of the parameters after the last step. It is empty
	// if the verification did not get that far.
	ParametersSHA256 Digest      `json:"parameters_sha256,omitempty"`
	Difference       *Difference `json:"difference,omitempty"`
	Error            string      `json:"error,omitempty"`
	Notes            []string    `json:"notes,omitempty"` // what could not be compared, in sentences
	Seconds          float64     `json:"seconds"`
}

// Difference is the first thing that differs when it is computed again.
type Difference struct {
	What string `json:"what"` // root, partial, checkpoint, parameters or log
	Step int64  `json:"step"` // of the job, from 0
	// Microbatch is the index of the wrong micro-batch, from 0; nil if that is not known.
	Microbatch *int   `json:"microbatch,omitempty"`
	Node       uint64 `json:"node,omitempty"` // the node of the partial
	// Chunk and Element (the index of a parameter) are the first place that differs.
	// Elements is how many elements differ. They are nil if only a digest is left.
	Chunk      *int   `json:"chunk,omitempty"`
	Element    *int   `json:"element,omitempty"`
	Elements   int    `json:"elements,omitempty"`
	Recorded   string `json:"recorded"`   // a number, or a digest or mark
	Recomputed string `json:"recomputed"` // a number, or a digest or mark
	Wrong      string `json:"wrong"`      // which side is wrong, as far as that can be known
	Message    string `json:"message"`    // the whole difference in a sentence
}

// The sides that can be wrong.
const (
	WrongRecord  = "the record"
	WrongMachine = "this machine"
	WrongUnknown = "unknown"
)
