package place_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/coordinator/place"
	"tributary/coordinator/place/postgrestest"
	"tributary/shared/dataset/tabular"
	"tributary/shared/job"
)

const number, text, nested = tabular.Any, tabular.Text, tabular.Nested

func TestPostgres(t *testing.T) {
	s := postgrestest.Start(t)
	if s == nil {
		return
	}
	t.Setenv("PGPASSWORD", postgrestest.Password)
	t.Run("types", func(t *testing.T) { testTypes(t, s) })
	t.Run("reads only", func(t *testing.T) { testReadsOnly(t, s) })
	t.Run("stops", func(t *testing.T) { testStops(t, s) })
	t.Run("passwords", func(t *testing.T) { testPasswords(t, s) })
}

func testTypes(t *testing.T, s *postgrestest.Server) {
	s.Exec(t, `CREATE TYPE mood AS ENUM ('sad', 'happy'); CREATE DOMAIN positive AS integer CHECK (VALUE > 0);
		SET timezone = 'Asia/Tokyo';
		CREATE TABLE types (id bigint, exact numeric, half real, x double precision, flag boolean, name text, code char(5), m mood, p positive,
			day date, at timestamp, zoned timestamptz, u uuid, addr inet, list integer[], doc jsonb, raw bytea, span interval, clock time);
		INSERT INTO types VALUES (9223372036854775807, 12345678901234567890.12345, 0.1, 0.1, true, '007', 'ab', 'happy', 3,
			'2024-01-31', '2024-01-31 12:30:00.25', '2024-01-31 21:30:00+09', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '10.0.0.1', '{1,2}', '{}', 'x', '1 day', '12:00'),
			(NULL, 'NaN', 'NaN', NULL, false, '', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);`)
	r, err := place.Postgres(t.Context(), s.Source, "SELECT * FROM types ORDER BY id;")
	names, kinds, cells, err := all(t, r, err)
	require.NoError(t, err)
	require.Len(t, names, 19)
	require.Equal(t, []tabular.Kind{
		number, number, number, number, number, text, text, text, number, number, number, number, text, text, nested, nested, nested, text, number,
	}, kinds)
	require.Equal(t, [][]string{
		{
			"9223372036854775807", "12345678901234567890.12345", "0.1", "0.1", "true", "007", "ab", "happy", "3",
			"2024-01-31", "2024-01-31 12:30:00.25", "2024-01-31 12:30:00", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "10.0.0.1", "", "", "", "1 day", "12:00:00",
		},
		{"", "", "", "", "false", "", "", "", "", "", "", "", "", "", "", "", "", "", ""},
	}, cells)
}

func testReadsOnly(t *testing.T, s *postgrestest.Server) {
	s.Exec(t, "CREATE TABLE one (a integer); INSERT INTO one VALUES (1); CREATE FUNCTION more() RETURNS integer LANGUAGE sql AS 'INSERT INTO one VALUES (2) RETURNING a'")
	for query, want := range map[string]string{
		"INSERT INTO one VALUES (2)":             "the statement gives no rows: want SELECT",
		"INSERT INTO one VALUES (2) RETURNING a": "cannot execute INSERT in a read-only transaction",
		"SELECT more() AS a":                     "cannot execute INSERT in a read-only transaction",
		"SELECT 1 AS a; SELECT 2 AS a":           "cannot insert multiple commands",
		"COPY one TO STDOUT":                     "the statement gives no rows",
		"SELECT set_config('transaction_read_only', 'off', false) AS a, more() AS b": "transaction read-write mode must be set before any query",
		"SELECT a FROM one WHERE a = $1":                                             "parameters",
		"SELECT b FROM one":                                                          `column "b" does not exist (SQLSTATE 42703) at character 8 of the query`,
		"SELECT a, a FROM one":                                                       `two columns of the query have the name "a"`,
		"SELECT 1":                                                                   "write AS name",
		"SELECT repeat('x', 40000000) AS a":                                          "a row of over 33554432 bytes",
		"SELECT 1 / (a - 1) AS a FROM one":                                           "division by zero",
		"":                                                                           "the statement gives no rows",
	} {
		r, err := place.Postgres(t.Context(), s.Source, query)
		_, _, _, err = all(t, r, err)
		require.ErrorIs(t, err, job.ErrInvalid, query)
		require.ErrorContains(t, err, want, query)
	}
	r, err := place.Postgres(t.Context(), s.Source, "TABLE one")
	_, _, cells, err := all(t, r, err)
	require.NoError(t, err)
	require.Equal(t, [][]string{{"1"}}, cells)
}

// A result of any length is a stream, which ends with its context.
func testStops(t *testing.T, s *postgrestest.Server) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := place.Postgres(ctx, s.Source, "SELECT generate_series(1, 100000000) AS a")
	require.NoError(t, err)
	defer r.Close()
	for range 1000 {
		_, err := r.Next()
		require.NoError(t, err)
	}
	cancel()
	for err == nil {
		_, err = r.Next()
	}
	require.ErrorIs(t, err, context.Canceled)
}

// The password comes from the environment or a file, and no error shows it.
func testPasswords(t *testing.T, s *postgrestest.Server) {
	hidden := func(err error) {
		t.Helper()
		require.Error(t, err)
		for _, part := range []string{"Mark3dHead", "Mark3dTail"} {
			require.NotContains(t, err.Error(), part)
		}
	}
	_, err := place.Postgres(t.Context(), strings.Replace(s.Source, "@", ":Mark3dHead%2FMark3dTail@", 1), "SELECT 1 AS a")
	hidden(err)
	require.ErrorIs(t, err, job.ErrInvalid)
	require.ErrorContains(t, err, "PGPASSWORD")
	_, err = place.Postgres(t.Context(), s.Source+"?password=Mark3dHead%2FMark3dTail", "SELECT 1 AS a")
	hidden(err)
	require.ErrorIs(t, err, job.ErrInvalid)

	t.Setenv("PGPASSWORD", "wrong Mark3dHead")
	_, err = place.Postgres(t.Context(), s.Source, "SELECT 1 AS a")
	hidden(err)
	require.ErrorIs(t, err, job.ErrInvalid)
	require.ErrorContains(t, err, "password authentication failed")

	t.Setenv("PGPASSWORD", "")
	passwords := filepath.Join(t.TempDir(), "passwords")
	require.NoError(t, os.WriteFile(passwords, []byte("*:*:*:"+postgrestest.User+":"+postgrestest.Password+"\n"), 0o600))
	t.Setenv("PGPASSFILE", passwords)
	r, err := place.Postgres(t.Context(), s.Source, "SELECT 1 AS a")
	_, _, cells, err := all(t, r, err)
	require.NoError(t, err)
	require.Equal(t, [][]string{{"1"}}, cells)

	_, err = place.Postgres(t.Context(), strings.Replace(s.Source, "/postgres", "/none", 1), "SELECT 1 AS a")
	hidden(err)
	require.ErrorIs(t, err, job.ErrInvalid)
	require.ErrorContains(t, err, `database "none" does not exist`)
	_, err = place.Postgres(t.Context(), "postgres://"+postgrestest.User+"@127.0.0.1:1/postgres", "SELECT 1 AS a")
	hidden(err)
	require.NotErrorIs(t, err, job.ErrInvalid, "the server may come back")
}
