package inspect

import (
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"tributary/shared/dataset"
	"tributary/shared/job"
	"tributary/shared/readable"
)

// Bounds of the suggested spec.
const (
	fewRows      = 50 // below, there are no splits for validation and test
	manyTexts    = 20 // from so many categories on, they are embedded
	minFilled    = 20 // a column with fewer values and many missing ones is left out
	mostlyGone   = 0.95
	maxSuggested = 200     // columns that are left out by name
	leastHash    = 1 << 12 // buckets of a hashed column
	mostHash     = 1 << 16
)

// suggestion is a spec that is being written.
type suggestion struct {
	drop    []string // lines of YAML
	columns map[string]job.ColumnSpec
	notes   []string // comments
	kept    int
	missing bool
	widest  int64 // categories of the widest column
}

// suggest writes a spec that trains on the source.
func (r *Report) suggest(d *job.Data, name string) {
	if d.Inline != nil || d.Format == job.IDX {
		r.NoSpec = "the source has no named columns"
		return
	}
	if r.Label == nil || r.Label.Loss == "" {
		r.NoSpec = "no column can be the label: name one with --label"
		if r.Label != nil {
			r.NoSpec = fmt.Sprintf("the column %.80q cannot be the label: want two or more different numbers, or classes of several rows each", r.Label.Column)
		}
		return
	}
	if r.Omitted > 0 {
		r.NoSpec = fmt.Sprintf("the source has over %d columns", maxColumns)
		return
	}
	s := &suggestion{columns: map[string]job.ColumnSpec{}}
	maps.Copy(s.columns, d.Columns)
	label := r.column(r.Label.Column)
	for i := range r.Columns {
		s.add(&r.Columns[i], label, r.Rows)
	}
	switch {
	case s.kept == 0:
		r.NoSpec = "no column besides the label is worth training on"
		return
	case len(s.drop) > maxSuggested:
		r.NoSpec = fmt.Sprintf("%d columns would have to be left out", len(s.drop))
		return
	}
	text := r.yaml(s, d, label, name)
	if err := check(text); err != nil {
		r.NoSpec = "the spec for these columns is not valid: " + job.Sentence(err)
		return
	}
	r.Spec = text
}

// add decides what the spec says about a column.
func (s *suggestion) add(c, label *Column, rows int64) {
	filled := rows - c.Missing
	drop := func(why string) {
		s.drop = append(s.drop, fmt.Sprintf("    - %s   # %s", quoted(c.Name), comment(why)))
	}
	if c.Name == label.Name {
		return
	}
	_, away := c.givesAway(label)
	switch {
	case c.Training == leftOut:
		if _, given := s.columns[c.Name]; !given && c.Reason == "the spec leaves it out" {
			drop("as in the given spec")
		}
		return
	case filled == 0:
		drop("every cell is missing")
		return
	case c.Training == refused:
		drop(c.Reason)
		return
	case c.Kind == Constant:
		drop("constant")
		return
	case away:
		drop("gives the label away")
		return
	case c.Kind == Identifier:
		drop("an identifier")
		return
	case float64(c.Missing) > mostlyGone*float64(rows) || filled < minFilled && c.Missing > 0 && rows >= fewRows:
		drop(percent(c.Missing, rows) + " missing")
		return
	case c.Training == asCategory && c.Kind == Date:
		s.date(c)
	case c.Training == asCategory && c.Kind == Boolean:
		s.columns[c.Name] = job.ColumnSpec{Type: job.BooleanColumn}
	case c.Kind == Text:
		drop("text; a model of columns cannot read it")
		return
	case c.Training == asCategory && c.Distinct > dataset.MaxCategories:
		s.hash(c)
	case c.seen.longest > dataset.MaxCategoryBytes && c.Training == asCategory:
		drop(fmt.Sprintf("texts of up to %d bytes", c.seen.longest))
		return
	case c.Training == asCategory:
		s.widest = max(s.widest, c.Distinct)
	}
	s.kept++
	s.missing = s.missing || c.Missing > 0
}

// hash makes a column of many different texts a hashed one. It has about as many buckets as
// texts, so that a few texts share one, but no more than its rows could train.
func (s *suggestion) hash(c *Column) {
	spec := job.ColumnSpec{Type: job.CategoryColumn, Hash: leastHash}
	for int64(spec.Hash) < c.Distinct && spec.Hash < mostHash {
		spec.Hash *= 2
	}
	s.columns[c.Name] = spec
	s.widest = max(s.widest, int64(spec.Hash))
	s.notes = append(s.notes, fmt.Sprintf("%s has about %d different texts, too many for a list: they are hashed", comment(c.Name), c.Distinct))
}

