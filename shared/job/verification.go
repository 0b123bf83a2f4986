package job

// VerifyState is how a verification stands.
type VerifyState string

// The states of a verification; the last three are final.
const (
	Verifying VerifyState = "running"
	Verified  VerifyState = "verified" // everything that was compared is the same
	Differs   VerifyState = "differs"  // Difference says what is not
	Unknown   VerifyState = "failed"   // it could not be found out; Error says why
)

// Verification is what came of computing steps of a job or of a saved model again.
// Steps are counted from 0, as in tasks and errors.
type Verification struct {
	ID        ID          `json:"id"`
	Ticket    string      `json:"verification,omitempty"` // its name, over NATS
	State     VerifyState `json:"state"`
	Committed int64       `json:"committed"`          // steps that the job has committed
	Asked     int64       `json:"asked"`              // steps that were asked for
	Sample    []int64     `json:"sample,omitempty"`   // those of them that chance has chosen
	Computed  int64       `json:"computed"`           // steps computed again so far, those on the way included
	Compared  int64       `json:"compared"`           // of these, the ones that a mark was there to compare with
	Partials  int         `json:"partials,omitempty"` // of the running step, likewise
	// ParametersSHA256 is of the parameters after the last step, when the
	// verification came that far.
	ParametersSHA256 Digest      `json:"parameters_sha256,omitempty"`
	Difference       *Difference `json:"difference,omitempty"`
	Error            string      `json:"error,omitempty"`
	Notes            []string    `json:"notes,omitempty"` // what could not be compared, in sentences
	Seconds          float64     `json:"seconds"`
}

// Difference is the first thing found that is not as it is when computed again.
type Difference struct {
	What string `json:"what"` // root, partial, checkpoint, parameters or log
	Step int64  `json:"step"` // of the job, from 0
	// Microbatch is the one that is wrong, from 0; nil when that cannot be told.
	Microbatch *int   `json:"microbatch,omitempty"`
	Node       uint64 `json:"node,omitempty"` // of the partial
	// Chunk and Element (a parameter's number) are the first place that differs, Elements how
	// many do; nil when only a digest is left.
	Chunk      *int   `json:"chunk,omitempty"`
	Element    *int   `json:"element,omitempty"`
	Elements   int    `json:"elements,omitempty"`
	Recorded   string `json:"recorded"`   // a number, or a digest or mark
	Recomputed string `json:"recomputed"` // likewise
	Wrong      string `json:"wrong"`      // which side, as far as can be known
	Message    string `json:"message"`    // all of it in a sentence
}

// The sides that can be wrong.
const (
	WrongRecord  = "the record"
	WrongMachine = "this machine"
	WrongUnknown = "unknown"
)
