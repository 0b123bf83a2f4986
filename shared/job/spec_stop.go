package job

import "time"

// Stop ends a job before its last step, by a condition that is not in the data. The job ends
// at a step, evaluates every split, and has its model, as a job that stops early. Its record
// and its model's card say after which step it ended, so that the result can be verified.
type Stop struct {
	AfterSeconds int64 `json:"after_seconds" jsonschema:"required,minimum=1,maximum=1000000000" jsonschema_description:"wall time since the job was started, with preparation, pauses and restarts of coordinators; the job takes at least one step"`
}

// After returns the wall time after which a job ends; 0 if it has no such time.
func (s *Stop) After() time.Duration {
	if s == nil {
		return 0
	}
	return time.Duration(s.AfterSeconds) * time.Second
}
