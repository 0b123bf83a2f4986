// Package dataset describes a dataset after ingest: a manifest of content-addressed blocks
// per split, the fitted preprocessing, and the order in which an epoch visits the rows.
//
// A row is one sample: it has a value for every [Field]. A float table has the two fields x
// and y; the manifest lists the fields of other datasets. A [Block] holds rows, and a
// [Tensor] is one field of these rows. If fields are windows over a sequence, each window
// is a row.
//
// It owns the manifest, the schema, the block formats, the block cache, the preprocessing
// of raw rows, the reading of raw rows for prediction, and the epoch order. It does not
// read training files or make the splits (coordinator/ingest), and it does not compute from
// rows (package gradient).
//
// Invariant: the manifest's digest fixes every row of every split, and (seed, epoch) fixes
// their order. Neither depends on the workers.
package dataset

import (
	"slices"

	"tributary/shared/job"
)

// Manifest describes an ingested dataset. Its JSON bytes are content-addressed.
type Manifest struct {
	Version       int                      `json:"version"`
	Features      int                      `json:"features"`          // columns of X after the transform
	Targets       int                      `json:"targets"`           // columns of Y: 1 for classes (the class index), else the outputs; one more for Weight
	Fields        Schema                   `json:"fields,omitempty"`  // of a dataset that is not a float table
	Classes       []string                 `json:"classes,omitempty"` // class labels, sorted; the target holds indices into them
	Splits        map[job.Split][]BlockRef `json:"splits"`            // every split in use; train is always there
	Preprocessing *Preprocessing           `json:"preprocessing"`     // of a float table
	// Weight is set if the last column of Y is the weight of the row, in a float table.
	Weight *Weight `json:"weight,omitempty"`
	// ClassRows are the training rows of each class. They are set for a job whose class
	// weights follow from them.
	ClassRows []int64 `json:"class_rows,omitempty"`

	// Profile describes the training rows. It is no part of the manifest's bytes, so that it
	// changes no plan; nil if it is not known.
	Profile *Profile `json:"-"`
}

// Weight describes the weights of rows. They are at least 0.
type Weight struct {
	Name     string  `json:"name"`     // of the column
	Greatest float64 `json:"greatest"` // of all rows of all splits
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

// Preprocessing turns raw rows into features, in training and when the model predicts. It
// is fitted on the training split only.
type Preprocessing struct {
	Columns []Column `json:"columns"` // the raw input columns, in order, without the label
	Label   Column   `json:"label"`
	// Labels are the further columns of a label of several columns of numbers.
	Labels []Column `json:"labels,omitempty"`
	// Others names the columns of the training rows that are neither features nor labels: the
	// weight. A row to predict on may have them, and the labels.
	Others []string `json:"others,omitempty"`
	// CSV has the options with which a CSV file was read for training. A CSV file for
	// prediction is read in the same way. The words for missing values, and whether blanks
	// are trimmed, hold for JSON strings too.
	CSV *job.CSVOptions `json:"csv,omitempty"`
}

// LabelOf returns the column of the label that an output stands for. A label without several
// columns has one description for all outputs.
func (p *Preprocessing) LabelOf(output int) *Column {
	if i := output - 1; i >= 0 && i < len(p.Labels) {
		return &p.Labels[i]
	}
	return &p.Label
}

// LabelNames returns the names of the label's columns.
func (p *Preprocessing) LabelNames() []string {
	names := []string{p.Label.Name}
	for i := range p.Labels {
		names = append(names, p.Labels[i].Name)
	}
	return names
}

// beside reports whether a row may have a column of this name, which is no feature.
func (p *Preprocessing) beside(name string) bool {
	return name == p.Label.Name || slices.Contains(p.Others, name) ||
		slices.ContainsFunc(p.Labels, func(c Column) bool { return c.Name == name })
}

// Column describes one raw column and how it becomes features.
type Column struct {
	Name string `json:"name"`
	// Kind is numeric or categorical.
	Kind ColumnKind `json:"kind"`
	// Fill replaces a missing numeric value. If it is nil, rows with a missing value are
	// refused.
	Fill *float64 `json:"fill,omitempty"`
	// FillCategory replaces a missing category. If it is nil, rows with a missing value are
	// refused.
	FillCategory *string `json:"fill_category,omitempty"`
	// Shift and Scale map a numeric value x to (x-Shift)/Scale. This is computed in
	// float64, then rounded to float32.
	Shift float64 `json:"shift"`
	Scale float64 `json:"scale"`
	// Thousands is set for a numeric column whose cells may separate thousands by commas:
	// 1,000.
	Thousands bool `json:"thousands,omitempty"`
	// Form says how cells are read, if not as plain numbers or categories. Columns that are
	// the parts of one date have the same raw column, which Form.Of names.
	Form *Form `json:"form,omitempty"`
	// Categories are one-hot encoded in this (sorted) order. A category that the training
	// split does not have becomes all zeros.
	Categories []string `json:"categories,omitempty"`
	// Embed is the number of units of the vector that stands for a category. The column then
	// becomes one feature: the number of the category among those of all such columns, or −1
	// for a category that the training split does not have. 0 means one-hot encoding.
	Embed int `json:"embed,omitempty"`
	// Hash is the number of buckets of a hashed column, which has no Categories: HashText and
	// Bucket give the category of a text. 0 means a column that is not hashed.
	Hash int `json:"hash,omitempty"`
}

// ColumnKind says whether a column has numbers or text.
type ColumnKind string

// The kinds of column.
const (
	Numeric     ColumnKind = "numeric"
	Categorical ColumnKind = "categorical"
)

// Width returns the number of features that the column becomes.
func (c *Column) Width() int {
	if c.Kind == Categorical && c.Embed == 0 {
		return c.Size()
	}
	return 1
}
