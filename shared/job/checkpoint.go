package job

import (
	"cmp"
	"slices"
	"time"
)

// Checkpointing says when the whole training state is written to the blob store. A job
// goes on from such a checkpoint when the ledger is lost. One is always made at the end.
type Checkpointing struct {
	EverySteps   int64 `json:"every_steps,omitempty" jsonschema:"minimum=1,maximum=1000000000" jsonschema_description:"steps between two checkpoints"`
	EverySeconds int64 `json:"every_seconds,omitempty" jsonschema:"minimum=1,maximum=1000000000" jsonschema_description:"seconds between two checkpoints; default 60, unless every_steps is given"`
	Keep         int   `json:"keep,omitempty" jsonschema:"minimum=1,maximum=1000" jsonschema_description:"how many of a job's newest checkpoints are kept; default 3"`
	Final        *bool `json:"final,omitempty" jsonschema_description:"keep the training state after the last step (parameters and optimizer), so that the finished job can be given more epochs; it takes as much room as the model for the parameters, and again for each vector of the optimizer (adam has two); default true"`
}

// Defaults of Checkpointing. They are not written into a spec that does not mention
// checkpoints: the digests of such specs are older than checkpoints.
const (
	DefaultCheckpointSeconds = 60
	DefaultCheckpoints       = 3
)

// Checkpoints returns the spec's checkpointing with the defaults filled in.
func (s *Spec) Checkpoints() Checkpointing {
	c := s.Checkpoint
	if c.EverySteps == 0 {
		c.EverySeconds = cmp.Or(c.EverySeconds, DefaultCheckpointSeconds)
	}
	c.Keep = cmp.Or(c.Keep, DefaultCheckpoints)
	return c
}

// Checkpoint is a recorded checkpoint. Files in the blob store are a checkpoint only if
// the job's record lists them.
type Checkpoint struct {
	Step   int64     `json:"step"`   // steps folded into it
	Digest Digest    `json:"digest"` // digest of its manifest, a blob
	Bytes  int64     `json:"bytes"`  // size of all its blobs
	Time   time.Time `json:"time"`   // when it was recorded
}

// WithCheckpoint adds c to a record's checkpoints. It returns the newest keep of them,
// the newest first, and those that are dropped. It does not change list.
func WithCheckpoint(list []Checkpoint, c Checkpoint, keep int) (kept, dropped []Checkpoint) {
	kept = slices.Clone(list)
	if !slices.ContainsFunc(kept, func(o Checkpoint) bool { return o.Digest == c.Digest }) {
		kept = append(kept, c)
	}
	slices.SortStableFunc(kept, func(a, b Checkpoint) int { return cmp.Compare(b.Step, a.Step) })
	n := min(keep, len(kept))
	return kept[:n:n], kept[n:]
}

// WithoutCheckpoint returns list without the checkpoint with that digest. It does not
// change list.
func WithoutCheckpoint(list []Checkpoint, digest Digest) []Checkpoint {
	return slices.DeleteFunc(slices.Clone(list), func(c Checkpoint) bool { return c.Digest == digest })
}
