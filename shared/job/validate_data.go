package job

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

func (d *Data) validate(fs *faults, loss Loss) {
	d.validateSource(fs)
	d.validateFormat(fs)
	d.validatePlaces(fs)
	d.validateClean(fs)
	if n := len(d.Label); n > 1 && loss.Classifies() {
		fs.at("data.label", "%d columns: with loss %s the label is a class, want 1 column", n, loss)
	}
	d.validateCSV(fs)
	d.Transform.validate(fs, loss)
	d.validateSplit(fs, loss)
}

func (d *Data) validateSource(fs *faults) {
	switch {
	case d.Source == "" && d.Inline == nil:
		fs.at("data", "missing: want source or inline")
	case d.Source != "" && d.Inline != nil:
		fs.at("data.inline", "source is given as well, want one of them")
	case IsDataset(d.Source) && d.Format == "": // the submission fills it in
	case d.Inline == nil && d.Format == "":
		fs.at("data.format", "missing: the file name %.80q does not show the format, want one of %s", showSource(d.Source), commas(d.Format.Allowed()))
	}
	if d.TestLabels != "" && d.Test == "" {
		fs.at("data.test_labels", "%.80q: want data.test, whose labels they are", d.TestLabels)
	}
}

// namedFormats are the formats with named columns.
var namedFormats = []Format{CSV, JSONL, Parquet, Arrow, SQL, LIBSVM}

// formatsOf lists formats for a message.
func formatsOf(formats []Format) string {
	words := list(formats...)
	return "format " + commas(words[:len(words)-1]) + " or " + words[len(words)-1]
}

// named reports whether the rows come from a source of named columns.
func (d *Data) named() bool { return d.Inline == nil && slices.Contains(namedFormats, d.Format) }

// validateFormat checks the fields that only one format has.
func (d *Data) validateFormat(fs *faults) {
	if d.Inline != nil {
		if d.Arrays != nil {
			fs.at("data.arrays", "only for format numpy, not for inline rows")
		}
		if d.LIBSVM != nil {
			fs.at("data.libsvm", "only for format libsvm, not for inline rows")
		}
		d.only(fs, "rows of a source, not for inline ones",
			named{"format", string(d.Format)}, named{"label", d.Label.String()}, named{"labels", d.Labels},
			named{"weight", d.Weight}, named{"test", d.Test}, named{"validation", d.Validation}, named{"sha256", string(d.SHA256)}, named{"drop", strings.Join(d.Drop, ", ")})
		return
	}
	if d.Arrays != nil && d.Format != NumPy {
		fs.at("data.arrays", "only for format numpy, not %s", d.Format)
	}
	if o := d.LIBSVM; o != nil && d.Format != LIBSVM {
		fs.at("data.libsvm", "only for format libsvm, not %s", d.Format)
	} else if o != nil && o.Base != 0 && o.Base != 1 {
		fs.at("data.libsvm.base", "%d: want 0 or 1", o.Base)
	}
	switch d.Format {
	case CSV, JSONL, Parquet, Arrow, SQL, LIBSVM:
		if len(d.Label) == 0 {
			fs.at("data.label", "missing: want the name of the label's column")
		}
		d.only(fs, "format idx or numpy", named{"labels", d.Labels}, named{"test_labels", d.TestLabels}, named{"validation_labels", d.ValidationLabels})
	case IDX, NumPy:
		if d.Labels == "" {
			fs.at("data.labels", "missing: want the source of the labels")
		}
		if d.Test != "" && d.TestLabels == "" {
			fs.at("data.test_labels", "missing: want the source of the labels of data.test")
		}
		if d.Validation != "" && d.ValidationLabels == "" {
			fs.at("data.validation_labels", "missing: want the source of the labels of data.validation")
		}
		d.only(fs, formatsOf(namedFormats), named{"label", d.Label.String()}, named{"weight", d.Weight}, named{"drop", strings.Join(d.Drop, ", ")})
	}
}

type named struct{ name, value string }

// only adds a fault for each field that is set but belongs to something else.
func (d *Data) only(fs *faults, what string, fields ...named) {
	for _, f := range fields {
		if f.value != "" {
			fs.at("data."+f.name, "%.80q: only for %s", f.value, what)
		}
	}
}

func (d *Data) validateClean(fs *faults) {
	for i, label := range d.Label {
		if at := slices.Index(d.Drop, label); at >= 0 {
			fs.at(index("data.drop", at), "%.80q: this is the label", label)
		}
		if slices.Contains(d.Label[:i], label) {
			fs.at(index("data.label", i), "%.80q: given twice", label)
		}
	}
	if i := slices.Index(d.Drop, d.Weight); i >= 0 && d.Weight != "" {
		fs.at(index("data.drop", i), "%.80q: this is the weight", d.Weight)
	}
	if d.Weight != "" && slices.Contains(d.Label, d.Weight) {
		fs.at("data.weight", "%.80q: this is the label", d.Weight)
	}
	if c := d.Clean.Missing.Constant; !finite(c) {
		fs.at("data.clean.missing.constant", "%v: want a finite number", c)
	}
}

func (t *Transform) validate(fs *faults, loss Loss) {
	if s := t.Scale; s.Method == scaleKey && (s.Divide == 0 || !finite(s.Divide)) {
		fs.at("data.transform.scale.divide", "%v: want a finite number other than 0", s.Divide)
	}
	switch m := t.Label.Method; {
	case m != "none" && m != "standard":
		fs.at("data.transform.label", "%s: want none or standard", m)
	case m == "standard" && loss.Classifies():
		fs.at("data.transform.label", "standard: with loss %s the label is a class, want none", loss)
	}
}

func finite(x float64) bool { return math.Abs(x) <= math.MaxFloat64 }

func index(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }

func commas(words []string) string { return strings.Join(words, ", ") }
