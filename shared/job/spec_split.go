package job

import (
	"math"
	"slices"
)

// SplitSpec splits the rows. The fractions of the splits in use sum to 1. The zero value
// uses every row for training. Every split is a pure function of the spec and the rows.
type SplitSpec struct {
	Train      float64 `json:"train" jsonschema:"minimum=0,maximum=1" jsonschema_description:"fraction of the rows; the three sum to 1"`
	Validation float64 `json:"validation,omitempty" jsonschema:"minimum=0,maximum=1" jsonschema_description:"fraction evaluated during training"`
	Test       float64 `json:"test,omitempty" jsonschema:"minimum=0,maximum=1" jsonschema_description:"fraction evaluated at the end"`
	Stratify   bool    `json:"stratify,omitempty" jsonschema:"default=false" jsonschema_description:"keep each class's share in every split, and a training row of each class; the splits' sizes stay the same"`

	// Fields that specs without them do not have, so that these keep their digests.
	Group   string `json:"group,omitempty" jsonschema:"minLength=1,maxLength=1024" jsonschema_description:"the name of a column: all rows with the same value are in the same split (scikit-learn's GroupShuffleSplit, with k_folds GroupKFold); the column is a feature only if data.columns has it"`
	Time    string `json:"time,omitempty" jsonschema:"minLength=1,maxLength=1024" jsonschema_description:"the name of a column of numbers or dates: the latest rows are the test split, those before them the validation split; rows of the same time are in the same split (with k_folds scikit-learn's TimeSeriesSplit); the column is a feature only if data.columns has it"`
	Shuffle *bool  `json:"shuffle,omitempty" jsonschema_description:"default true; false: the rows are not shuffled before they are split: the first ones train, the last ones test (scikit-learn's train_test_split and KFold with shuffle=False)"`
	KFolds  int    `json:"k_folds,omitempty" jsonschema:"minimum=2,maximum=100" jsonschema_description:"cross-validation: the rows that are not for testing are cut into so many folds, and fold number fold is the validation split; instead of train and validation. coordinator train, or a sweep with search folds, trains a job for each fold"`
	Fold    int    `json:"fold,omitempty" jsonschema:"minimum=1,maximum=100" jsonschema_description:"k_folds: the fold that validates, from 1 to k_folds; without it, coordinator train trains all of them"`
}

// MaxFolds is the largest number of folds.
const MaxFolds = 100

// InOrder reports whether the rows are split in the order of the file.
func (s *SplitSpec) InOrder() bool { return s.Shuffle != nil && !*s.Shuffle }

// Extended reports whether the split is any other than a random one by fractions.
func (s *SplitSpec) Extended() bool {
	return s.Group != "" || s.Time != "" || s.InOrder() || s.KFolds > 0
}

// Validates reports whether the data has a validation split.
func (d *Data) Validates() bool {
	return d.Validation != "" || d.Split.Validation > 0 || d.Split.KFolds > 0
}

// CheckFold fails with a [Fault] if the spec stands for several jobs, one for each fold.
func (s *SplitSpec) CheckFold() error {
	if s.KFolds == 0 || s.Fold > 0 {
		return nil
	}
	var fs faults
	fs.at("data.split.fold", "missing: want 1 to %d, as a job is for one fold (coordinator train, or a sweep with search folds, trains a job for each)", s.KFolds)
	return fs.join()
}

func (s *SplitSpec) fill() {
	if s.Shuffle != nil && *s.Shuffle {
		s.Shuffle = nil // older specs have no such field: the digest stays the same
	}
	if s.KFolds == 0 && s.Train == 0 && s.Validation == 0 && s.Test == 0 {
		s.Train = 1
	}
}

