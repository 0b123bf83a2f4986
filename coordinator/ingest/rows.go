package ingest

import (
	"context"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"tributary/shared/access"
	"tributary/shared/dataset"
	"tributary/shared/dataset/tabular"
	"tributary/shared/job"
)

// Formats of rows for prediction beside those of package dataset. JSON lines are its JSON.
const (
	jsonLines = dataset.InputFormat(job.JSONL)
	parquetIn = dataset.InputFormat(job.Parquet)
	arrowIn   = dataset.InputFormat(job.Arrow)
	libsvmIn  = dataset.InputFormat(job.LIBSVM)
	numpyIn   = dataset.InputFormat(job.NumPy)
	sqlIn     = dataset.InputFormat(job.SQL)
)

// Reading says which rows Rows reads for a model, and how.
type Reading struct {
	Source string
	Format dataset.InputFormat // auto or "": what the content shows, or else the name
	Query  string              // of a database
	Array  string              // of an .npz archive; "" takes the usual names
	Extra  []string            // columns whose cells are passed on, as dataset.Reading has them
}

// Rows reads the raw rows of a source for a model, with the readers of training, and passes
// each to row. p and d are the model's. A source may be a folder or have wildcards.
//
// Memory: that of a row; of a Parquet or Arrow file, also that of its pages or of a batch,
// which package parquet or arrow bounds. Files of Parquet, Arrow and NumPy, files of remote
// places, and the answer of a database are copied to a scratch, one at a time.
func (in *Ingest) Rows(ctx context.Context, p *dataset.Preprocessing, d *job.Data, r Reading, row dataset.EachRow) error {
	if r.Format == sqlIn || job.IsDatabase(r.Source) {
		return in.apart(&job.Data{}, func(w *work) error { return w.queried(ctx, p, r, row) })
	}
	if r.Query != "" {
		return fmt.Errorf("a query is for a database alone, as postgres://USER@HOST/DATABASE or sqlite:PATH: %w", job.ErrInvalid)
	}
	format := job.Format(r.Format)
	if r.Format == "" || r.Format == dataset.AnyInput {
		format = in.FormatIn(ctx, r.Source)
	}
	found, err := (&work{Ingest: in}).list(ctx, format, files{field: "the files of", source: r.Source})
	if err != nil {
		return err
	}
	for _, source := range found {
		name := ""
		if len(found) > 1 {
			name = path.Base(filepath.ToSlash(source))
		}
		var stopped error // by row
		err := in.apart(&job.Data{}, func(w *work) error {
			return w.rows(ctx, p, d, r, source, func(at dataset.Place, values []dataset.Value, cells []dataset.Cell) error {
				at.File = name
				stopped = row(at, values, cells)
				return stopped
			})
		})
		if err != nil && name != "" && stopped == nil {
			err = fmt.Errorf("%s: %w", access.Show(name), err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// rows reads the rows of a file.
func (w *work) rows(ctx context.Context, p *dataset.Preprocessing, d *job.Data, r Reading, source string, row dataset.EachRow) error {
	auto := r.Format == "" || r.Format == dataset.AnyInput
	f, err := w.Sources.Open(ctx, source)
	if err != nil {
		return err
	}
	defer f.Close()
	if r.Format == numpyIn || auto && job.FormatOf(source) == job.NumPy {
		if len(r.Extra) > 0 {
			return fmt.Errorf("a NumPy array has no column names: want a file with a column %.80q, or labels in a file of their own: %w", r.Extra[0], job.ErrInvalid)
		}
		names, _ := arraysOf(d, r.Array)
		n, c, err := w.arrayOf(ctx, f, names, maxArrayDims)
		if err != nil {
			return err
		}
		return numberRows(p, n, c, row)
	}
	content, err := tabular.Open(ctx, f, w.limit())
	if err != nil {
		return err
	}
	defer content.Close()
	format := r.Format
	if auto {
		format = formatOf(content, source)
	}
	if format == numpyIn {
		n, c, err := w.arrayOf(ctx, content, nil, maxArrayDims)
		if err != nil {
			return err
		}
		return numberRows(p, n, c, row)
	}
	return w.named(p, d, content, format, r.Extra, row)
}

// maxArrayDims is the most dimensions of an array of rows.
const maxArrayDims = 4

// formatOf recognizes the format of an unpacked content by its first bytes, and LIBSVM,
// which has none, by the name.
func formatOf(content *tabular.Source, source string) dataset.InputFormat {
	head := string(content.Peek(8))
	for _, known := range []struct {
		magic string
		is    dataset.InputFormat
	}{{"PAR1", parquetIn}, {"ARROW1", arrowIn}, {"\xff\xff\xff\xff", arrowIn}, {"\x93NUMPY", numpyIn}} {
		if strings.HasPrefix(head, known.magic) {
			return known.is
		}
	}
	if job.FormatOf(source) == job.LIBSVM {
		return libsvmIn
	}
	return dataset.AnyInput
}

// named reads the rows of a file of named columns, or of IDX.
func (w *work) named(p *dataset.Preprocessing, d *job.Data, content *tabular.Source, format dataset.InputFormat, extra []string, row dataset.EachRow) error {
	switch format {
	case parquetIn, arrowIn, libsvmIn:
	case jsonLines:
		format = dataset.JSONInput
		fallthrough
	default:
		return p.ReadContent(content, dataset.Reading{Format: format, Extra: extra}, row)
	}
	w.only = map[string]bool{}
	for i := range p.Columns {
		w.only[p.Columns[i].Input()] = true
	}
	for _, name := range extra {
		w.only[name] = true
	}
	s := &survey{features: featuresOf(p, d)}
	file, err := w.open(&job.Data{Format: job.Format(format)}, content, s, 0)
	if err != nil {
		return err
	}
	return file.pass(p, extra, row)
}

// pass passes the rows on.
func (r *records) pass(p *dataset.Preprocessing, extra []string, row dataset.EachRow) error {
	t := &dataset.Records{
		Names: r.names, Index: r.index, Kinds: r.kinds, Next: r.next,
		Place: func() dataset.Place { return dataset.Place{Unit: r.unit, Number: r.line(0)} },
	}
	if t.Kinds == nil {
		t.Kinds = make([]tabular.Kind, len(t.Names))
	}
	return p.ReadRecords(t, extra, row)
}

// queried reads the rows of a database.
func (w *work) queried(ctx context.Context, p *dataset.Preprocessing, r Reading, row dataset.EachRow) error {
	if !job.IsDatabase(r.Source) {
		return fmt.Errorf("want a database, as postgres://USER@HOST/DATABASE or sqlite:PATH: %w", job.ErrInvalid)
	}
	a, err := w.ask(ctx, files{field: "database", source: r.Source, queryField: "--query", query: r.Query})
	if err != nil {
		return err
	}
	return a.records().pass(p, r.Extra, row)
}

// featuresOf returns the features of the LIBSVM files that a model reads.
func featuresOf(p *dataset.Preprocessing, d *job.Data) *tabular.Features {
	f := &tabular.Features{}
	if d.LIBSVM != nil {
		f.Base = &d.LIBSVM.Base
	}
	names := append(append([]string{}, d.Drop...), p.Others...)
	for i := range p.Columns {
		names = append(names, p.Columns[i].Input())
	}
	names = append(names, slices.Sorted(maps.Keys(d.Columns))...) // they may be left out
	for _, name := range names {
		digits, ok := strings.CutPrefix(name, "x")
		n, err := strconv.Atoi(digits)
		if ok && err == nil && n >= 0 && n < tabular.MaxColumns && strconv.Itoa(n) == digits {
			f.Zero, f.Most = f.Zero || n == 0, max(f.Most, n)
		}
	}
	return f.Fixed()
}

// arraysOf returns the names of the features and of the labels in an archive for
// prediction, the preferred one first.
func arraysOf(d *job.Data, given string) (x, y []string) {
	if given != "" {
		return []string{given}, []string{given}
	}
	x, y = arrays(d.Arrays, "data.test")
	moreX, moreY := arrays(d.Arrays, "data.source")
	return append(x, moreX...), append(y, moreY...)
}

// numberRows passes the rows of an array on.
func numberRows(p *dataset.Preprocessing, n int, c *cells, row dataset.EachRow) error {
	if c.width != len(p.Columns) {
		return fmt.Errorf("%d values in a row: the model takes %d: %w", c.width, len(p.Columns), job.ErrInvalid)
	}
	u, values := c.cursor(all(n)), make([]dataset.Value, c.width)
	for i := range n {
		numbers, err := u.row()
		if err != nil {
			return err
		}
		for j, x := range numbers {
			values[j] = dataset.Number(x)
		}
		if err := row(dataset.Place{Unit: "row", Number: i + 1}, values, nil); err != nil {
			return err
		}
	}
	return nil
}
