package ingest

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/coordinator/place"
	"tributary/coordinator/place/postgrestest"
	"tributary/shared/dataset"
	"tributary/shared/job"
)

// credit is a table as databases have it, with a file of the same cells.
const (
	creditTable = `CREATE TABLE credit (id BIGINT, zip TEXT, amount NUMERIC, paid BOOLEAN, day DATE, y INTEGER)`
	creditCSV   = "id,zip,amount,paid,day,y\n9007199254740993,01234,1.5,true,2024-01-31,1\n9007199254740994,99999,,false,2024-02-29,2\n9007199254740995,01234,2.25,true,2024-03-01,3\n"
)

// creditRows is the statement that inserts the rows of creditCSV.
func creditRows() string {
	var rows []string
	for line := range strings.Lines(strings.SplitN(creditCSV, "\n", 2)[1]) {
		cells := strings.Split(strings.TrimSpace(line), ",")
		for i, cell := range cells {
			if cells[i] = "'" + cell + "'"; cell == "" {
				cells[i] = "NULL"
			} else if i != 1 && i != 4 {
				cells[i] = cell
			}
		}
		rows = append(rows, "("+strings.Join(cells, ",")+")")
	}
	return "INSERT INTO credit VALUES " + strings.Join(rows, ",")
}

func askSpec(source string) *job.Spec {
	spec := csvSpec()
	spec.Data.Source, spec.Data.Format, spec.Data.Query = source, job.SQL, "SELECT * FROM credit ORDER BY id"
	spec.Data.Clean.Missing.Method = "mean"
	spec.Data.Columns = map[string]job.ColumnSpec{"day": {Type: job.DateColumn, Parts: []job.DatePart{job.Month}}}
	return spec
}

// sqliteFile makes a file of SQLite.
func sqliteFile(t *testing.T, path string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	require.NoError(t, err)
	for _, s := range statements {
		_, err = db.ExecContext(t.Context(), s)
		require.NoError(t, err, s)
	}
	require.NoError(t, db.Close())
}

// A query gives the table that a CSV file of the same cells gives, and the model predicts
// on such cells.
func TestQueriesAreTables(t *testing.T) {
	path := filepath.Join(t.TempDir(), "credit.db")
	sqliteFile(t, path, creditTable, creditRows())
	requireCredit(t, "sqlite:"+path)
	s := postgrestest.Start(t)
	if s == nil {
		return
	}
	t.Setenv("PGPASSWORD", postgrestest.Password)
	s.Exec(t, creditTable+";"+creditRows())
	requireCredit(t, s.Source)
}

func requireCredit(t *testing.T, source string) {
	t.Helper()
	o := mustRun(t, askSpec(source), local)
	require.Equal(t, dataset.Categorical, o.Preprocessing.Columns[0].Kind, "large integers are identifiers")
	require.Equal(t, []string{"9007199254740993", "9007199254740994", "9007199254740995"}, o.Preprocessing.Columns[0].Categories)
	require.Equal(t, dataset.Categorical, o.Preprocessing.Columns[1].Kind, "texts of digits stay texts")
	require.Equal(t, []float64{1.5, 1.875, 2.25}, o.column(job.Train, 5))
	require.Equal(t, []float64{1, 2, 3}, o.column(job.Train, 8))
	csv := askSpec("in")
	csv.Data.Format, csv.Data.Query = job.CSV, ""
	csv.Data.Columns["zip"] = job.ColumnSpec{Type: job.CategoryColumn}
	require.Equal(t, mustRun(t, csv, sources{"in": []byte(creditCSV)}).x, o.x)
	for _, said := range o.said {
		require.NotContains(t, said, "ORDER BY")
	}

	spec := askSpec(source)
	spec.Data.Query = "SELECT * FROM credit"
	spec.Data.Test, spec.Data.TestQuery = source, "SELECT y, day, paid, amount, zip, id FROM credit WHERE id < 9007199254740994 ORDER BY id"
	o = mustRun(t, spec, local)
	require.Equal(t, o.x[job.Train][:1], o.x[job.Test])
	require.Contains(t, strings.Join(o.said, "\n"), "data.query has no ORDER BY")

	for query, want := range map[string]string{
		"SELECT nothing FROM credit":          "nothing",
		"SELECT * FROM credit WHERE 1 = 0":    "no rows",
		"SELECT zip FROM credit ORDER BY id":  `data.label: no column "y"`,
		"SELECT y FROM credit":                "no columns besides the label",
		"DELETE FROM credit":                  "SELECT",
		"SELECT amount, 'a' AS y FROM credit": "the loss wants numbers",
	} {
		spec := askSpec(source)
		spec.Data.Columns, spec.Data.Query = nil, query
		_, err := run(t, spec, local)
		require.ErrorIs(t, err, job.ErrInvalid, query)
		require.ErrorContains(t, err, want, query)
	}
}

