// Package dataset is what a dataset is once it has been ingested: a manifest
// of content-addressed blocks per split, the fitted preprocessing, and the
// order in which an epoch visits the rows.
//
// A row is one sample: it has a value of every [Field]. A float table has the two fields
// x and y; other datasets list theirs in the manifest. A [Block] holds rows, and a [Tensor]
// is one field of them. Where fields are windows over a sequence, each window is a row.
//
// It owns the manifest, the schema, the block formats, the block cache, preprocessing of
// raw rows and the epoch order. Reading files and cutting splits is
// coordinator/ingest's; what is computed from rows is package gradient's.
//
// Invariant: the manifest's digest fixes every row of every split, and (seed,
// epoch) fixes their order; nothing about the fleet enters either.
package dataset

import (
	"tributary/shared/job"
)

// Manifest describes an ingested dataset. Its JSON bytes are content-addressed.
type Manifest struct {
	Version       int                      `json:"version"`
	Features      int                      `json:"features"`          // columns of X after the transform
	Targets       int                      `json:"targets"`           // columns of Y: 1 for classes (the class index), else the outputs
	Fields        Schema                   `json:"fields,omitempty"`  // of a dataset that is no float table
	Classes       []string                 `json:"classes,omitempty"` // class labels, sorted; the target holds indices into them
	Splits        map[job.Split][]BlockRef `json:"splits"`            // every split in use; train always
	Preprocessing *Preprocessing           `json:"preprocessing"`     // of a float table
}

// Schema returns the fields of the dataset's rows.
func (m *Manifest) Schema() Schema {
	if len(m.Fields) > 0 {
		return m.Fields
	}
	return Table(m.Features, m.Targets)
}

// BlockRef names one block.
type BlockRef struct {
	Digest job.Digest `json:"digest"`
	Rows   int        `json:"rows"`
	Bytes  int        `json:"bytes"`
}

// Rows returns the number of rows of a split.
func (m *Manifest) Rows(s job.Split) int {
	n := 0
	for _, b := range m.Splits[s] {
		n += b.Rows
	}
	return n
}

// Preprocessing is fitted on the training split alone and turns raw rows into
// features, in training and when the model predicts.
type Preprocessing struct {
	Columns []Column `json:"columns"` // the raw input columns, in order, without the label
	Label   Column   `json:"label"`
}

// Column is one raw column and how it becomes features.
type Column struct {
	Name string `json:"name"`
	// Kind is numeric or categorical.
	Kind ColumnKind `json:"kind"`
	// Fill replaces a missing numeric value; nil when rows with missing values are refused.
	Fill *float64 `json:"fill,omitempty"`
	// FillCategory replaces a missing category; nil as with Fill.
	FillCategory *string `json:"fill_category,omitempty"`
	// Shift and Scale map a numeric value x to (x-Shift)/Scale, in float64, then rounded to float32.
	Shift float64 `json:"shift"`
	Scale float64 `json:"scale"`
	// Thousands marks a numeric column whose cells may separate thousands by commas: 1,000.
	Thousands bool `json:"thousands,omitempty"`
	// Categories are one-hot encoded in this (sorted) order; a category that
	// the training split did not have becomes all zeros.
	Categories []string `json:"categories,omitempty"`
}

// ColumnKind tells numbers from text.
type ColumnKind string

// The kinds of column.
const (
	Numeric     ColumnKind = "numeric"
	Categorical ColumnKind = "categorical"
)

// Width is how many features the column becomes.
func (c Column) Width() int {
	if c.Kind == Categorical {
		return len(c.Categories)
	}
	return 1
}
