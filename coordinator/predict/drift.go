package predict

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/dustin/go-humanize"

	"tributary/shared/dataset"
	"tributary/shared/drift"
	"tributary/shared/readable"
	"tributary/shared/registry"
)

// The customary limits of a population stability index.
const (
	moderate = 0.1
	changed  = 0.25
)

// maxDriftLines is the largest number of columns that are printed for people.
const maxDriftLines = 30

// printDrift prints for people how rows differ from the training rows.
func printDrift(w io.Writer, r *drift.Report) {
	fmt.Fprintf(w, "drift of %s rows from %s training rows\n", humanize.Comma(r.Rows), humanize.Comma(r.TrainingRows))
	if r.Note != "" {
		fmt.Fprintln(w, "note: "+r.Note)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "column\tpsi\t\tunseen\tout of range\tmissing\texample")
	for i, c := range r.Columns {
		if i == maxDriftLines {
			break
		}
		psi, verdict := "-", ""
		if c.PSI != nil {
			psi, verdict = strconv.FormatFloat(*c.PSI, 'f', 4, 64), "stable"
			if *c.PSI >= changed {
				verdict = "changed"
			} else if *c.PSI >= moderate {
				verdict = "moderate"
			}
		}
		example := c.Example
		if c.Min != nil {
			example += fmt.Sprintf(" (training %v to %v)", *c.Min, *c.Max)
		}
		name, err := line(c.Column)
		if err != nil {
			name = "?"
		}
		fmt.Fprintf(t, "%.40s\t%s\t%s\t%d\t%d\t%s\t%s\n", name, psi, verdict, c.Unseen, c.OutOfRange, missing(c.Missing, c.TrainingMissing), example)
	}
	_ = t.Flush() // to a person, who would see it
	if n := len(r.Columns) + r.Omitted - maxDriftLines; n > 0 {
		fmt.Fprintf(w, "… and %d more columns, which differ less\n", n)
	}
}

// missing formats the fractions of missing values, of these rows and of the training rows.
func missing(now, then float64) string {
	if now == 0 && then == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f %% (training %.1f %%)", 100*now, 100*then)
}

func fraction(part, whole int64) string {
	if part == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f %%", 100*float64(part)/float64(whole))
}

// Info says what a model is.
type Info struct {
	Card    registry.Card    `json:"card"`
	Profile *dataset.Profile `json:"profile,omitempty"` // of the training rows
}

// info prints what a model is and what its training rows were like.
func info(w io.Writer, m *registry.Model, asJSON bool) error {
	profile := m.Profile()
	if asJSON {
		return readable.Print(w, Info{m.Card, profile})
	}
	c := &m.Card
	fmt.Fprintf(w, "model %s (%s), %s after %s steps, %d features, %d outputs\n", c.ID, c.Name, c.Spec.Loss, humanize.Comma(c.Steps), c.Features, c.Outputs)
	if profile == nil {
		_, err := fmt.Fprintln(w, "it has no description of its training rows")
		return err
	}
	fmt.Fprintf(w, "trained on %s rows\n\n", humanize.Comma(profile.Rows))
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "column\tkind\tmissing\ttraining rows")
	for j := range profile.Columns {
		p := &profile.Columns[j]
		name, err := line(p.Name)
		if err != nil {
			return err
		}
		fmt.Fprintf(t, "%.40s\t%s\t%s\t%s\n", name, c.Preprocessing.Columns[j].Kind, fraction(p.Missing, profile.Rows), summary(&c.Preprocessing.Columns[j], p))
	}
	return t.Flush()
}

// summary sums up the training values of a column.
func summary(c *dataset.Column, p *dataset.ColumnProfile) string {
	if c.Kind == dataset.Numeric {
		if p.Min == nil {
			return ""
		}
		middle := ""
		if n := len(p.Edges); n == 9 { // deciles
			middle = fmt.Sprintf(", middle about %v", p.Edges[n/2])
		}
		return fmt.Sprintf("%v to %v%s", *p.Min, *p.Max, middle)
	}
	if c.Hash > 0 {
		return fmt.Sprintf("hashed into %s buckets", humanize.Comma(int64(c.Hash)))
	}
	best := 0
	for i, n := range p.Counts {
		if n > p.Counts[best] {
			best = i
		}
	}
	if len(c.Categories) == 0 {
		return ""
	}
	return fmt.Sprintf("%d categories, most often %s", len(c.Categories), strings.TrimSpace(fmt.Sprintf("%.40q", c.Categories[best])))
}
