package run

import "tributary/shared/job"

// Slots returns a job's share of the fleet, 0 if the job is not open here.
func (s *Service) Slots(id job.ID) int {
	s.mu.Lock()
	ref, n := job.Ref{}, job.Numerics("")
	for r, record := range s.open {
		if r.Job == id {
			ref, n = r, record.Numerics
		}
	}
	s.mu.Unlock()
	if ref.Job == "" {
		return 0
	}
	return s.slotShare(ref, n).Slots
}
