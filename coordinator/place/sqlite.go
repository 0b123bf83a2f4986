package place

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"math"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"tributary/shared/dataset/tabular"
	"tributary/shared/job"
)

// SQLite asks a file of SQLite, which it opens read-only. The statement can read the tables
// of this file and no other file. Memory: one row, with values of at most 32 MiB.
func SQLite(ctx context.Context, path, query string) (*Rows, error) {
	if err := job.CheckStatement(query); err != nil {
		return nil, err
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	address := url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: "mode=ro"}
	db, err := sql.Open("sqlite", address.String())
	if err != nil {
		return nil, sqliteError(err)
	}
	r, err := askFile(ctx, db, query)
	if err != nil {
		_ = db.Close() // nothing was written
		return nil, ended(ctx, sqliteError(err))
	}
	return r, nil
}

// reading lists the actions of a statement that only reads.
func reading(action sqlite.AuthorizerActionCode, _, function, _, _ string) sqlite.AuthorizerReturnCode {
	switch action {
	case sqlite.AuthSelect, sqlite.AuthRead, sqlite.AuthRecursive:
		return sqlite.AuthorizerOK
	case sqlite.AuthFunction:
		if !strings.EqualFold(function, "load_extension") {
			return sqlite.AuthorizerOK
		}
	default:
	}
	return sqlite.AuthorizerDeny
}

// askFile starts a statement on a connection of its own.
func askFile(ctx context.Context, db *sql.DB, query string) (*Rows, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	for limit, most := range map[int]int{sqlite3.SQLITE_LIMIT_LENGTH: maxRow, sqlite3.SQLITE_LIMIT_ATTACHED: 0} {
		if _, err := sqlite.Limit(conn, limit, most); err != nil {
			return nil, err
		}
	}
	err = conn.Raw(func(c any) error {
		guarded, ok := c.(sqlite.AuthorizerRegisterer)
		if !ok {
			return errors.New("the driver of SQLite has no authorizer")
		}
		return guarded.RegisterAuthorizer(reading)
	})
	if err != nil {
		return nil, err
	}
	rows, err := conn.QueryContext(ctx, query) // one statement sees one state of the file
	if err != nil {
		return nil, err
	}
	r, err := newSQLiteReader(ctx, rows)
	if err != nil {
		_ = rows.Close() // nothing was written
		return nil, err
	}
	return &Rows{names: r.names, kinds: r.kinds, next: r.next, close: func() {
		_ = rows.Close() // nothing was written
		_ = db.Close()
	}}, nil
}

// sqliteReader reads the rows of a result.
type sqliteReader struct {
	ctx    context.Context //nolint:containedctx // lives as long as one reading
	rows   *sql.Rows
	names  []string
	kinds  []tabular.Kind
	flags  []bool // columns declared as BOOLEAN
	shown  []bool // columns whose values alone show what they are
	mixed  []bool // shown columns with a value that is no text
	values []any
	into   []any
	cells  []string
}

func newSQLiteReader(ctx context.Context, rows *sql.Rows) (*sqliteReader, error) {
	types, err := rows.ColumnTypes()
	if err != nil {
		return nil, err
	}
	n := len(types)
	r := &sqliteReader{
		ctx: ctx, rows: rows, names: make([]string, n), kinds: make([]tabular.Kind, n), flags: make([]bool, n), shown: make([]bool, n), mixed: make([]bool, n),
		values: make([]any, n), into: make([]any, n), cells: make([]string, n),
	}
	for i, t := range types {
		r.names[i], r.into[i] = t.Name(), &r.values[i]
		declared := strings.ToUpper(t.DatabaseTypeName())
		switch {
		case declared == "": // an expression, or a column without a type
			r.shown[i] = true
		case strings.Contains(declared, "BOOL"):
			r.flags[i] = true
		case strings.Contains(declared, "INT"): // the rules of SQLite's "Determination Of Column Affinity"
		case strings.Contains(declared, "CHAR"), strings.Contains(declared, "CLOB"), strings.Contains(declared, "TEXT"), strings.Contains(declared, "UUID"):
			r.kinds[i] = tabular.Text
		}
	}
	r.names, err = named(r.names)
	return r, err
}

func (r *sqliteReader) next() ([]string, error) {
	if !r.rows.Next() {
		if err := r.rows.Err(); err != nil {
			return nil, ended(r.ctx, sqliteError(err))
		}
		for i := range r.kinds {
			if r.shown[i] && !r.mixed[i] && r.kinds[i] == tabular.Any {
				r.kinds[i] = tabular.Text
			}
		}
		return nil, io.EOF
	}
	if err := r.rows.Scan(r.into...); err != nil {
		return nil, err
	}
	for i, value := range r.values {
		r.cells[i] = r.cell(i, value)
	}
	return r.cells, nil
}

// cell writes a value as CSV and Parquet files have it.
func (r *sqliteReader) cell(i int, value any) string {
	if text, ok := value.(string); ok {
		return text
	}
	if value != nil {
		r.mixed[i] = true
	}
	switch v := value.(type) {
	case int64:
		if r.flags[i] && (v == 0 || v == 1) {
			return strconv.FormatBool(v == 1)
		}
		return strconv.FormatInt(v, 10)
	case float64:
		if math.IsNaN(v) {
			return ""
		}
		return strconv.FormatFloat(v, 'g', -1, 64)
	case bool:
		return strconv.FormatBool(v)
	case time.Time:
		if v = v.UTC(); v.Equal(v.Truncate(24 * time.Hour)) {
			return v.Format(time.DateOnly)
		}
		return v.Format("2006-01-02 15:04:05.999999999")
	case nil:
		return ""
	default: // bytes
		r.kinds[i] = tabular.Nested
		return ""
	}
}

// sqliteError gives an error its class: only a locked or full file may be temporary.
func sqliteError(err error) error {
	said := (*sqlite.Error)(nil)
	if errors.Is(err, job.ErrInvalid) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if !errors.As(err, &said) { // of the driver, like a missing argument
		return fmt.Errorf("%w: %w", err, job.ErrInvalid)
	}
	switch said.Code() & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL:
		return err
	case sqlite3.SQLITE_AUTH:
		return fmt.Errorf("the statement does more than read the tables of this file: want SELECT …: %w", job.ErrInvalid)
	case sqlite3.SQLITE_CANTOPEN:
		return fmt.Errorf("%w: if its journal is in WAL mode and nothing may be written beside it, run PRAGMA journal_mode=DELETE: %w", err, job.ErrInvalid)
	}
	return fmt.Errorf("%w: %w", err, job.ErrInvalid)
}
