package ledger

// What is kept beside the units of evaluations, as units of steps that no job
// reaches.
const (
	// Concluded: the results of whole evaluations, for the report and for whoever
	// takes the job over; <steps>/<split> → JSON.
	Concluded = int64(1) << 62
	// Earlier: the losses of the steps before the snapshot from which a lost ledger
	// began again; <from>-<to> → 16 bytes for each step. Package checkpoint reads
	// and writes them.
	Earlier = Concluded + 1
	// Drafts: checkpoints that were begun and are not in the job's record, so that
	// none is left behind; <step>/<digest> → manifest.
	Drafts = Concluded + 2
	// History: the marks of committed steps, so that they can be verified when the
	// log is gone; <from>-<to> → 8 bytes for each step. Package history reads and
	// writes them.
	History = Concluded + 3
)
