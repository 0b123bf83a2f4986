package job

// Continuation says that a job goes on from the training state of a finished job. It changes
// no parameter: a job with it and one without it have the same bits after each step, and the
// finished job's steps can be computed and verified again under the new job. It only names the
// plan from which the hash chain of the update log starts. Programs write it when a job is
// given more epochs.
type Continuation struct {
	Job   ID     `json:"job" jsonschema:"required,pattern=^[a-z0-9]([a-z0-9_-]{0\\,62}[a-z0-9])?$" jsonschema_description:"the finished job"`
	Plan  Digest `json:"plan" jsonschema:"required,pattern=^[0-9a-f]{64}$" jsonschema_description:"the plan of the first job of the sequence, from which the log's hash chain starts"`
	Steps int64  `json:"steps" jsonschema:"required,minimum=1,maximum=10485760" jsonschema_description:"steps of the finished job, which are not computed again"`
}

// DependsOnLength returns the field of the schedule by which the learning rate depends on the
// number of steps of the whole job; "" if it does not.
func (s *Schedule) DependsOnLength() string {
	switch {
	case s.OneCycle != nil:
		return "schedule.one_cycle"
	case s.Linear != nil && s.Linear.Steps == 0:
		return "schedule.linear"
	case s.Cosine != nil && s.Cosine.Steps == 0:
		return "schedule.cosine"
	default:
		return ""
	}
}

// KeepsFinal reports whether the training state after the last step is kept.
func (c Checkpointing) KeepsFinal() bool { return c.Final == nil || *c.Final }