// validateSplit checks how the rows of the source are split, beside given sources.
func (d *Data) validateSplit(fs *faults, loss Loss) {
	s := &d.Split
	s.validateFractions(fs)
	if d.Test != "" && s.Test != 0 {
		fs.at("data.split.test", "%v: data.test is given as well, want one of them", s.Test)
	}
	if d.Validation != "" && s.Validation != 0 {
		fs.at("data.split.validation", "%v: data.validation is given as well, want one of them", s.Validation)
	}
	if d.Validation != "" && s.KFolds != 0 {
		fs.at("data.split.k_folds", "%d: data.validation is given as well, want one of them", s.KFolds)
	}
	if s.Stratify && !loss.Classifies() {
		fs.at("data.split.stratify", "true: want a loss on classes, not %s", loss)
	}
	ways := 0
	for _, given := range []bool{s.Group != "", s.Time != "", s.InOrder(), s.Stratify} {
		if given {
			ways++
		}
	}
	if ways > 1 {
		fs.at("data.split", "%d ways to split: want at most one of group, time, shuffle: false and stratify", ways)
	}
	d.validateApart(fs, "group", s.Group)
	d.validateApart(fs, "time", s.Time)
	d.validateSources(fs)
}

// validateFractions checks the sizes of the splits.
func (s *SplitSpec) validateFractions(fs *faults) {
	if s.KFolds == 0 {
		if sum := s.Train + s.Validation + s.Test; !(math.Abs(sum-1) <= 1e-9) {
			fs.at("data.split.train", "%v: the fractions sum to %s, want 1", s.Train, number(sum))
		} else if s.Train <= 0 {
			fs.at("data.split.train", "%v: want more than 0", s.Train)
		}
		if s.Fold != 0 {
			fs.at("data.split.fold", "%d: want it only with k_folds", s.Fold)
		}
		return
	}
	if s.Train != 0 {
		fs.at("data.split.train", "%v: with k_folds want it left out: the folds say it", s.Train)
	}
	if s.Validation != 0 {
		fs.at("data.split.validation", "%v: with k_folds want it left out: the folds say it", s.Validation)
	}
	if !(s.Test >= 0 && s.Test < 1) {
		fs.at("data.split.test", "%v: with k_folds want at least 0 and below 1", s.Test)
	}
	if s.Fold > s.KFolds {
		fs.at("data.split.fold", "%d: want 1 to %d", s.Fold, s.KFolds)
	}
}

// validateApart checks a column by which the rows are split.
func (d *Data) validateApart(fs *faults, field, column string) {
	path := "data.split." + field
	switch {
	case column == "":
	case !d.named():
		fs.at(path, "%.80q: only for %s", column, formatsOf(namedFormats))
	case slices.Contains(d.Label, column):
		fs.at(path, "%.80q: this is the label", column)
	case column == d.Weight:
		fs.at(path, "%.80q: this is the weight", column)
	case slices.Contains(d.Drop, column):
		fs.at("data.drop", "%.80q: this is the column of data.split.%s, which is no feature anyway", column, field)
	case d.Columns[column].Type == DropColumn:
		fs.at("data.columns", "%.80q: drop: this is the column of data.split.%s, which is no feature unless data.columns has it: want it left out here", column, field)
	}
}

// validateSources checks the given validation source, and that no file is in two splits.
func (d *Data) validateSources(fs *faults) {
	if d.ValidationLabels != "" && d.Validation == "" {
		fs.at("data.validation_labels", "%.80q: want data.validation, whose labels they are", d.ValidationLabels)
	}
	// One database, or one archive of arrays, may have the rows of several splits.
	apart := d.Format == NumPy
	for _, s := range []struct{ field, name, query, other, otherName, otherQuery string }{
		{"data.validation", d.Validation, d.ValidationQuery, "data.source", d.Source, d.Query},
		{"data.test", d.Test, d.TestQuery, "data.validation", d.Validation, d.ValidationQuery},
	} {
		if s.name != "" && !apart && s.name == s.otherName && s.query == s.otherQuery {
			fs.at(s.field, "%.80q: this is %s as well: a figure of rows that were trained on, or chosen by, says nothing", s.name, s.other)
		}
	}
}

// Source is a field of a spec that names data.
type Source struct {
	Field string
	Name  *string // "" if the spec does not have the field
}

// Sources lists the fields that name data, in the order of the schema.
func (d *Data) Sources() []Source {
	return []Source{
		{"data.source", &d.Source},
		{"data.labels", &d.Labels},
		{"data.test", &d.Test},
		{"data.test_labels", &d.TestLabels},
		{"data.validation", &d.Validation},
		{"data.validation_labels", &d.ValidationLabels},
	}
}
