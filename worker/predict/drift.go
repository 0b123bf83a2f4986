package predict

import (
	"tributary/shared/job"
	"tributary/shared/registry"
)

// Drift hears how the rows of requests compare with the training rows of their models.
type Drift interface {
	// Rows adds rows of a model, with the unseen categories and the numbers outside the range
	// of training among their values.
	Rows(model job.ID, rows, unseen, outside int64)
	// PSI is the largest population stability index of a column, over all rows since the
	// model was read.
	PSI(model job.ID, largest float64)
	// Gone means that the process has dropped the model.
	Gone(model job.ID)
}

// psiEvery is the number of rows after which the index of a model is computed again.
const psiEvery = 256

// counted returns the model with a counter of the rows of this process.
func counted(m *registry.Model) *registry.Model {
	if m.Training == nil {
		return m
	}
	return m.Watching(m.Training.NewCounter())
}

// observe reports the rows that the model has had since the last call.
func (s *Service) observe(m *registry.Model) {
	counters := m.Counters()
	if s.cfg.Drift == nil || len(counters) == 0 {
		return
	}
	of := counters[0]
	total, rows, unseen, outside := of.Take()
	if rows == 0 {
		return
	}
	s.cfg.Drift.Rows(m.Card.ID, rows, unseen, outside)
	if total/psiEvery != (total-rows)/psiEvery {
		if psi, ok := of.Report().Largest(); ok {
			s.cfg.Drift.PSI(m.Card.ID, psi)
		}
	}
}
