// Package place reads data from the places outside of files: databases, web servers and S3.
//
// It owns the talking to them: connections, limits, and the texts of their values. It
// leaves the question whether a spec may name a place, and the meaning of the rows, to
// package ingest, which alone calls it.
//
// Invariant: a place is only read. No error, and nothing else that this package returns,
// has a password.
package place

import (
	"context"
	"fmt"
	"strings"

	"tributary/shared/dataset/tabular"
	"tributary/shared/job"
)

// maxRow limits the bytes of a row of a database, which is in memory as a whole.
const maxRow = 32 << 20

// Rows is the result of a query, row by row. Its caller closes it.
type Rows struct {
	Names []string
	kinds []tabular.Kind
	next  func() ([]string, error)
	close func()
}

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

// Ordered reports whether a statement says in which order its rows are.
func Ordered(statement string) bool {
	words := strings.Fields(strings.ToLower(plain(statement)))
	for i := 1; i < len(words); i++ {
		if words[i-1] == "order" && words[i] == "by" {
			return true
		}
	}
	return false
}

// checkOne refuses several statements, of which only one would give rows.
func checkOne(statement string) error {
	if first, rest, _ := strings.Cut(plain(statement), ";"); strings.TrimSpace(first) == "" || strings.Trim(rest, "; \t\r\n") != "" {
		return fmt.Errorf("want one statement, SELECT …: %w", job.ErrInvalid)
	}
	return nil
}

// plain returns a statement with blanks in place of its comments, strings and quoted names.
func plain(statement string) string {
	var out strings.Builder
	for at := 0; at < len(statement); {
		end := ""
		switch rest := statement[at:]; {
		case strings.HasPrefix(rest, "--"):
			end = "\n"
		case strings.HasPrefix(rest, "/*"):
			end = "*/"
		case rest[0] == '\'' || rest[0] == '"' || rest[0] == '`':
			end = rest[:1]
		case rest[0] == '[':
			end = "]"
		}
		if end == "" {
			out.WriteByte(statement[at])
			at++
			continue
		}
		out.WriteByte(' ')
		from := min(at+len(end), len(statement))
		if n := strings.Index(statement[from:], end); n >= 0 {
			at = from + n + len(end)
		} else {
			at = len(statement)
		}
	}
	return out.String()
}

// ended returns the context's error in place of what it caused.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}
