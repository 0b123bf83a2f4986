package job

import (
	"cmp"
	"encoding/json"
	"regexp"
	"strings"
)

// UnmarshalJSON reads an object. If shuffle is missing, it is true.
func (d *Data) UnmarshalJSON(data []byte) error {
	type plain Data
	return over((*plain)(d), plain{Shuffle: true}, data)
}

// UnmarshalJSON reads an object. Missing constants take the paper's values, because 0 is
// a valid value for them.
func (a *Adam) UnmarshalJSON(data []byte) error {
	type plain Adam
	return over((*plain)(a), plain{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8}, data)
}

// UnmarshalJSON reads an object. Missing constants take PyTorch's values.
func (r *RMSprop) UnmarshalJSON(data []byte) error {
	type plain RMSprop
	return over((*plain)(r), plain{Alpha: 0.99, Epsilon: 1e-8}, data)
}

// UnmarshalJSON reads an object. Missing constants take PyTorch's values.
func (a *Adagrad) UnmarshalJSON(data []byte) error {
	type plain Adagrad
	return over((*plain)(a), plain{Epsilon: 1e-10}, data)
}

// UnmarshalJSON reads an object. Missing constants take the paper's values.
func (l *Lion) UnmarshalJSON(data []byte) error {
	type plain Lion
	return over((*plain)(l), plain{Beta1: 0.9, Beta2: 0.99}, data)
}

// over reads an object into dst. Missing fields take the values of defaults. If it fails,
// dst does not change.
func over[T any](dst *T, defaults T, data []byte) error {
	if err := json.Unmarshal(data, &defaults); err != nil {
		return err
	}
	*dst = defaults
	return nil
}

// Default fills in the fields whose zero value means "left out". It does not fill in
// shuffle and the constants of optimizers, whose zero values are valid: UnmarshalJSON does that.
func (s *Spec) Default() {
	if s.Microbatches == 0 {
		s.Microbatches = defaultMicrobatches(s.Batch)
	}
	if s.Evaluate == (Evaluation{}) {
		s.Evaluate.EveryEpochs = 1
	}
	if s.Wire == WireFloat32 {
		s.Wire = "" // older specs have no wire field: the digest stays the same
	}
	if s.Wire == WireTopK && s.WireKeep == 0 {
		s.WireKeep = defaultWireKeep
	}
	s.fillLoss()
	if c := s.Optimizer.Common(); c != nil && !c.SparesBias() {
		c.DecayBias = nil // older specs have no such field: the digest stays the same
	}
	if f := s.Checkpoint.Final; f != nil && *f {
		s.Checkpoint.Final = nil // older specs have no such field: the digest stays the same
	}
	s.Strict = orTrue(s.Strict)
	s.Data.fill()
	s.Model.fill()
	if c := s.Schedule.OneCycle; c != nil {
		c.fill()
	}
	if r := s.Schedule.ReduceOnPlateau; r != nil {
		r.fill()
	}
	if e := s.EarlyStopping; e != nil {
		e.fill()
	}
}

// isNPZ reports whether the name of a source is that of an archive of arrays.
func isNPZ(source string) bool { return strings.HasSuffix(strings.ToLower(source), ".npz") }

// libsvmLabel is the column of the label of a LIBSVM file.
const libsvmLabel = "label"

// defaultWireKeep is the fraction of a gradient that topk keeps.
const defaultWireKeep = 0.01

func (d *Data) fill() {
	if d.Format == "" && d.Inline == nil {
		d.Format = FormatOf(d.Source)
	}
	if d.Format == LIBSVM && d.Inline == nil && len(d.Label) == 0 {
		d.Label = Columns{libsvmLabel}
	}
	if d.Format == NumPy && d.Labels == "" && isNPZ(d.Source) {
		d.Labels = d.Source
	}
	if d.Format == NumPy && d.TestLabels == "" && isNPZ(d.Test) {
		d.TestLabels = d.Test
	}
	if d.Format == NumPy && d.ValidationLabels == "" && isNPZ(d.Validation) {
		d.ValidationLabels = d.Validation
	}
	if d.Format == SQL && d.TestQuery != "" {
		setDefault(&d.Test, d.Source)
	}
	if d.Format == SQL && d.ValidationQuery != "" {
		setDefault(&d.Validation, d.Source)
	}
	setDefault(&d.Clean.Missing.Method, "drop")
	setDefault(&d.Clean.Duplicates, KeepDuplicates)
	setDefault(&d.Transform.Scale.Method, "none")
	setDefault(&d.Transform.Categorical.Method, OneHot)
	setDefault(&d.Transform.Label.Method, "none")
	d.Split.fill()
}

func (m *Model) fill() {
	for _, l := range m.All() {
		if l.Dense != nil {
			setDefault(&l.Dense.Activation, NoActivation)
			l.Dense.Bias = orTrue(l.Dense.Bias)
		}
		if c := l.Conv2D; c != nil {
			setDefault(&c.Strides, Pair{1, 1})
			setDefault(&c.DilationRate, Pair{1, 1})
			setDefault(&c.Activation, NoActivation)
			c.Bias = orTrue(c.Bias)
		}
		for _, p := range []*Pooling2D{l.MaxPooling2D, l.AveragePooling2D} {
			if p != nil {
				setDefault(&p.PoolSize, Pair{2, 2})
				setDefault(&p.Strides, p.PoolSize)
			}
		}
		for _, n := range l.Norms() {
			setDefault(&n.Epsilon, 1e-5)
		}
		if l.BatchNorm != nil {
			setDefault(&l.BatchNorm.Momentum, 0.1)
		}
	}
	if m.Init.From == "" {
		setDefault(&m.Init.Scheme, TorchUniform)
	}
}

func setDefault[T comparable](v *T, value T) { *v = cmp.Or(*v, value) }

func orTrue(b *bool) *bool {
	if b == nil {
		yes := true
		return &yes
	}
	return b
}

// defaultMicrobatches returns the largest power of two that is at most batch/64, within
// 1…64.
func defaultMicrobatches(batch int) int {
	m := 1
	for m < 64 && 2*m <= batch/64 {
		m *= 2
	}
	return m
}

var idxName = regexp.MustCompile(`(\.idx[0-9]?|[-.]idx[0-9]-[a-z]+)$`)

// packed are the endings of packed files.
var packed = regexp.MustCompile(`\.(gz|zst|bz2|zip)$`)

// FormatOf returns the format that a source's name suggests, or "".
func FormatOf(source string) Format {
	if IsDatabase(source) {
		return SQL
	}
	if format := formatOf(source); format != "" || !IsWeb(source) {
		return format
	}
	address, _, _ := strings.Cut(source, "?")
	return formatOf(address)
}

func formatOf(source string) Format {
	name := packed.ReplaceAllString(strings.ToLower(source), "")
	switch {
	case strings.HasSuffix(name, ".csv"), strings.HasSuffix(name, ".tsv"):
		return CSV
	case strings.HasSuffix(name, ".jsonl"), strings.HasSuffix(name, ".ndjson"):
		return JSONL
	case strings.HasSuffix(name, ".libsvm"), strings.HasSuffix(name, ".svm"), strings.HasSuffix(name, ".svmlight"):
		return LIBSVM
	case strings.HasSuffix(name, ".npy"), isNPZ(source):
		return NumPy
	case strings.HasSuffix(name, ".arrow"), strings.HasSuffix(name, ".arrows"), strings.HasSuffix(name, ".feather"):
		return Arrow
	case strings.HasSuffix(name, ".parquet"):
		return Parquet
	case idxName.MatchString(name):
		return IDX
	default:
		return ""
	}
}
