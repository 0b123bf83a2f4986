package place_test

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/coordinator/place"
	"tributary/shared/dataset/tabular"
	"tributary/shared/job"
)

// file makes a file of SQLite.
func file(t *testing.T, statements string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a b%.db")
	db, err := sql.Open("sqlite", path)
	require.NoError(t, err)
	_, err = db.ExecContext(t.Context(), statements)
	require.NoError(t, err)
	require.NoError(t, db.Close())
	return path
}

// all reads the rows of a query.
func all(t *testing.T, r *place.Rows, err error) (names []string, kinds []tabular.Kind, cells [][]string, failed error) {
	t.Helper()
	if err != nil {
		return nil, nil, nil, err
	}
	defer r.Close()
	for {
		row, err := r.Next()
		if errors.Is(err, io.EOF) {
			return r.Names(), r.Kinds(), cells, nil
		}
		if err != nil {
			return r.Names(), nil, cells, err
		}
		cells = append(cells, append([]string(nil), row...))
	}
}

func TestSQLiteTypes(t *testing.T) {
	path := file(t, `CREATE TABLE t (id INTEGER, name TEXT, price NUMERIC, flag BOOLEAN, day DATE, at DATETIME, x REAL, raw BLOB, bare, zip VARCHAR(5));
		INSERT INTO t VALUES (9223372036854775807, '007', 1.5, 1, '2024-01-31', '2024-01-31 12:30:00', 1e300, x'00ff', 'a', '01234'),
			(NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
			(-1, '', 3, 0, '2024-02-29', '2024-02-29 00:00:01.5', 0.1, x'', 'b', '99999');`)
	r, err := place.SQLite(t.Context(), path, "SELECT *, 1 + 1 AS two, upper(name) AS loud FROM t ORDER BY rowid -- all of it;")
	names, kinds, cells, err := all(t, r, err)
	require.NoError(t, err)
	require.Equal(t, []string{"id", "name", "price", "flag", "day", "at", "x", "raw", "bare", "zip", "two", "loud"}, names)
	const number, text = tabular.Any, tabular.Text
	require.Equal(t, []tabular.Kind{number, text, number, number, number, number, number, tabular.Nested, text, text, number, text}, kinds)
	require.Equal(t, [][]string{
		{"9223372036854775807", "007", "1.5", "true", "2024-01-31", "2024-01-31 12:30:00", "1e+300", "", "a", "01234", "2", "007"},
		{"", "", "", "", "", "", "", "", "", "", "2", ""},
		{"-1", "", "3", "false", "2024-02-29", "2024-02-29 00:00:01.5", "0.1", "", "b", "99999", "2", ""},
	}, cells)
}

// Whatever the statement is, the file stays as it is, and no other file is read or made.
func TestSQLiteOnlyReads(t *testing.T) {
	path := file(t, "CREATE TABLE t (a INTEGER); INSERT INTO t VALUES (1);")
	other := filepath.Join(t.TempDir(), "other.db")
	for query, want := range map[string]string{
		"INSERT INTO t VALUES (2)":                       "want SELECT",
		"INSERT INTO t VALUES (2) RETURNING a":           "want SELECT",
		"DELETE FROM t":                                  "want SELECT",
		"DROP TABLE t":                                   "want SELECT",
		"CREATE TEMP TABLE u (a)":                        "want SELECT",
		"ATTACH '" + other + "' AS o":                    "want SELECT",
		"VACUUM INTO '" + other + "'":                    "want SELECT",
		"PRAGMA journal_mode = WAL":                      "want SELECT",
		"PRAGMA query_only = 0":                          "want SELECT",
		"BEGIN IMMEDIATE":                                "want SELECT",
		"SELECT load_extension('x') AS a":                "not authorized to use function",
		"SELECT 1 AS a; DELETE FROM t":                   "want one statement",
		"SELECT 1 AS a; SELECT 2 AS a":                   "want one statement",
		"-- nothing":                                     "want one statement",
		"SELECT a FROM none":                             "no such table: none",
		"SELECT b FROM t":                                "no such column: b",
		"SELEC a FROM t":                                 `near "SELEC": syntax error`,
		"SELECT a, a FROM t":                             `two columns of the query have the name "a"`,
		"SELECT zeroblob(100000000) AS a":                "too big",
		"SELECT '' || hex(zeroblob(33000000)) AS a":      "too big",
		"SELECT a FROM t WHERE a = ?":                    "missing argument",
		"SELECT edit(1) AS a":                            "no such function",
		"SELECT readfile('/etc/hostname') AS a":          "no such function",
		"SELECT * FROM pragma_database_list":             "want SELECT",
		"SELECT 'a;b' AS \"c;d\" /* ; */ FROM t WHERE 0": "",
	} {
		r, err := place.SQLite(t.Context(), path, query)
		_, _, _, err = all(t, r, err)
		if want == "" {
			require.NoError(t, err, query)
			continue
		}
		require.ErrorIs(t, err, job.ErrInvalid, query)
		require.ErrorContains(t, err, want, query)
	}
	require.NoFileExists(t, other)
	r, err := place.SQLite(t.Context(), path, "SELECT a FROM t")
	_, _, cells, err := all(t, r, err)
	require.NoError(t, err)
	require.Equal(t, [][]string{{"1"}}, cells)
}

func TestSQLiteThatIsNone(t *testing.T) {
	r, err := place.SQLite(t.Context(), "sqlite_test.go", "SELECT 1 AS a FROM t")
	_, _, _, err = all(t, r, err)
	require.ErrorIs(t, err, job.ErrInvalid)
	require.ErrorContains(t, err, "file is not a database")
	r, err = place.SQLite(t.Context(), filepath.Join(t.TempDir(), "none"), "SELECT 1 AS a FROM t")
	_, _, _, err = all(t, r, err)
	require.ErrorIs(t, err, job.ErrInvalid)
}

// A query without end stops with its context.
func TestSQLiteStops(t *testing.T) {
	path := file(t, "CREATE TABLE t (a INTEGER)")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := place.SQLite(ctx, path, "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x FROM n")
	require.NoError(t, err)
	defer r.Close()
	for i := range 100_000 {
		if i == 1000 {
			cancel()
		}
		if _, err = r.Next(); err != nil {
			break
		}
	}
	require.ErrorIs(t, err, context.Canceled)
}

func TestOrdered(t *testing.T) {
	for statement, want := range map[string]bool{
		"SELECT a FROM t": false, "SELECT a FROM t ORDER\n BY a": true, "select a from t order by 1": true,
		"SELECT 'order by' FROM t": false, "SELECT a FROM t -- ORDER BY a": false, "SELECT a /* order by */ FROM t": false, "SELECT 'it''s' FROM t ORDER BY a": true,
	} {
		require.Equal(t, want, job.Ordered(statement), statement)
	}
}
