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

// The versions of a manifest.
const (
	ManifestVersion = 1 // for a float table
	FieldsVersion   = 2 // for a dataset with fields
)

// maxBlocks limits the blocks of a split: 1 TiB at the size that ingest aims at.
const maxBlocks = 1 << 20

// maxSplitTerms limits the terms of a split, so that every sum of terms is exact in an
// int64 and in a float64.
const maxSplitTerms = 1 << 53

// Validate checks a manifest that comes from outside. Afterwards, callers can rely on what
// follows from it: orders, shapes, preprocessing, the memory for a block. It fails with
// job.ErrInvalid.
func (m *Manifest) Validate() error {
	check, want := m.validateTable, ManifestVersion
	if len(m.Fields) > 0 {
		check, want = m.validateFields, FieldsVersion
	}
	if m.Version != want {
		return fmt.Errorf("manifest: version %d: want %d: %w", m.Version, want, job.ErrInvalid)
	}
	if err := check(); err != nil {
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
	return m.validateClassRows()
}

// validateClassRows checks the training rows of the classes, if the manifest has them.
func (m *Manifest) validateClassRows() error {
	if m.ClassRows == nil {
		return nil
	}
	left := int64(m.Rows(job.Train))
	for _, n := range m.ClassRows {
		if n < 1 || n > left {
			left = -1
			break
		}
		left -= n
	}
	if len(m.ClassRows) != len(m.Classes) || left != 0 {
		return fmt.Errorf("manifest: class_rows: %d numbers for %d classes, of %d training rows: want one of at least 1 for each class, and all rows in sum: %w",
			len(m.ClassRows), len(m.Classes), m.Rows(job.Train), job.ErrInvalid)
	}
	return nil
}

// validateTable checks the parts that only a float table has.
func (m *Manifest) validateTable() error {
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
	n, labels := len(m.Classes), m.Targets
	if w := m.Weight; w != nil {
		if labels--; labels < 1 || w.Name == "" || !(w.Greatest > 0 && w.Greatest <= job.MaxWeight) {
			return fmt.Errorf("manifest: weight %.80q up to %v, %d targets: want a name, a greatest weight above 0 and up to %v, and 2 targets or more: %w",
				w.Name, w.Greatest, m.Targets, job.MaxWeight, job.ErrInvalid)
		}
	}
	if n > 0 && labels != 1 {
		return fmt.Errorf("manifest: %d classes with %d targets: want them with one: %w", n, labels, job.ErrInvalid)
	}
	if kind := m.Preprocessing.Label.Kind; (n > 0) != (kind == Categorical) {
		return fmt.Errorf("manifest: %d classes of a label of kind %.40q: want classes of a %s label alone: %w", n, string(kind), Categorical, job.ErrInvalid)
	}
	return m.validateClasses()
}

// validateFields checks the fields, and that the parts of a float table are not set.
func (m *Manifest) validateFields() error {
	if err := m.Fields.check(); err != nil {
		return fmt.Errorf("manifest: %w: %w", err, job.ErrInvalid)
	}
	if m.Weight != nil {
		return fmt.Errorf("manifest: weight %.80q beside fields: want none: %w", m.Weight.Name, job.ErrInvalid)
	}
	if m.Features != 0 || m.Targets != 0 || m.Preprocessing != nil {
		return fmt.Errorf("manifest: %d features, %d targets, preprocessing %t beside fields: want none: %w",
			m.Features, m.Targets, m.Preprocessing != nil, job.ErrInvalid)
	}
	targets, integers := 0, 0 // number of targets, and of integer targets
	for i := range m.Fields {
		if f := &m.Fields[i]; f.Target {
			targets++
			if f.DType != Float32 {
				integers++
			}
		}
	}
	if targets == 0 || targets == len(m.Fields) {
		return fmt.Errorf("manifest: fields: %d of %d are targets: want an input and a target: %w", targets, len(m.Fields), job.ErrInvalid)
	}
	if len(m.Classes) > 0 && (targets != 1 || integers != 1) {
		return fmt.Errorf("manifest: %d classes with %d targets, %d of integers: want classes of one %s or %s target alone: %w",
			len(m.Classes), targets, integers, Int32, Uint8, job.ErrInvalid)
	}
	return m.validateClasses()
}

// validateClasses checks the names of classes, if there are any.
func (m *Manifest) validateClasses() error {
	n := len(m.Classes)
	if n == 1 || n > MaxCategories {
		return fmt.Errorf("manifest: %d classes: want 2 to %d: %w", n, MaxCategories, job.ErrInvalid)
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

// validateSplit checks the blocks of a split. The size of each block must fit its number of
// rows.
func (m *Manifest) validateSplit(s job.Split) error {
	if n := len(m.Splits[s]); n > maxBlocks {
		return fmt.Errorf("manifest: splits.%s: %d blocks: want at most %d: %w", s, n, maxBlocks, job.ErrInvalid)
	}
	sizes, rows := m.blockSizes(), 0
	for i, b := range m.Splits[s] {
		if b.Rows < 1 || b.Rows > maxSide-rows {
			return fmt.Errorf("manifest: splits.%s[%d]: %d rows: want 1 to %d rows in all: %w", s, i, b.Rows, maxSide, job.ErrInvalid)
		}
		if !blob.IsDigest(b.Digest) {
			return fmt.Errorf("manifest: splits.%s[%d]: digest %.80q: want 64 hexadecimal digits: %w", s, i, string(b.Digest), job.ErrInvalid)
		}
		least, most := sizes(b.Rows)
		if n := int64(b.Bytes); n < least || n > min(most, blob.MaxBytes) {
			return fmt.Errorf("manifest: splits.%s[%d]: %d bytes for %d rows: want %d to %d, and at most %d: %w",
				s, i, b.Bytes, b.Rows, least, most, int64(blob.MaxBytes), job.ErrInvalid)
		}
		rows += b.Rows
	}
	for i := range m.Fields {
		if f := &m.Fields[i]; int64(rows)*int64(f.MaxTerms()) > maxSplitTerms {
			return fmt.Errorf("manifest: splits.%s: %d rows of up to %d terms of field %q: want at most %d terms: %w",
				s, rows, f.MaxTerms(), f.Name, int64(maxSplitTerms), job.ErrInvalid)
		}
	}
	return nil
}

// blockSizes returns a function that gives the smallest and the largest size, in bytes, of
// a block with a given number of rows.
func (m *Manifest) blockSizes() func(rows int) (least, most int64) {
	if len(m.Fields) == 0 {
		row := 4 * int64(m.Features+m.Targets)
		return func(rows int) (int64, int64) { return int64(rows)*row + 1, int64(rows)*row + wire.Overhead }
	}
	l, head := m.Fields.layout(), len(appendFieldsHead(nil, m.Fields, 0))
	return func(rows int) (int64, int64) {
		n := l.imageBytes(head, rows)
		return n, n
	}
}