// date makes parts of a date.
func (s *suggestion) date(c *Column) {
	spec := job.ColumnSpec{Type: job.DateColumn, Parts: []job.DatePart{job.Year, job.Month, job.Weekday}}
	if c.seen.clock {
		spec.Parts = append(spec.Parts, job.Hour)
	}
	if c.Dates.Ambiguous {
		spec.Format = "%m/%d/%Y"
		if strings.Contains(c.Dates.layout, "-") {
			spec.Format = "%m-%d-%Y"
		}
		s.notes = append(s.notes, fmt.Sprintf("the dates of %s can be read with the day or the month first: check the format", comment(c.Name)))
	}
	s.columns[c.Name] = spec
}

// yaml writes the spec.
func (r *Report) yaml(s *suggestion, d *job.Data, label *Column, name string) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	rows := r.Rows - label.Missing
	line("# Suggested for %s: %d rows, label %s (%s).", comment(r.Source), r.Rows, comment(r.Label.Column), r.Label.Why)
	for _, note := range s.notes {
		line("# %s", note)
	}
	line("name: %s", quoted(specName(name, d.Source)))
	line("data:")
	line("  source: %s", quoted(d.Source))
	line("  format: %s", d.Format)
	line("  label: %s", quoted(r.Label.Column))
	if d.CSV != nil {
		line("  csv: %s", flow(d.CSV))
	}
	if len(s.columns) > 0 {
		line("  columns: %s", flow(s.columns))
	}
	if len(s.drop) > 0 {
		line("  drop:\n%s", strings.Join(s.drop, "\n"))
	}
	if s.missing {
		line("  clean: {missing: median}   # categories: the most frequent one")
	}
	transform := "scale: standard"
	if s.widest > manyTexts {
		transform += ", categorical: {embed: 8}"
	}
	if r.Label.Classes == 0 {
		transform += ", label: standard"
	}
	line("  transform: {%s}", transform)
	train := rows
	if rows >= fewRows {
		stratify := ""
		if train = rows * 8 / 10; r.Label.Classes > 0 {
			stratify = ", stratify: true"
		}
		line("  split: {train: 0.8, validation: 0.1, test: 0.1%s}", stratify)
	}
	units := max(1, r.Label.Classes)
	if units == 2 {
		units = 1
	}
	line("model:\n  layers:\n    - dense: {units: 64, activation: relu}\n    - dense: {units: 32, activation: relu}\n    - dense: {units: %d}", units)
	line("loss: %s", r.Label.Loss)
	line("optimizer: {adamw: {learning_rate: 0.001, weight_decay: 0.01}}")
	batch := 256
	for batch > 1 && int64(batch)*8 > train {
		batch /= 2
	}
	line("batch: %d\nepochs: 20\nseed: 42", batch)
	switch {
	case r.Label.Classes == 2:
		line("metrics: [accuracy, auc]")
	case r.Label.Classes > 2:
		line("metrics: [accuracy, f1]")
	default:
		line("metrics: [rmse, r2]")
	}
	return b.String()
}

// flow writes a value as JSON, which is YAML too.
func flow(v any) string {
	text, err := readable.JSON(v)
	if err != nil {
		return "null"
	}
	return string(text)
}

var simple = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_./-]*$`)

// quoted writes a text as a scalar of YAML.
func quoted(s string) string {
	words := []string{"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"}
	if simple.MatchString(s) && !slices.Contains(words, strings.ToLower(s)) {
		return s
	}
	text, err := json.Marshal(s) // escapes what YAML does not print
	if err != nil {
		return `""`
	}
	return string(text)
}

// comment returns a text without line breaks and other control characters.
func comment(s string) string { return clip(s, 120) }

var noName = regexp.MustCompile(`[^a-z0-9_-]+`)

// specName makes a job's name from a source's.
func specName(name, source string) string {
	if name != "" {
		return name
	}
	base := strings.ToLower(path.Base(filepath.ToSlash(source)))
	base, _, _ = strings.Cut(base, ".")
	base = strings.Trim(noName.ReplaceAllString(base, "-"), "-_")
	if base = strings.Trim(base[:min(len(base), 60)], "-_"); base == "" {
		return "data"
	}
	return base
}
