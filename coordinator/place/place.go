// Package place reads data from the places outside of files: databases, web servers and S3.
//
// It owns the talking to them: connections, limits, and the texts of their values. It
// leaves the question whether a spec may name a place, and the meaning of the rows, to
// package ingest, which calls it as its Outside.
//
// Invariant: a place is only read. No error, and nothing else that this package returns,
// has a password.
package place

import (
	"context"
	"fmt"
	"io"
	"net/url"

	"tributary/shared/dataset/tabular"
	"tributary/shared/job"
)

// Outside reads all places; it implements ingest.Outside.
type Outside struct{}

// Web opens a file of a web server; allowed is as in [Web].
func (Outside) Web(ctx context.Context, address string, allowed func(*url.URL) bool) (io.ReadCloser, error) {
	return (&Web{Allowed: allowed}).Open(ctx, address)
}

// S3 is [S3].
func (Outside) S3(ctx context.Context, address string) (io.ReadCloser, error) {
	return S3(ctx, address)
}

// ListS3 is [ListS3].
func (Outside) ListS3(ctx context.Context, address string, most int) ([]string, error) {
	return ListS3(ctx, address, most)
}

// Postgres is [Postgres].
func (Outside) Postgres(ctx context.Context, address, statement string) (tabular.Rows, error) {
	return rowsOf(Postgres(ctx, address, statement))
}

// SQLite is [SQLite].
func (Outside) SQLite(ctx context.Context, name, statement string) (tabular.Rows, error) {
	return rowsOf(SQLite(ctx, name, statement))
}

// rowsOf keeps a nil pointer from becoming an interface that is not nil.
func rowsOf(r *Rows, err error) (tabular.Rows, error) {
	if err != nil {
		return nil, err
	}
	return r, nil
}

// maxRow limits the bytes of a row of a database, which is in memory as a whole.
const maxRow = 32 << 20

// Rows is the result of a query, row by row. Its caller closes it.
type Rows struct {
	names []string
	kinds []tabular.Kind
	next  func() ([]string, error)
	close func()
}

// Names returns the names of the columns.
func (r *Rows) Names() []string { return r.names }

// Next returns the cells of the next row as texts, "" for a missing value. The following
// call overwrites them. After the last row it returns io.EOF. Errors that a person can
// correct are job.ErrInvalid.
func (r *Rows) Next() ([]string, error) { return r.next() }

// Kinds returns what the database says about the columns. It is complete after the last
// row.
func (r *Rows) Kinds() []tabular.Kind { return r.kinds }

// Close ends the query and the connection.
func (r *Rows) Close() { r.close() }

// named returns the names of the columns of a result.
func named(names []string) ([]string, error) {
	seen := map[string]bool{}
	for i, name := range names {
		switch {
		case name == "" || name == "?column?" || len(name) > tabular.MaxName:
			return nil, fmt.Errorf("column %d of the query has the name %.80q: want one of 1 to %d bytes: write AS name: %w", i+1, name, tabular.MaxName, job.ErrInvalid)
		case seen[name]:
			return nil, fmt.Errorf("two columns of the query have the name %.80q: want each once: write AS name: %w", name, job.ErrInvalid)
		}
		seen[name] = true
	}
	switch n := len(names); {
	case n == 0:
		return nil, fmt.Errorf("the statement gives no rows: want SELECT …: %w", job.ErrInvalid)
	case n > tabular.MaxColumns:
		return nil, fmt.Errorf("%d columns: want at most %d: %w", n, tabular.MaxColumns, job.ErrInvalid)
	}
	return names, nil
}

// ended returns the context's error in place of what it caused.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}
