package dataset

import (
	"fmt"
	"maps"
	"slices"
	"unicode/utf8"

	"tributary/shared/blob"
	"tributary/shared/job"
	"tributary/shared/wire"
)

// ManifestVersion is the version of a manifest.
const ManifestVersion = 1

// maxBlocks bounds the blocks of a split: 1 TiB of the size that ingest aims at.
const maxBlocks = 1 << 20

// Validate checks a manifest that was read from outside, so that what follows
// from it (orders, shapes, preprocessing, the memory for a block) can rely on it.
func (m *Manifest) Validate() error {
	if m.Version != ManifestVersion {
		return fmt.Errorf("manifest: version %d: want %d: %w", m.Version, ManifestVersion, job.ErrInvalid)
	}
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
	if err := m.validateClasses(); err != nil {
		return err
	}
	for _, s := range slices.Sorted(maps.Keys(m.Splits)) {
		if !slices.Contains(job.Splits[:], s) {
			return fmt.Errorf("manifest: splits.%.40s: want one of %v: %w", s, job.Splits, job.ErrInvalid)
		}
	}
	for _, s := range job.Splits {
		if err := m.validateSplit(s); err != nil {
			return err
		}
	}
	if m.Rows(job.Train) == 0 {
		return fmt.Errorf("manifest: splits.train: want rows: %w", job.ErrInvalid)
	}
	return nil
}

// validateClasses checks that there are classes where the label is one.
func (m *Manifest) validateClasses() error {
	n := len(m.Classes)
	if n == 1 || n > MaxCategories || n > 0 && m.Targets != 1 {
		return fmt.Errorf("manifest: %d classes with %d targets: want 2 to %d with one: %w", n, m.Targets, MaxCategories, job.ErrInvalid)
	}
	if kind := m.Preprocessing.Label.Kind; (n > 0) != (kind == Categorical) {
		return fmt.Errorf("manifest: %d classes of a label of kind %.40q: want classes of a %s label alone: %w", n, string(kind), Categorical, job.ErrInvalid)
	}
	seen := make(map[string]bool, n)
	for i, c := range m.Classes {
		if len(c) > MaxCategoryBytes || !utf8.ValidString(c) || seen[c] {
			return fmt.Errorf("manifest: classes[%d]: %.40q: want each once, of at most %d bytes of UTF-8: %w", i, c, MaxCategoryBytes, job.ErrInvalid)
		}
		seen[c] = true
	}
	return nil
}

// validateSplit checks the blocks of a split: each has the bytes that its rows take.
func (m *Manifest) validateSplit(s job.Split) error {
	if n := len(m.Splits[s]); n > maxBlocks {
		return fmt.Errorf("manifest: splits.%s: %d blocks: want at most %d: %w", s, n, maxBlocks, job.ErrInvalid)
	}
	rows := 0
	for i, b := range m.Splits[s] {
		if b.Rows < 1 || b.Rows > maxSide-rows {
			return fmt.Errorf("manifest: splits.%s[%d]: %d rows: want 1 to %d rows in all: %w", s, i, b.Rows, maxSide, job.ErrInvalid)
		}
		if !blob.IsDigest(b.Digest) {
			return fmt.Errorf("manifest: splits.%s[%d]: digest %.80q: want 64 hexadecimal digits: %w", s, i, string(b.Digest), job.ErrInvalid)
		}
		floats := 4 * int64(b.Rows) * int64(m.Features+m.Targets)
		if n := int64(b.Bytes); n <= floats || n > floats+wire.Overhead || n > blob.MaxBytes {
			return fmt.Errorf("manifest: splits.%s[%d]: %d bytes for %d rows of %d features and targets: want %d and a little more, at most %d: %w",
				s, i, b.Bytes, b.Rows, m.Features+m.Targets, floats, int64(blob.MaxBytes), job.ErrInvalid)
		}
		rows += b.Rows
	}
	return nil
}
