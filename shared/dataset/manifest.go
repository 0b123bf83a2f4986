package dataset

import (
	"fmt"

	"tributary/shared/job"
)

// Validate checks a manifest that was read from outside, so that what follows
// from it (orders, shapes, preprocessing) can rely on it.
func (m *Manifest) Validate() error {
	if m.Preprocessing == nil {
		return fmt.Errorf("manifest: no preprocessing: %w", job.ErrInvalid)
	}
	if err := m.Preprocessing.Validate(); err != nil {
		return fmt.Errorf("manifest: preprocessing: %w", err)
	}
	if n := m.Preprocessing.Features(); m.Features != n || m.Targets < 1 || m.Targets > MaxFeatures {
		return fmt.Errorf("manifest: %d features, %d targets: want %d features and 1 to %d targets: %w",
			m.Features, m.Targets, n, MaxFeatures, job.ErrInvalid)
	}
	if n := len(m.Classes); n == 1 || n > MaxCategories || n > 0 && m.Targets != 1 {
		return fmt.Errorf("manifest: %d classes with %d targets: want 2 to %d with one: %w", n, m.Targets, MaxCategories, job.ErrInvalid)
	}
	if m.Rows(job.Train) == 0 {
		return fmt.Errorf("manifest: splits.train: want rows: %w", job.ErrInvalid)
	}
	for _, s := range job.Splits {
		rows := 0
		for i, b := range m.Splits[s] {
			if b.Rows < 1 || b.Rows > maxSide-rows || b.Bytes < 1 {
				return fmt.Errorf("manifest: splits.%s[%d]: %d rows, %d bytes: want 1 to %d rows in all: %w", s, i, b.Rows, b.Bytes, maxSide, job.ErrInvalid)
			}
			rows += b.Rows
		}
	}
	return nil
}
