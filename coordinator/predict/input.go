package predict

import (
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"slices"

	"tributary/coordinator/ingest"
	"tributary/coordinator/place"
	"tributary/shared/dataset"
	"tributary/shared/registry"
)

// Rows says where rows are. The commands share it.
type Rows struct {
	Input  string `name:"input" placeholder:"FILE" help:"The rows: a file, a folder or a path with wildcards, packed as .gz, .zst, .bz2 or .zip too; an address of the web or of S3; a database, with --query; - reads standard input. CSV, Parquet and Arrow name the model's columns in any order, and may have more. JSON: rows in the form of the predict subject, one after the other, in an array, or in {\"rows\": […]}. IDX and NumPy: the array of features alone. LIBSVM: the label counts for evaluate alone."`
	Format string `name:"format" default:"auto" enum:"auto,csv,idx,json,jsonl,parquet,arrow,libsvm,numpy,sql" help:"Format of the input: csv, idx, json (or jsonl), parquet, arrow, libsvm, numpy, sql, or auto, the default: what the first bytes show, and for LIBSVM and .npz the name. Two zero bytes are IDX, a bracket or a brace is JSON, and what shows nothing is CSV."`
	Query  string `name:"query" placeholder:"SELECT…" help:"The statement that gives the rows of a database."`
	Array  string `name:"array" placeholder:"NAME" help:"The array of an .npz archive; default: what data.arrays in the model's spec names, x_test, x_train or x."`
}

// files opens what flags name, like training opens its sources; - is standard input. Other
// files than regular ones, like pipes, are read as they are.
type files struct {
	ingest.Roots
	stdin io.Reader
}

// newReader returns what reads the rows of files of any length.
func newReader() *ingest.Ingest {
	return &ingest.Ingest{
		Sources:  &files{Roots: ingest.Roots{Anywhere: true, Outside: place.Outside{}}, stdin: os.Stdin},
		MaxBytes: math.MaxInt64,
	}
}

// standardInput is the name of standard input.
const standardInput = "-"

// Open implements ingest.Opener.
func (f *files) Open(ctx context.Context, source string) (io.ReadCloser, error) {
	if source == standardInput {
		return io.NopCloser(f.stdin), nil
	}
	if info, err := os.Stat(source); err == nil && !info.IsDir() && !info.Mode().IsRegular() {
		return os.Open(source)
	}
	return f.Roots.Open(ctx, source)
}

// List implements ingest.Lister.
func (f *files) List(ctx context.Context, source string) ([]string, error) {
	if source == standardInput {
		return []string{source}, nil
	}
	return f.Roots.List(ctx, source)
}

// reading returns how the rows are read.
func (r *Rows) reading(extra []string) ingest.Reading {
	return ingest.Reading{Source: r.Input, Format: dataset.InputFormat(r.Format), Query: r.Query, Array: r.Array, Extra: extra}
}

// read passes the rows for a model to row.
func (r *Rows) read(ctx context.Context, in *ingest.Ingest, m *registry.Model, extra []string, row dataset.EachRow) error {
	return in.Rows(ctx, m.Card.Preprocessing, &m.Card.Spec.Data, r.reading(extra), row)
}

// arraysWithLabels reports whether the rows are an .npz archive, which may have the labels
// too.
func (r *Rows) arraysWithLabels() bool {
	return (r.Format == "auto" || r.Format == "numpy" || r.Format == "") && hasSuffix(r.Input, ".npz")
}

// hasSuffix reports whether a name ends in one of the given extensions.
func hasSuffix(name string, extensions ...string) bool {
	return slices.Contains(extensions, extension(name))
}

// fault adds the input to an error.
func (r *Rows) fault(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("--input %s: %w", r.Input, err)
}
