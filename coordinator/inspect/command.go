package inspect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/term"

	"tributary/coordinator/ingest"
	"tributary/shared/job"
	"tributary/shared/lifecycle"
	"tributary/shared/readable"
	"tributary/shared/registry"
	"tributary/shared/spec"
)

// Command is the inspect command's settings.
type Command struct {
	Source string `arg:"" help:"What to look at: a file, a folder or a path with wildcards, of CSV, JSON lines, Parquet, Arrow, LIBSVM, NumPy or IDX, packed too; an address of the web, of S3 or of a database; or a spec (.yaml, .yml, .json), whose data.source it looks at as the spec says."`
	Label  string `name:"label" placeholder:"COLUMN" help:"The column to learn, for the suggested spec; default: a guess."`
	Format string `name:"format" default:"" enum:",csv,jsonl,parquet,arrow,sql,libsvm,numpy,idx" placeholder:"FORMAT" help:"csv, jsonl, parquet, arrow, sql, libsvm, numpy or idx; default: what the name shows."`
	Query  string `name:"query" placeholder:"SELECT…" help:"The statement that gives the rows of a database."`
	JSON   bool   `name:"json" help:"Print the report as a line of JSON."`
	HTML   string `name:"html" placeholder:"FILE" help:"Write the report as a page with pictures into this file too."`
	Spec   string `name:"spec" placeholder:"FILE" help:"Write the suggested spec into this file too; the train command accepts it."`

	// Outside reads sources outside of files, such as databases; nil: they are not read.
	Outside ingest.Outside `kong:"-"`
}

// Help returns the text that --help shows after the command's description.
func (*Command) Help() string {
	return `The command reads the source once, with the same reader and the same rules as training, in bounded memory. The
number of different values is exact up to some thousand (fewer in a source of many columns), and then an estimate of
about 1 %, marked with ~. Quantiles and histograms of large sources are of a random sample, always the same one.`
}

// Run prints the report.
func (c *Command) Run(ctx lifecycle.Contexts) error {
	q, err := c.request()
	if err != nil {
		return err
	}
	aside := io.Discard
	if term.IsTerminal(int(os.Stderr.Fd())) && !c.JSON {
		aside = os.Stderr
	}
	return c.inspect(ctx.Soft, q, os.Stdout, aside)
}

// request returns what to inspect: a source, or the data of a spec.
func (c *Command) request() (Request, error) {
	q := Request{Data: job.Data{Source: c.Source, Query: c.Query, Format: job.Format(c.Format)}, Label: c.Label}
	switch strings.ToLower(filepath.Ext(c.Source)) {
	case ".yaml", ".yml", ".json":
	default:
		if q.Data.Format == "" {
			q.Data.Format = job.FormatOf(c.Source)
		}
		return q, nil
	}
	if c.Format != "" {
		return q, nil // a source of another name
	}
	text, err := spec.Read(c.Source)
	if err != nil {
		return q, err
	}
	s, err := spec.Decode(text)
	if err != nil {
		return q, fmt.Errorf("%s is read as a spec: %w", c.Source, err)
	}
	q.Data, q.Name = s.Data, s.Name
	return q, nil
}

// inspect prints the report to w and writes the files that the flags name.
func (c *Command) inspect(ctx context.Context, q Request, w, aside io.Writer) error {
	in := &ingest.Ingest{Sources: &ingest.Roots{Anywhere: true, Outside: c.Outside}}
	r, err := Inspect(ctx, in, q)
	if err != nil {
		if strings.HasPrefix(err.Error(), "data.format: missing") {
			return fmt.Errorf("--format: %w", err)
		}
		return err
	}
	if c.HTML != "" {
		var b strings.Builder
		if err := r.WriteHTML(&b); err != nil {
			return fmt.Errorf("--html: %w", err)
		}
		if err := registry.WriteFile(filepath.Dir(c.HTML), filepath.Base(c.HTML), []byte(b.String())); err != nil {
			return fmt.Errorf("--html: %w", err)
		}
		fmt.Fprintf(aside, "wrote %s\n", c.HTML)
	}
	if c.Spec != "" {
		if r.Spec == "" {
			return errors.Join(c.print(r, w), errors.New("--spec: no spec is suggested: "+r.NoSpec))
		}
		if err := registry.WriteFile(filepath.Dir(c.Spec), filepath.Base(c.Spec), []byte(r.Spec)); err != nil {
			return fmt.Errorf("--spec: %w", err)
		}
		fmt.Fprintf(aside, "wrote %s\n", c.Spec)
	}
	return c.print(r, w)
}

// print prints the report.
func (c *Command) print(r *Report, w io.Writer) error {
	if c.JSON {
		return readable.Print(w, r)
	}
	return r.WriteText(w)
}