// The rows of a query go through a file, and not over the limit of a source.
func TestQueriesAreBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "n.db")
	sqliteFile(t, path, "CREATE TABLE n (x INTEGER)")
	spec := askSpec("sqlite:" + path)
	spec.Data.Columns = nil
	spec.Data.Query = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x, x % 7 AS y FROM n"
	in := &Ingest{Sources: local, Store: discard{}, Memory: 64, Scratch: t.TempDir(), MaxBytes: 100_000}
	_, err := in.Run(t.Context(), spec)
	require.ErrorIs(t, err, job.ErrInvalid)
	require.ErrorContains(t, err, "over the limit of the bytes of a source")
	spec.Data.Query += " LIMIT 5000"
	m, err := in.Run(t.Context(), spec)
	require.NoError(t, err)
	rows := 0
	for _, ref := range m.Splits[job.Train] {
		rows += ref.Rows
	}
	require.Equal(t, 5000, rows)
	left, err := os.ReadDir(in.Scratch)
	require.NoError(t, err)
	require.Empty(t, left)
}

// A submitted spec reads the databases that the operator lists, as the operator's user, and
// files of SQLite below the data roots.
func TestAllowedDatabases(t *testing.T) {
	places, err := Allow([]string{"postgres://reader@db.example.org/sales?sslmode=require", "postgresql://10.0.0.7:5433/open"})
	require.NoError(t, err)
	root, outside := t.TempDir(), t.TempDir()
	sqliteFile(t, filepath.Join(root, "in.db"), creditTable, creditRows())
	sqliteFile(t, filepath.Join(outside, "out.db"), creditTable)
	require.NoError(t, os.Symlink(filepath.Join(outside, "out.db"), filepath.Join(root, "link.db")))
	require.NoError(t, os.Symlink(outside, filepath.Join(root, "folder")))
	r := &Roots{Folders: []string{root}, Places: places, Outside: place.Outside{}}
	for source, want := range map[string]string{
		"postgres://reader@db.example.org/sales":                   "",
		"postgresql://db.example.org:5432/sales":                   "",
		"postgres://READER@db.example.org/sales":                   "not among the places",
		"postgres://admin@db.example.org/sales":                    "not among the places",
		"postgres://db.example.org/sales?sslmode=disable":          "not among the places",
		"postgres://db.example.org/other":                          "not among the places",
		"postgres://db.example.org/sales/../other":                 "not among the places",
		"postgres://db.example.org:5433/sales":                     "not among the places",
		"postgres://db.example.org,evil.example.org/sales":         "not among the places",
		"postgres://evil.example.org/sales":                        "not among the places",
		"postgres://169.254.169.254/sales":                         "not among the places",
		"postgres:///sales":                                        "not among the places",
		"postgres://10.0.0.7:5433/open":                            "",
		"postgres://me@10.0.0.7:5433/open":                         "not among the places",
		"postgres://reader:x@db.example.org/sales":                 "PGPASSWORD",
		"postgres://db.example.org/sales?host=evil&sslmode=prefer": "parameter",
		"sqlite:in.db": "",
		"sqlite://" + filepath.Join(root, "in.db"):        "",
		"sqlite:" + filepath.Join(outside, "out.db"):      "outside the data roots",
		"sqlite:../" + filepath.Base(outside) + "/out.db": "outside the data roots",
		"sqlite:link.db":        "",
		"sqlite:folder/out.db":  "",
		"sqlite:none.db":        "file does not exist",
		"sqlite:in.db?mode=rwc": "want sqlite:PATH",
		"sqlite:":               "want sqlite:PATH",
	} {
		err := r.Allowed(source)
		if link := strings.Contains(source, "link") || strings.Contains(source, "folder"); link {
			require.ErrorIs(t, err, job.ErrInvalid, source)
			continue
		}
		if want == "" {
			require.NoError(t, err, source)
			continue
		}
		require.ErrorIs(t, err, job.ErrInvalid, source)
		require.ErrorContains(t, err, want, source)
	}
	require.ErrorIs(t, (&Roots{}).Allowed("postgres://reader@db.example.org/sales"), job.ErrInvalid)
	address, err := r.postgres("postgres://db.example.org/sales")
	require.NoError(t, err)
	require.Equal(t, "postgres://reader@db.example.org/sales?sslmode=require", address, "the operator's user and parameters")
	_, err = run(t, askSpec("sqlite:in.db"), r)
	require.NoError(t, err)
	_, err = run(t, askSpec("sqlite:in.db"), onlyFiles{r})
	require.ErrorContains(t, err, "reads no databases")
	_, err = r.Open(t.Context(), "sqlite:in.db")
	require.ErrorIs(t, err, job.ErrInvalid)
	for _, bad := range []string{"mysql://a/b", "postgres://a", "postgres://a:secret@b/c", "/folder", "postgres://a/b?sslkey=x"} {
		_, err := Allow([]string{bad})
		require.ErrorIs(t, err, job.ErrInvalid, bad)
		require.NotContains(t, fmt.Sprint(err), "secret")
	}
}

// onlyFiles is an opener that asks no databases.
type onlyFiles struct{ from *Roots }

func (o onlyFiles) Open(ctx context.Context, source string) (io.ReadCloser, error) {
	return o.from.Open(ctx, source)
}
